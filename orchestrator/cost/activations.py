"""Bytes of activations: what a forward keeps for its backward, and what it holds in passing.

Closed forms of sizes alone. A block keeps, for each token, so many bytes times its width and so
many times the hidden width of its MLP; the numbers below are sums over the tensors that autograd
saves in the very classes that a stage runs (LayerNorm and GELU their inputs, a linear layer its
input, attention its queries, keys, values and result), and a test holds them to those. Attention is
taken to be a fused kernel, which keeps no matrix of scores; masks and statistics of norms are left
out. Sums under autocast keep float32 beside its bfloat16 copies, hence no plain halves.

Throughout: d width of an encoder, h width of the language model, m hidden width of an MLP, g width
of all key-value heads, D channels of the joined grid, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from apollo_core.design import AttentionPoolResampler, PerceiverResampler, QFormerResampler
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.stages.identity import Precision
from orchestrator.cost.model_sizes import ModelSizes


class Kept(NamedTuple):
    """Bytes that a block keeps for each token: times its width, and times its MLP's."""

    width: float
    mlp: float


# family -> in float32, in bfloat16.
VISION: dict[str, dict[Precision, Kept]] = {
    "siglip": {"float32": Kept(32, 8), "bfloat16": Kept(24, 4)},
    # QuickGELU keeps its sigmoid beside its input.
    "clip": {"float32": Kept(32, 12), "bfloat16": Kept(24, 6)},
    "languagebind_image": {"float32": Kept(32, 8), "bfloat16": Kept(24, 4)},
    # Both branches' inputs of LayerScale.
    "dinov2": {"float32": Kept(40, 8), "bfloat16": Kept(28, 4)},
    # A second attention, over time, with its norm.
    "languagebind_video": {"float32": Kept(56, 8), "bfloat16": Kept(42, 4)},
    "videomae": {"float32": Kept(32, 8), "bfloat16": Kept(16, 4)},
    "vjepa": {"float32": Kept(32, 8), "bfloat16": Kept(20, 4)},
    # Rotated queries and keys.
    "vjepa2": {"float32": Kept(38, 8), "bfloat16": Kept(19, 4)},
    # Norms of queries and keys and LayerScale, all in float32.
    "internvideo2": {"float32": Kept(64, 8), "bfloat16": Kept(56, 4)},
}


class LlmKept(NamedTuple):
    """Bytes that a block of the language model keeps for each position, times h, m and g."""

    width: float
    mlp: float
    group: float


# (precision, whether it is trained): a frozen one keeps no inputs of matrices.
LLM: dict[tuple[Precision, bool], LlmKept] = {
    ("float32", True): LlmKept(36, 16, 8),
    ("float32", False): LlmKept(16, 12, 8),
    ("bfloat16", True): LlmKept(32, 8, 4),
    ("bfloat16", False): LlmKept(12, 6, 4),
}


@dataclass(frozen=True)
class Load:
    """What goes through the model at once.

    Attributes:
        samples: conversations.
        clips: of each.
        still: whether a clip is one picture, which image encoders see once.
    """

    samples: int
    clips: int
    still: bool = False


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


@dataclass(frozen=True)
class _Tower:
    """What a tower keeps for its backward.

    Attributes:
        depth, block: blocks, and bytes that one keeps.
        inputs: bytes of what enters all blocks.
        around: bytes of what is kept outside them.
        matrices: parameters of which autocast makes copies.
        trained: whether they learn.
    """

    depth: int
    block: float
    inputs: float
    around: float
    matrices: int
    trained: bool


def _towers(
    sizes: ModelSizes, trained: Collection[str], load: Load, precision: Precision
) -> list[_Tower]:
    """The towers that a gradient passes through."""
    found: list[_Tower] = []
    if "vision" in trained and load.clips:
        clips = load.samples * load.clips
        for each in sizes.seeing(still=load.still):
            frames = sizes.frames_seen(each, still=load.still)
            found.append(_encoder(each, clips, frames, precision))
    if "llm" in trained or (load.clips and trained):
        length = positions(sizes, load)
        found.append(_language_model(sizes.llm, length, precision, trained="llm" in trained))
    return found


def _encoder(encoder: VisionGeometry, clips: int, frames: int, precision: Precision) -> _Tower:
    """Outside the blocks: the pixels that the patch embedding reads, the last norm's input."""
    tokens = clips * encoder.tokens(frames)
    kept = VISION[encoder.family][precision]
    pixels = (4 if precision == "float32" else 2) * 3.0 * clips * frames * encoder.size**2
    return _Tower(
        depth=encoder.depth,
        block=tokens * (kept.width * encoder.dim + kept.mlp * encoder.mlp),
        inputs=4.0 * tokens * encoder.dim * encoder.depth,
        around=pixels + 4.0 * tokens * encoder.dim,
        matrices=encoder.block_parameters,
        trained=True,
    )


def _language_model(
    llm: LlmGeometry, length: int, precision: Precision, *, trained: bool
) -> _Tower:
    """Outside the blocks: what the last norm reads and hands on."""
    kept = LLM[precision, trained]
    group = llm.kv_heads * llm.head_dim
    return _Tower(
        depth=llm.layers,
        block=length * (kept.width * llm.hidden + kept.mlp * llm.mlp + kept.group * group),
        inputs=4.0 * length * llm.hidden * llm.layers,
        around=8.0 * length * llm.hidden,
        matrices=llm.block_parameters + llm.vocabulary * llm.hidden,
        trained=trained,
    )


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
        tower = _language_model(part, items * length, precision, trained=True)
        beside = _logits(part, items * length, precision)
    else:
        tower = _encoder(part, items, length, precision)
        beside = 15.0 * items * length * part.size**2 + 8.0 * items * part.tokens(length) * part.dim
    copies = 2 * tower.matrices * (precision == "bfloat16")
    return tower.around + tower.depth * tower.block + beside + copies


def frames_bytes(sizes: ModelSizes, load: Load) -> float:
    """The decoded frames, a byte a value, at the size of the largest encoder's input."""
    side = max(encoder.size for encoder in sizes.encoders)
    return 3.0 * load.samples * load.clips * sizes.frames_per_clip * side**2


def feature_bytes(sizes: ModelSizes, load: Load) -> float:
    """Grids of all encoders that see the clips, in float32."""
    frames = sizes.frames_per_clip
    seen = sizes.seeing(still=load.still)
    return 4.0 * load.samples * load.clips * sum(each.tokens(frames) * each.dim for each in seen)


def vision_in_passing(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """The most that encoders hold while no gradient is wanted: pixels, and an MLP with its input.

    Pixels are there as they were decoded and as one encoder takes them, 4 bytes a value.
    """
    side = max(encoder.size for encoder in sizes.encoders)
    clips = load.samples * load.clips
    most = 0.0
    for encoder in sizes.seeing(still=load.still):
        frames = sizes.frames_seen(encoder, still=load.still)
        pixels = 12.0 * clips * (sizes.frames_per_clip * side**2 + frames * encoder.size**2)
        width, mlp = (8, 8) if precision == "float32" else (10, 4)
        block = clips * encoder.tokens(frames) * (width * encoder.dim + mlp * encoder.mlp)
        most = max(most, pixels + block)
    return most


def positions(sizes: ModelSizes, load: Load) -> int:
    """Positions of the language model."""
    return load.samples * (sizes.visual_tokens(load.clips) + sizes.text_tokens)


def logits_bytes(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """Logits of a micro-batch; all text is taken to be supervised."""
    return _logits(sizes.llm, load.samples * sizes.text_tokens, precision)


def _logits(llm: LlmGeometry, supervised: int, precision: Precision) -> float:
    """Their logarithms of shares in float32, and either these' gradient or the logits themselves;
    in bfloat16 the logits once more, as the head gives them."""
    return (8.0 if precision == "float32" else 10.0) * supervised * llm.vocabulary


def connector_kept(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """Bytes that the branch of the clips keeps: for each place of the joined grid and each token.

    The grids themselves, which the norms keep, are counted as features.
    """
    half = precision == "bfloat16"
    b = 2 if half else 4
    frames = sizes.frames_per_clip
    seen = sizes.seeing(still=load.still)
    channels = sum(each.dim for each in seen)
    sides = ((each.slots(frames), each.side, each.side) for each in seen)
    places = math.prod(max(axis) for axis in zip(*sides, strict=True))
    tokens, hidden, spec = sizes.clip_tokens, sizes.llm.hidden, sizes.resampler
    if isinstance(spec, PerceiverResampler):
        inner = spec.heads * spec.head_dim
        read = 4 * hidden + 2 * b * inner
        place = b * channels + b * hidden + spec.depth * read
        mlp = (2 + 4 * spec.mlp_ratio) * hidden
        token = spec.depth * (4 * 4 * hidden + b * (mlp + 3 * inner + hidden)) + 8 * hidden
    elif isinstance(spec, AttentionPoolResampler):
        inner = spec.heads * spec.head_dim
        place = b * channels + b * hidden + 4 * hidden + 2 * b * inner
        token = b * (3 * inner + hidden) + 8 * hidden
    elif isinstance(spec, QFormerResampler):
        width = spec.width
        place = b * channels + b * width + 4 * width + spec.depth * 2 * b * width
        layer = (4 * 3 + b * (9 + 2 * spec.mlp_ratio)) * width
        token = spec.depth * layer + b * width + 4 * width
        words = sizes.text_tokens * (8 * hidden + spec.depth * 3 * b * width) if spec.text else 0
        token += words / tokens
    else:
        place = b * channels + 2 * b * hidden + 4 * hidden
        place += b * channels if spec.kind == "conv_avg" else 0
        token = 0.0
    return float(load.samples * load.clips * (places * place + tokens * token))


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
