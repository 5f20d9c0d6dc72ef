"""Earlier clips of a long video become averages of their likes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from apollo_core.connector.clip_merging import merge, remember, runs
from apollo_core.design import MemoryBank

MEMORY = MemoryBank(long=2, recent=2)


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def slow_merge(clips: Tensor, count: int) -> Tensor:
    """Pair by pair: cosine of the flattened averages, averages weighed by the clips they hold."""
    kept = [(1, clip.double()) for clip in clips]
    while len(kept) > count:
        alike = [
            torch.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()
            for (_, a), (_, b) in pairwise(kept)
        ]
        at = alike.index(max(alike))
        (m, a), (n, b) = kept[at : at + 2]
        kept[at : at + 2] = [(m + n, (m * a + n * b) / (m + n))]
    return torch.stack([mean for _, mean in kept])


def a_film(*scenes: int) -> Tensor:
    """Clips of distinct scenes, each so many clips long, all of one scene nearly alike."""
    pictures = torch.eye(len(scenes)) * 3
    frames = [
        picture for picture, length in zip(pictures, scenes, strict=True) for _ in range(length)
    ]
    clips = torch.stack(frames)[:, None].expand(-1, 2, -1)
    return clips + 0.01 * rand(*clips.shape)


@pytest.mark.parametrize("count", [1, 3, 8, 12])
def test_merging_equals_a_slow_reference(count):
    clips = rand(12, 3, 5) + 0.5
    merged = merge(clips, count)
    torch.testing.assert_close(merged.double(), slow_merge(clips, count), atol=1e-5, rtol=1e-5)


def test_what_stays_is_one_average_for_each_scene():
    film = a_film(4, 1, 3)
    expected = torch.stack([film[:4].mean(0), film[4], film[5:].mean(0)])
    torch.testing.assert_close(merge(film, 3), expected)


def test_ties_go_to_the_earliest():
    assert runs(np.eye(5), 3) == [3, 1, 1]
    assert runs(np.ones((5, 5)), 2) == [4, 1]
    rounded = np.ones((4, 4))
    rounded[2, 3] = rounded[3, 2] = 1 + 1e-7  # a rounding error more alike
    assert runs(rounded, 3) == [2, 1, 1]


def test_gradient_flows_through_the_averages():
    clips = a_film(3, 2).requires_grad_()
    weights = rand(2, 2, 2)
    (merge(clips, 2) * weights).sum().backward()
    assert clips.grad is not None
    expected = torch.cat([weights[:1].expand(3, -1, -1) / 3, weights[1:].expand(2, -1, -1) / 2])
    torch.testing.assert_close(clips.grad, expected)


def test_the_last_clips_stay_as_they_are_and_shorter_videos_altogether():
    tokens = rand(6 + 4 + 3, 2, 5)
    medium = torch.tensor([0] * 6 + [1] * 4 + [2] * 3)
    left = remember(tokens, MEMORY, medium=medium, still=torch.zeros(13, dtype=torch.bool))
    assert left.shape == (4 + 4 + 3, 2, 5)
    torch.testing.assert_close(left[:2], merge(tokens[:4], 2))
    assert torch.equal(left[2:], tokens[4:])


def test_pictures_are_never_merged():
    tokens = rand(6, 2, 5)
    still = torch.ones(6, dtype=torch.bool)
    for medium in (torch.arange(6), torch.zeros(6, dtype=torch.long)):
        assert torch.equal(remember(tokens, MEMORY, medium=medium, still=still), tokens)


def test_a_video_is_remembered_the_same_whatever_is_beside_it():
    tokens = rand(9, 2, 5)
    alone = remember(
        tokens[3:], MEMORY, medium=torch.zeros(6).long(), still=torch.zeros(6, dtype=torch.bool)
    )
    medium = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 1])
    beside = remember(tokens, MEMORY, medium=medium, still=torch.zeros(9, dtype=torch.bool))
    assert torch.equal(beside[3:], alone)
