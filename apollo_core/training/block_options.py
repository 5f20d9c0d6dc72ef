"""Run a model's blocks otherwise than plainly: activations computed again, or compiled.

Neither changes what is computed, beyond the last digits that a compiler's order of sums may give.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from apollo_core.model import VideoLMM


def blocks_of(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a tower: what lies in its outermost lists of modules."""
    for child in module.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        else:
            yield from blocks_of(child)


def compile_blocks(model: VideoLMM) -> None:
    """Compile each block, once for all lengths: blocks of one kind share what is compiled."""
    for tower in (*model.vision, model.llm):
        for block in blocks_of(tower):
            block.forward = torch.compile(block.forward, dynamic=True)


def recompute_activations(model: VideoLMM, *, vision: bool) -> None:
    """Keep only what enters each block, and compute the rest again in the backward.

    transformers' own switch leaves blocks in eval mode as they are. A frozen language model is in
    eval mode and yet passes the gradient on to the connector, so it needs this as much.

    Args:
        model: its towers' blocks are changed.
        vision: whether encoders are trained; frozen ones keep no activations anyway.
    """
    towers = [*model.vision, model.llm] if vision else [model.llm]
    for tower in towers:
        for block in blocks_of(tower):
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
