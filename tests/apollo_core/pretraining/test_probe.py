"""Linear probes: the very ridge regression, chosen on training rows, scored without favour."""

from __future__ import annotations

import numpy as np
import pytest

from apollo_core.pretraining.probe import STRENGTHS, fit, presence_accuracy, probe_accuracy


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_leave_one_out(x, y, strength):
    """Fit without each row in turn, on the scaled features of all."""
    errors = []
    for left_out in range(len(x)):
        rest = np.arange(len(x)) != left_out
        mean, centre = x[rest].mean(0), y[rest].mean(0)
        a = x[rest] - mean
        w = np.linalg.solve(a.T @ a + strength * np.eye(x.shape[1]), a.T @ (y[rest] - centre))
        errors.append(((x[left_out] - mean) @ w + centre - y[left_out]) ** 2)
    return np.mean(errors)


def test_the_strength_is_the_one_of_least_leave_one_out_error(rng):
    x = rng.normal(size=(30, 6))
    y = x[:, :2] + rng.normal(size=(30, 2))
    scaled = (x - x.mean(0)) / x.std(0)
    best = min(STRENGTHS, key=lambda strength: slow_leave_one_out(scaled, y, strength))
    centred = y - y.mean(0)
    wanted = np.linalg.solve(scaled.T @ scaled + best * np.eye(6), scaled.T @ centred)
    assert fit(x, y).weights == pytest.approx(wanted, abs=1e-6)


def test_what_lies_in_the_features_linearly_is_read_off(rng):
    x = rng.normal(size=(400, 8))
    answers = np.array(["a", "b", "c"])[x[:, :3].argmax(1)]
    assert probe_accuracy((x[:300], answers[:300]), (x[300:], answers[300:])) > 0.85


def test_what_does_not_lie_there_is_guessed(rng):
    x, answers = rng.normal(size=(2000, 8)), rng.integers(4, size=2000)
    found = probe_accuracy((x[:1000], answers[:1000]), (x[1000:], answers[1000:]))
    assert found == pytest.approx(0.25, abs=0.05)


def test_a_rare_class_weighs_as_much_as_a_frequent_one(rng):
    x = rng.normal(size=(1000, 3))
    answers = (np.arange(1000) % 10 == 0).astype(int)
    found = probe_accuracy((x[:500], answers[:500]), (x[500:], answers[500:]))
    assert found == pytest.approx(0.5, abs=0.05)


def test_presence_is_balanced_over_things_that_vary(rng):
    x = rng.normal(size=(600, 4))
    there = np.stack([x[:, 0] > 1.3, x[:, 1] > 0, np.ones(600, bool)], axis=1)
    assert presence_accuracy((x[:400], there[:400]), (x[400:], there[400:])) > 0.85
    drawn = rng.permutation(there)
    found = presence_accuracy((x[:400], drawn[:400]), (x[400:], drawn[400:]))
    assert found == pytest.approx(0.5, abs=0.1)
