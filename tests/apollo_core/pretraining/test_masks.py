"""Which tokens are hidden: as many in every clip, the same in all of time, none seen and asked."""

from __future__ import annotations

import pytest
import torch

from apollo_core.encoders.positions import Grid
from apollo_core.pretraining.masks import blocks, pick_tokens, tubes

CPU = torch.device("cpu")
GRID = Grid(3, 4, 5)


@pytest.fixture(params=["tubes", "blocks"])
def masked(request):
    torch.manual_seed(3)
    if request.param == "tubes":
        return tubes(40, GRID, share=0.75, device=CPU)
    return blocks(40, GRID, count=3, share=0.2, device=CPU)


def test_no_token_is_both_seen_and_asked_for(masked):
    for kept, hidden in zip(masked.kept.tolist(), masked.hidden.tolist(), strict=True):
        assert kept
        assert hidden
        assert not set(kept) & set(hidden)
        assert set(kept) | set(hidden) <= set(range(60))


def test_what_is_hidden_is_hidden_in_every_slot(masked):
    for places in (masked.kept, masked.hidden):
        first, *later = (set(row) for row in (places[0] % 20).view(3, -1).tolist())
        assert all(slot == first for slot in later)


def test_clips_hide_different_places(masked):
    assert len({tuple(row) for row in masked.hidden.tolist()}) > 5


def test_tubes_hide_their_share():
    masked = tubes(2, GRID, share=0.75, device=CPU)
    assert masked.kept.shape == (2, 15)
    assert masked.hidden.shape == (2, 45)


def test_a_rectangle_hides_places_that_touch():
    torch.manual_seed(1)
    masked = blocks(1, Grid(1, 8, 8), count=1, share=0.25, device=CPU)
    rows, columns = masked.hidden[0] // 8, masked.hidden[0] % 8
    tall, wide = (int(x.max() - x.min()) + 1 for x in (rows, columns))
    assert tall * wide == len(masked.hidden[0])


def test_picking_tokens_takes_those_at_the_places():
    tokens = torch.arange(6.0).view(1, 3, 2)
    places = torch.tensor([[0, 2], [1, 1]])
    assert pick_tokens(tokens, places).tolist() == [[[0, 1], [4, 5]], [[2, 3], [2, 3]]]
