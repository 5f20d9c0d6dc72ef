"""The tracking benchmark in small: what it counts, and that batches beat single requests by far."""

import pytest
from tracking_scale import Shape, Ticks, lines, measure

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_batches_cost_a_small_part_of_single_requests():
    shape = Shape(replicates=2, metrics=4, points=20)
    assert shape.points_of_a_replicate == 240
    costs = measure(shape, one_by_one_of=1)
    ours, theirs = costs["one writer, log_batch"], costs["a request a metric"]
    # Processor time: other tests run meanwhile.
    assert ours.cpu < theirs.cpu / 4
    head, _, *rows = lines(shape, costs)
    assert head.startswith("2 replicates x 3 stages x 4 metrics x 20 steps")
    assert len(rows) == 2


def test_lateness_is_measured_beside_the_writer():
    with Ticks() as ticks:
        sum(range(200_000))
    assert ticks.late_ms() >= 0
