"""Held-out agreement: what items that suit a design by chance add to the usual R²."""

from pathlib import Path

import numpy as np
import pytest
from score_tables import write

from analysis.findings.compare import compare_scales
from analysis.statistics import held_out as h
from analysis.statistics.item_scores import collect
from analysis.table.table import TableOptions, load_table


def test_halves_part_the_parts():
    found = h.halves(np.random.default_rng(0), 7, 50)
    np.testing.assert_array_equal(found.sum(axis=1), 3)
    assert 0.3 < found.mean(axis=0).min() < found.mean(axis=0).max() < 0.6


def test_designs_that_differ_only_by_luck_on_shared_items_agree_only_on_those():
    # Every design is equally good, but its luck on an item is the same at both scales.
    rng = np.random.default_rng(1)
    luck = rng.integers(0, 2, (20, 300)).astype(float)
    right = np.repeat(luck, 2, axis=0)
    items = collect(right, np.arange(300), np.zeros(300, int), shape=(20, 2), unit=100.0)
    first, second = h.item_halves(items, np.random.default_rng(2))
    found = h.held_out(
        (first[..., 0], second[..., 0]), (first[..., 1], second[..., 1]), of="videos", parts=300
    )
    assert found.r2_shared == pytest.approx(1.0)
    assert found.r2 is not None
    assert found.r2 < 0.15
    assert found.decision_accuracy == pytest.approx(0.5, abs=0.1)


def test_held_out_r2_equals_a_slow_mean_over_splits():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(8, 2, 5))
    first, second = h.part_halves(scores, np.random.default_rng(4), splits=30)
    marks = h.halves(np.random.default_rng(4), 5, 30).astype(bool)
    slow = []
    for mark in marks:
        s = scores[:, 0][:, mark].mean(axis=1), scores[:, 0][:, ~mark].mean(axis=1)
        t = scores[:, 1][:, mark].mean(axis=1), scores[:, 1][:, ~mark].mean(axis=1)
        slow += [np.corrcoef(s[0], t[1])[0, 1] ** 2, np.corrcoef(s[1], t[0])[0, 1] ** 2]
    found = h.held_out(
        (first[..., 0], second[..., 0]), (first[..., 1], second[..., 1]), of="categories", parts=5
    )
    assert found.r2 == pytest.approx(np.mean(slow))
    assert found.splits == 30


def test_constant_scores_have_no_held_out_agreement():
    ones = np.ones((4, 3))
    found = h.held_out((ones, ones), (ones, ones), of="videos", parts=9)
    assert (found.r2, found.sd, found.splits) == (None, None, 0)
    assert found.decision_accuracy == 0.5


def test_a_score_table_of_four_categories_is_halved_by_category(tmp_path: Path):
    rng = np.random.default_rng(5)
    lines = ["design,scale,scale_size,metric,score"]
    for design, good in enumerate(rng.normal(size=9)):
        for size, scale in enumerate(("s", "l"), start=1):
            parts = 50 + 5 * good + rng.normal(size=4)
            lines += [f"d{design},{scale},{size},b/video/c{i},{p}" for i, p in enumerate(parts)]
            lines.append(f"d{design},{scale},{size},b/video/overall,{parts.mean()}")
    table = load_table(write(tmp_path, "\n".join(lines) + "\n"), TableOptions())
    pairs = {pair.metric: pair for pair in compare_scales(table)}
    found = pairs["b/video/overall"].held_out
    assert found is not None
    assert (found.of, found.parts, found.splits) == ("categories", 4, h.SPLITS)
    assert 0.5 < (found.r2 or 0.0) < (pairs["b/video/overall"].r2 or 0.0)
    assert pairs["b/video/c0"].held_out is None
