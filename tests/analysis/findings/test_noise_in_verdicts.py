"""When noise weighs in a verdict, and what a reader is told where an interval is too narrow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from score_tables import OPTIONS, PAPER

from analysis.findings.findings import find
from analysis.findings.sentences import describe_pair
from analysis.table.table import ScoreTable, TableOptions, load_table


def _table(folder: Path, seeds: dict[int, int]) -> ScoreTable:
    """Fifteen designs at two scales that agree but for noise; design -> how many seeds it has."""
    rng = np.random.default_rng(0)
    rows = ["design,scale,scale_size,seed,metric,score"]
    for size, scale in enumerate("sl", start=1):
        for i, score in enumerate(np.linspace(30, 60, 15)):
            rows += [
                f"d{i:02},{scale},{size},{seed},m,{score + rng.normal(0, 0.3)}"
                for seed in range(seeds.get(i, 1))
            ]
    path = folder / "t.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return load_table(path, TableOptions())


@pytest.mark.parametrize("seeds", [{}, {0: 2}, {0: 3, 1: 2}, dict.fromkeys(range(15), 3)])
def test_a_seed_or_two_more_overturn_no_verdict_of_scales_that_agree(tmp_path, seeds):
    [pair] = find(_table(tmp_path, seeds)).pairs
    assert pair.verdict == "transfers"
    few = pair.noise is not None and (pair.noise.freedom_small or 0) < 10
    assert ("too few to weigh" in describe_pair(pair, unit="points", digits=2)) == few


def test_levels_that_score_alike_are_told_where_no_block_is_named():
    blind = replace(OPTIONS, blocks=())
    for options, warned in ((OPTIONS, False), (blind, True)):
        pairs = find(load_table(PAPER, options)).pairs
        said = [note for pair in pairs for note in pair.warnings if "no block is named" in note]
        assert bool(said) == warned
        assert all("--block data_mixture" in note for note in said if "data_mixture" in note)
