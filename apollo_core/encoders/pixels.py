"""From decoded frames to what one encoder takes: floats, its size, its normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional


def to_unit(
    frames: UInt8[Tensor, "batch frames height width 3"],
) -> Float[Tensor, "batch frames 3 height width"]:
    """Bytes 0..255 to floats 0..1, channels first."""
    # Reordered as bytes and divided in place: this runs on every frame of every step.
    return rearrange(frames, "b t h w c -> b t c h w").contiguous().float().div_(255)


def resize(
    pixels: Float[Tensor, "batch frames 3 height width"], size: int
) -> Float[Tensor, "batch frames 3 {size} {size}"]:
    """Resize to `size` x `size`, bicubic with antialiasing, kept in 0..1; as it is if it fits.

    Without antialiasing a reduction by more than two skips pixels, and what a model sees flickers.
    """
    if pixels.shape[-2:] == (size, size):
        return pixels
    flat = rearrange(pixels, "b t c h w -> (b t) c h w")
    small = functional.interpolate(flat, (size, size), mode="bicubic", antialias=True)
    # Bicubic weights are negative in places, so edges overshoot the range.
    return rearrange(small.clamp(0, 1), "(b t) c h w -> b t c h w", b=pixels.shape[0])


def normalise(
    pixels: Float[Tensor, "batch frames 3 height width"],
    *,
    mean: Sequence[float],
    std: Sequence[float],
) -> Float[Tensor, "batch frames 3 height width"]:
    """`(pixels - mean) / std` for each of the three channels."""
    shift, scale = (
        _by_channel(tuple(values), pixels.dtype, pixels.device) for values in (mean, std)
    )
    return (pixels - shift) / scale


@lru_cache(maxsize=64)
def _by_channel(
    values: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "3 1 1"]:
    """One value a channel where the pixels are: copied once, as each copy to a GPU is waited for.

    No buffers of the encoder: those would be rounded with a model in bfloat16, and be left empty in
    one that is filled on the meta device.
    """
    # Kept for training too, which could not use what inference mode made.
    with torch.inference_mode(mode=False):
        return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1)
