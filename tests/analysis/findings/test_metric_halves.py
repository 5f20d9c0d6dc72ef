"""Held-out agreement over metrics, on tables where the truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from score_tables import write

from analysis.findings.metric_halves import halve_metrics
from analysis.table.table import ScoreTable, TableOptions, load_table


def table_of(folder: Path, scores: np.ndarray, **change: str) -> ScoreTable:
    """A wide table of scores of shape (designs, scales, metrics)."""
    names = [f"m{m}" for m in range(scores.shape[2])]
    lines = [
        f"d{d},{'sl'[s]},{','.join(f'{v:.6f}' for v in scores[d, s])}"
        for d in range(len(scores))
        for s in range(2)
    ]
    text = f"design,scale,{','.join(names)}\n" + "\n".join(lines) + "\n"
    for old, new in change.items():
        text = text.replace(old, new)
    options = TableOptions.parse(score=",".join(names), scale_order="s,l")
    return load_table(write(folder, text), options)


def test_designs_that_are_good_on_every_metric_stay_good_on_metrics_not_looked_at(tmp_path: Path):
    rng = np.random.default_rng(0)
    units = np.array([1.0, 100.0, 0.01, 5.0, 20.0, 3.0])
    good = rng.normal(size=(20, 1, 1)) + 0.2 * rng.normal(size=(20, 2, 6))
    (found,) = halve_metrics(table_of(tmp_path, good * units))
    assert (found.designs, found.held_out.of, found.held_out.parts) == (20, "metrics", 6)
    assert (found.held_out.r2 or 0.0) > 0.9


def test_losses_count_with_accuracies_and_do_not_cancel_them(tmp_path: Path):
    rng = np.random.default_rng(0)
    good = rng.normal(size=(20, 1, 1)) + 0.2 * rng.normal(size=(20, 2, 6))
    (whole,) = halve_metrics(table_of(tmp_path, good))
    losses = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    mixed = replace(table_of(tmp_path, good * losses), lower_is_better=("m1", "m3", "m5"))
    (found,) = halve_metrics(mixed)
    assert found.held_out.r2 == pytest.approx(whole.held_out.r2)


def test_designs_that_only_suit_single_metrics_agree_on_shared_ones_alone(tmp_path: Path):
    suits = np.repeat(np.random.default_rng(1).normal(size=(30, 1, 8)), 2, axis=1)
    (found,) = halve_metrics(table_of(tmp_path, suits))
    assert found.held_out.r2_shared == pytest.approx(1.0)
    assert (found.held_out.r2 or 1.0) < 0.2


def test_a_constant_metric_is_named_and_a_design_without_all_metrics_is_not_counted(
    tmp_path: Path,
):
    scores = np.random.default_rng(2).normal(size=(9, 2, 5))
    scores[:, 0, 2] = 1.0
    scores[0, 0, 0] = 0.5
    (found,) = halve_metrics(table_of(tmp_path, scores, **{"d0,s,0.500000": "d0,s,"}))
    assert (found.designs, found.left_out) == (8, ("m2",))
    assert halve_metrics(table_of(tmp_path, scores[:, :, :3])) == []
