"""A spike stands out of the losses before it."""

from __future__ import annotations

import numpy as np

from apollo_core.training.loss_spikes import LEAST, WINDOW, LossWatch


def test_a_loss_that_wobbles_has_hardly_a_spike_and_one_far_above_is_one():
    losses = 2 + 0.1 * np.random.default_rng(0).standard_normal(2000)
    watch = LossWatch()
    assert sum(watch.is_spike(loss) for loss in losses.tolist()) <= 2
    assert watch.is_spike(3.5)
    assert not watch.is_spike(0.1)


def test_a_falling_loss_is_no_spike():
    watch = LossWatch()
    assert not any(watch.is_spike(5 * 0.99**step) for step in range(300))


def test_the_first_losses_are_never_spikes():
    watch = LossWatch()
    found = [watch.is_spike(10.0**step) for step in range(LEAST)]
    assert not any(found)


def test_only_the_last_losses_are_remembered_and_carried_on():
    watch = LossWatch()
    for step in range(3 * WINDOW):
        watch.is_spike(float(step % 7))
    again = LossWatch(list(watch.recent))
    assert len(again.recent) == WINDOW
    rest = [9.0, 3.0, 60.0, 2.0]
    assert [watch.is_spike(loss) for loss in rest] == [again.is_spike(loss) for loss in rest]


def test_losses_without_a_spread_make_no_spike_of_the_next_digit():
    watch = LossWatch([1.0] * 20)
    assert [watch.is_spike(loss) for loss in (1.0001, 1.02, 1.05)] == [False, False, True]


def test_one_spike_does_not_hide_the_next():
    watch = LossWatch([2.0 + 0.01 * (step % 5) for step in range(WINDOW)])
    assert [watch.is_spike(9.0) for _ in range(5)] == [True] * 5


def seen(losses) -> LossWatch:
    watch = LossWatch()
    for loss in losses:
        watch.is_spike(float(loss))
    return watch


def test_a_loss_that_ends_far_above_where_it_began_is_lost():
    rising = np.concatenate([np.full(WINDOW, 2.0), np.linspace(2, 9, 200)])
    assert seen(rising).is_lost(2.0)
    assert not seen(rising).is_lost(5.0)


def test_neither_spikes_nor_a_short_stage_nor_one_that_learns_is_lost():
    wobbling = 2 + 0.3 * np.random.default_rng(0).standard_normal(500)
    wobbling[400:420] = 50.0
    assert not seen(wobbling).is_lost(1.5)
    assert not seen([2.0] * 10 + [9.0] * (WINDOW - 11)).is_lost(1.5)
    assert not seen(5 * 0.99 ** np.arange(500)).is_lost(1.5)


def test_where_a_stage_began_is_carried_on():
    watch = seen([2.0] * WINDOW + [9.0] * 5)
    again = LossWatch(watch.recent, watch.first)
    for _ in range(WINDOW):
        again.is_spike(9.0)
    assert again.is_lost(2.0)
