"""A single video of answers: it tells nothing of noise, and must not tell that there is none."""

import numpy as np
import pytest
from score_tables import write

from analysis.findings.compare import compare_scales
from analysis.findings.findings import find
from analysis.statistics.effects import paired_effect
from analysis.statistics.item_scores import collect
from analysis.table.table import TableOptions, load_table


def test_one_video_leaves_the_noise_unknown(tmp_path):
    rng = np.random.default_rng(0)
    right = (rng.random((8, 40)) < 0.6).astype(float)
    items = collect(right, np.zeros(40, int), np.zeros(40, int), shape=(4, 2), unit=100.0)
    rows = ["design,scale,scale_size,seed,metric,score"]
    scores = right.mean(axis=1).reshape(4, 2) * 100
    rows += [f"d{i},{'sl'[j]},{j + 1},0,m,{scores[i, j]}" for i in range(4) for j in range(2)]
    table = load_table(write(tmp_path, "\n".join(rows) + "\n"), TableOptions())
    (pair,) = compare_scales(table, {"m": items})
    assert pair.noise is None
    assert find(table, {"m": items}).cell_errors == []


def test_an_effect_seen_in_one_video_only_has_no_interval():
    found = paired_effect(np.array([2.0]), influence=np.array([[0.5]]))
    assert (found.effect, found.ci) == (2.0, None)
    assert found.not_testable == "one context and neither seeds nor items"
    several = paired_effect(np.array([2.0, 4.0]), influence=np.array([[0.5], [0.1]]))
    assert several.error == ("contexts",)
    assert several.freedom == pytest.approx(1.0)
