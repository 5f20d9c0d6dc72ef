"""Which tokens of a clip are hidden in pretraining: drawn from torch's global stream.

A mask is given as two lists of places for each clip, equally long in a whole batch, so that the
visible ones are a dense tensor: hidden tokens cost the encoder nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Int
from torch import Tensor

from apollo_core.encoders.positions import Grid


class Masked(NamedTuple):
    """Places among a clip's tokens, ascending.

    Attributes:
        kept: those that the encoder sees.
        hidden: those that are to be predicted.
    """

    kept: Int[Tensor, "clips kept"]
    hidden: Int[Tensor, "clips hidden"]


def tubes(clips: int, grid: Grid, *, share: float, device: torch.device) -> Masked:
    """Hide `share` of the places of a frame, the same in all frames: nothing peeps through time.

    Source: Tong et al. (2022), VideoMAE, section 3.3.
    """
    places = grid.rows * grid.columns
    kept = max(1, round((1 - share) * places))
    order = torch.rand(clips, places, device=device).argsort(1)
    return Masked(_in_time(order[:, :kept], grid), _in_time(order[:, kept:], grid))


def blocks(clips: int, grid: Grid, *, count: int, share: float, device: torch.device) -> Masked:
    """Hide the union of `count` rectangles, each `share` of a frame, through all of time.

    Clips whose rectangles overlap more leave more visible; of those, some are neither shown nor
    asked for, so that all clips of the batch have as many.

    Source: Bardes et al. (2024), V-JEPA, section 3.2 (multi-block masking; theirs have aspect
    ratios of 0.75 to 1.5, too).
    """
    ratio = torch.empty(clips, count, device=device).uniform_(0.75, 1.5)
    area = share * grid.rows * grid.columns
    tall = (area * ratio).sqrt().round().clamp(1, grid.rows)
    wide = (area / ratio).sqrt().round().clamp(1, grid.columns)
    rows = _spans(tall, grid.rows)
    columns = _spans(wide, grid.columns)
    covered = (rows[..., :, None] & columns[..., None, :]).any(1)
    return _dense(rearrange(covered, "b h w -> b (h w)"), grid)


def _spans(length: Tensor, count: int) -> Bool[Tensor, "clips blocks places"]:
    """For each block, which of `count` places along an axis a run of `length` covers."""
    start = (torch.rand_like(length) * (count - length + 1)).floor()[..., None]
    place = torch.arange(count, device=length.device)
    return (place >= start) & (place < start + length[..., None])


def _dense(covered: Bool[Tensor, "clips places"], grid: Grid) -> Masked:
    """As many visible and as many hidden places in every clip, chosen at random; at least one."""
    order = (covered + torch.rand_like(covered, dtype=torch.float32)).argsort(1)
    hidden = covered.sum(1)
    kept = max(1, int((covered.shape[1] - hidden).min()))
    asked = min(max(1, int(hidden.min())), covered.shape[1] - kept)
    return Masked(_in_time(order[:, :kept], grid), _in_time(order[:, -asked:], grid))


def _in_time(places: Int[Tensor, "clips places"], grid: Grid) -> Int[Tensor, "clips tokens"]:
    """The same places of every slot, as places among all tokens."""
    ordered = repeat(places.sort(1).values, "b p -> b t p", t=grid.slots)
    slots = torch.arange(grid.slots, device=places.device)[:, None] * (grid.rows * grid.columns)
    return rearrange(ordered + slots, "b t p -> b (t p)")


def pick_tokens(tokens: Tensor, places: Int[Tensor, "clips places"]) -> Tensor:
    """Of (clips, tokens, dim), or (1, tokens, dim) for all alike, those at the places."""
    whole = tokens.expand(len(places), -1, -1)
    return whole.gather(1, repeat(places, "b p -> b p d", d=tokens.shape[-1]))
