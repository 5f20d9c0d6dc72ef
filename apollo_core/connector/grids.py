"""Bring a grid of features to another size: along each side a product with a small matrix.

Torch's own trilinear interpolation and adaptive average pooling have CUDA backwards that add in any
order, so that one stage run twice would give two results. A matrix product has not, and for grids
of some tens of patches a side it is as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

Size = tuple[int, int, int]


def interpolate(
    grid: Float[Tensor, "clips _ _ _ dim"], size: Size
) -> Float[Tensor, "clips slots rows columns dim"]:
    """Trilinear interpolation between the centres of cells, to (slots, rows, columns).

    As `torch.nn.functional.interpolate(mode="trilinear", align_corners=False)`, in fp32; a grid
    that fits is handed on untouched.
    """
    return _resized(grid, size, interpolation)


def average_pool(
    grid: Float[Tensor, "clips _ _ _ dim"], size: Size
) -> Float[Tensor, "clips slots rows columns dim"]:
    """Adaptive average pooling to (slots, rows, columns).

    As `torch.nn.functional.adaptive_avg_pool3d`, in fp32; a grid that fits is handed on untouched.
    """
    return _resized(grid, size, averaging)


def interpolation(old: int, new: int) -> Float[Tensor, "new old"]:
    """Row i holds the weights of the old places around (i + 1/2) old / new - 1/2."""
    at = ((torch.arange(new, dtype=torch.float64) + 0.5) * old / new - 0.5).clamp(0, old - 1)
    low = at.long()
    high = (low + 1).clamp(max=old - 1)
    part = (at - low)[:, None]
    return ((1 - part) * one_hot(low, old) + part * one_hot(high, old)).float()


def averaging(old: int, new: int) -> Float[Tensor, "new old"]:
    """Row i holds the mean over the old places from floor(i old / new) to ceil((i + 1) old / new).

    Neighbouring means share a place where `new` does not divide `old`, and repeat places where
    `new` is the larger.
    """
    i, place = torch.arange(new)[:, None], torch.arange(old)
    within = (place >= i * old // new) & (place < -(-(i + 1) * old // new))
    return within / within.sum(1, keepdim=True)


def _resized(
    grid: Float[Tensor, "clips _ _ _ dim"], size: Size, matrix: Callable[[int, int], Tensor]
) -> Float[Tensor, "clips slots rows columns dim"]:
    """Side by side, the sides that shrink first: the less there is, the cheaper the next one."""
    sides = sorted(zip((1, 2, 3), grid.shape[1:4], size, strict=True), key=lambda s: s[2] / s[1])
    resized = grid.float()
    with torch.autocast(grid.device.type, enabled=False):
        for axis, old, new in sides:
            if old != new:
                weights = _placed(matrix, old, new, grid.device)
                resized = (weights @ resized.movedim(axis, -2)).movedim(-2, axis)
    return resized.to(grid.dtype)


@lru_cache(maxsize=256)
def _placed(
    matrix: Callable[[int, int], Tensor], old: int, new: int, device: torch.device
) -> Float[Tensor, "{new} {old}"]:
    """A matrix where it is needed: copied there once, since each copy to a GPU is waited for."""
    # Kept for training too, which could not use what inference mode made.
    with torch.inference_mode(mode=False), torch.device("cpu"):
        weights = matrix(old, new)
        return weights.to(device)
