"""Decision accuracy with parts left out, against computing it anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from score_arrays import two_scales

from analysis.statistics.agreement import decision_accuracy
from analysis.statistics.robustness import decision_accuracy_without, decision_range
from analysis.statistics.scores import Scores


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_leaving_out_is_computing_anew(scales: tuple[Scores, Scores]):
    small, large = scales
    groups = {str(i): np.arange(small.size) % 3 == i for i in range(3)}
    for name, value in decision_accuracy_without(small, large, groups).items():
        kept = ~groups[name]
        expected = decision_accuracy(small[kept], large[kept])
        assert value == (None if expected is None else pytest.approx(expected))


def test_the_design_that_carries_the_order_is_named():
    small, large = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.0, 3.0, 2.0, 1.0])
    single = {str(i): np.arange(4) == i for i in range(4)}
    found = decision_range(small, large, single)
    assert (found.low, found.lowest_without) == (0.5, "0")
    empty = decision_range(small[:1], large[:1], {"0": np.array([True])})
    assert (empty.low, empty.high) == (None, None)
    assert decision_range(small, large, {}).low is None
