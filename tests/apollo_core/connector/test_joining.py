"""Grids of several encoders become one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apollo_core.connector.grids import interpolate
from apollo_core.connector.joining import Join


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def test_grids_meet_at_the_largest_of_each_side_with_channels_in_order():
    join = Join([5, 7])
    tall, fine = rand(2, 4, 3, 3, 5), rand(2, 2, 6, 5, 7)
    joined = join([tall, fine])
    assert joined.shape == (2, 4, 6, 5, 12)
    torch.testing.assert_close(joined[..., :5], interpolate(join.norms[0](tall), (4, 6, 5)))
    torch.testing.assert_close(joined[..., 5:], interpolate(join.norms[1](fine), (4, 6, 5)))


def test_features_of_very_different_scale_weigh_the_same():
    joined = Join([16, 16])([1000 * rand(2, 2, 3, 3, 16) + 50, 0.2 * rand(2, 2, 3, 3, 16)])
    first, second = joined[..., :16], joined[..., 16:]
    assert first.std().item() == pytest.approx(second.std().item(), rel=0.02)
    assert first.mean().item() == pytest.approx(0, abs=1e-5)
