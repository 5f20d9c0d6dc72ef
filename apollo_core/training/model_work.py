"""How much work a model's micro-batches are, for the speeds that a stage reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from apollo_core.batch import Batch
from apollo_core.model import VideoLMM
from apollo_core.training.block_options import blocks_of
from apollo_core.training.step_flops import Sizes, batch_flops
from apollo_core.training.work import Work


class WorkMeter:
    """Counts positions and FLOPs of micro-batches.

    Args:
        model: its encoders' and connector's cost is found out with the first batch that has clips,
            by one clip; the language model's follows from its sizes.
        trained: modules with a rate above 0.
        flops: whether to count those, where the language model's are known, or positions only.
    """

    def __init__(self, model: VideoLMM, trained: Collection[str], *, flops: bool) -> None:
        self._model = model
        self._trained = trained
        self._flops = flops
        self._sizes: Sizes | None = None

    def __call__(self, batch: Batch) -> Work:
        """The work of one micro-batch, forward and backward."""
        lengths = lengths_of(batch)
        known = llm_sizes(self._model) if self._flops else None
        if known is None:
            return Work(sum(lengths))
        if self._sizes is None and len(batch.still):
            self._sizes = measure(self._model, known, batch)
        sizes = self._sizes or known
        stills = int(batch.still.sum())
        encoded = encoded_clips(batch)
        flops = batch_flops(
            sizes,
            self._trained,
            clips=len(batch.still) - stills,
            stills=stills,
            encoded=(encoded.count(False), encoded.count(True)),
            lengths=lengths,
            supervised=batch.supervised,
        )
        return Work(sum(lengths), flops)


def encoded_clips(batch: Batch) -> list[bool]:
    """For each clip whose features are not kept whole, whether it is still."""
    stills = batch.still.tolist()
    if not batch.known:
        return stills
    known = (batch.known[medium] for medium in batch.medium.tolist())
    return [
        still
        for still, features in zip(stills, known, strict=True)
        if features is None or not features.whole
    ]


def lengths_of(batch: Batch) -> list[int]:
    """Positions of each conversation, padded or packed."""
    if batch.positions is None:
        return batch.attended.sum(1).tolist()
    starts = (batch.positions[0] == 0).nonzero()[:, 0].tolist()
    return [end - start for start, end in pairwise([*starts, batch.positions.shape[1]])]


def llm_sizes(model: VideoLMM) -> Sizes | None:
    """Sizes of the language model; vision and connector as nothing.

    None where its layers are no attention with one number of heads (Mamba): what those cost is not
    in the closed form, and a figure for the log stops no stage.
    """
    blocks = list(blocks_of(model.llm))
    matrices = (p for block in blocks for p in block.parameters() if p.ndim > 1)
    config = model.llm.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int):
        return None
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Sizes(
        vision=0.0,
        connector=0.0,
        pixels=0.0,
        vision_still=0.0,
        connector_still=0.0,
        pixels_still=0.0,
        llm_matrices=sum(matrix.numel() for matrix in matrices),
        llm_attention=len(blocks) * heads * head_dim,
        llm_head=config.vocab_size * config.hidden_size,
    )


def measure(model: VideoLMM, known: Sizes, batch: Batch) -> Sizes:
    """`known`, with the sizes of vision and connector counted on the first clip of `batch`."""
    device = next(model.parameters()).device
    costs: dict[str, float] = {}
    for suffix, still in (("", False), ("_still", True)):
        one = replace(
            batch,
            clips=batch.clips.new_zeros((1, *batch.clips.shape[1:])),
            still=torch.tensor([still]),
            medium=torch.zeros(1, dtype=torch.long),
            places=torch.ones(1, dtype=torch.long),
            asked=batch.asked[:1],
            known=(),
        ).to(device)
        with torch.random.fork_rng():
            grids, seen = _counted(lambda one=one: model.features(one))
            _, joined = _counted(lambda one=one, grids=grids: model.visual_tokens(one, grids))
        costs[f"vision{suffix}"] = sum(seen.values())
        costs[f"pixels{suffix}"] = seen.get(torch.ops.aten.convolution, 0)
        costs[f"connector{suffix}"] = sum(joined.values())
    return replace(known, **costs)


def _counted(run: Callable[[], Any]) -> tuple[Any, Mapping[Any, int]]:
    """What `run` gives, and the FLOPs of each operator in it."""
    # As plain products: torch's counter does not know the CPU's fused attention. And not without
    # gradients: its hooks stumble there over parameters that are handed to a module.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        result = run()
    return result, counter.get_flop_counts()["Global"]
