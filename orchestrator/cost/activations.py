"""Bytes of activations: what a forward keeps for its backward, and what it holds in passing.

Closed forms of sizes alone: what towers keep (`towers`), and what else goes through the model with
a micro-batch (`load_bytes`), at the fullest moment of each kind of stage.
"""

from __future__ import annotations

from collections.abc import Collection

from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.stages.identity import Precision
from orchestrator.cost.load_bytes import (
    Load,
    connector_kept,
    feature_bytes,
    frames_bytes,
    logits_bytes,
    logits_of,
    positions,
    vision_in_passing,
)
from orchestrator.cost.model_sizes import ModelSizes
from orchestrator.cost.towers import Tower, encoder_tower, language_tower


def training_activations(
    sizes: ModelSizes,
    trained: Collection[str],
    load: Load,
    *,
    precision: Precision,
    checkpointing: bool = False,
) -> float:
    """Bytes at the fullest moment of forward and backward, beside weights and their gradients.

    That is the end of the forward, where all is kept and the logits are there; or, with encoders
    that are frozen and many clips, one of their blocks in passing.

    Args:
        sizes: the model.
        trained: modules with a rate above 0.
        load: the micro-batch.
        precision: of the arithmetic.
        checkpointing: blocks keep only what enters them.
    """
    half = precision == "bfloat16"
    frames = frames_bytes(sizes, load)
    features = feature_bytes(sizes, load) if load.clips else 0.0
    kept, copied, blocks = frames + features, 0, [logits_bytes(sizes, load, precision=precision)]
    if {"vision", "connector"} & set(trained) and load.clips:
        kept += connector_kept(sizes, load, precision=precision)
        copied += sizes.connector
    towers = _towers(sizes, trained, load, precision)
    for tower in towers:
        kept += tower.around
        if checkpointing:
            kept += tower.inputs
            blocks.append(tower.block)
        else:
            kept += tower.depth * tower.block
        # Autocast keeps its copies of what is trained until the forward ends; the graph those of
        # what the gradient passes through, unless that is computed again.
        copied += tower.matrices if tower.trained or not checkpointing else 0
    passing = frames + features
    if load.clips:
        passing += vision_in_passing(sizes, load, precision=precision)
    return max(kept + max(blocks) + 2 * copied * half, passing)


def _towers(
    sizes: ModelSizes, trained: Collection[str], load: Load, precision: Precision
) -> list[Tower]:
    """The towers that a gradient passes through."""
    found: list[Tower] = []
    if "vision" in trained and load.clips:
        clips = load.samples * load.clips
        for each in sizes.seeing(still=load.still):
            frames = sizes.frames_seen(each, still=load.still)
            found.append(encoder_tower(each, clips, frames, precision))
    if "llm" in trained or (load.clips and trained):
        length = positions(sizes, load)
        found.append(language_tower(sizes.llm, length, precision, trained="llm" in trained))
    return found


def pretraining_activations(
    part: VisionGeometry | LlmGeometry, *, items: int, length: int, precision: Precision
) -> float:
    """Bytes that a microworld part's pretraining keeps, its whole batch at once.

    Args:
        part: the part.
        items: clips of the batch, or texts.
        length: frames of a clip, or positions of a text.
        precision: of the arithmetic.
    """
    if isinstance(part, LlmGeometry):
        tower = language_tower(part, items * length, precision, trained=True)
        beside = logits_of(part, items * length, precision)
    else:
        tower = encoder_tower(part, items, length, precision)
        beside = 15.0 * items * length * part.size**2 + 8.0 * items * part.tokens(length) * part.dim
    copies = 2 * tower.matrices * (precision == "bfloat16")
    return tower.around + tower.depth * tower.block + beside + copies


def evaluating_activations(
    sizes: ModelSizes, load: Load, *, precision: Precision, rows: int
) -> float:
    """Bytes at the fullest moment of an evaluation, beside weights.

    A video's positions go through the language model once, and leave keys and values; `rows`
    questions about it then each hold a copy of those while their own positions go through.

    Args:
        sizes: the model.
        load: one medium.
        precision: of the arithmetic.
        rows: questions, in all their orders or options, that go through at once.
    """
    half = precision == "bfloat16"
    llm = sizes.llm
    seen = frames_bytes(sizes, load)
    if load.clips:
        seen += feature_bytes(sizes, load)
        seen += max(
            vision_in_passing(sizes, load, precision=precision),
            connector_kept(sizes, load, precision=precision),
        )
    b = 2 if half else 4
    visual, text = sizes.visual_tokens(load.clips), sizes.text_tokens
    # Keys are rotated in float32.
    cache = llm.layers * llm.kv_heads * llm.head_dim * (b + 4)
    block = 12 * llm.hidden + 3 * b * llm.mlp
    first = visual * (cache + block)
    copies = rows * (visual + text) * (cache + 2 * b * llm.hidden) + rows * text * block
    logits = 8.0 * rows * text * llm.vocabulary
    return max(seen, first, visual * cache + copies + logits)
