"""Everything a report says, on tables as they come: ragged, tied, seeded, tiny."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import OPTIONS, PAPER

from analysis.findings import Findings, find
from analysis.report import to_document
from analysis.study_sentences import (
    describe_across,
    describe_axis,
    describe_interaction,
    describe_plan,
    describe_transfers,
)
from analysis.table import ScoreTable, TableOptions, load_table

HEAD = "design,scale,scale_size,seed,metric,score,a,b"


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    """Rows of a one-factor or crossed table with gaps, ties and one to three seeds."""
    crossed, seeds = draw(st.booleans()), draw(st.integers(1, 3))
    a, b = (["base", *"xyz"[: draw(st.integers(0, 3))]] for _ in range(2))
    designs = [(i, j) for i in a for j in b if crossed or "base" in (i, j)]
    kept = st.integers(0, 9).map(lambda k: k > 0)
    values = st.integers(0, 6).map(lambda k: 40 + k / 2)
    return [
        f"{i}-{j},{scale},{size},{seed},m/v/overall,{draw(values)},{i},{j}"
        for i, j in designs
        for size, scale in enumerate("stu"[: draw(st.integers(1, 3))], start=1)
        for seed in range(seeds)
        if draw(kept)
    ]


def read(rows: list[str], options: TableOptions) -> ScoreTable:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
        return load_table(path, options)


@settings(max_examples=20, deadline=None)
@given(rows=tables().filter(bool), lower=st.booleans())
def test_any_table_gives_findings_that_are_json_and_sentences(rows: list[str], lower: bool):
    table = read(rows, TableOptions(lower_is_better=lower))
    found = find(table)
    json.dumps(to_document(table, found, {}, figures=[]), allow_nan=False)
    said = [describe_axis(verdict) for verdict in found.axis_verdicts]
    said += [line for across in found.across_scales for line in describe_across(across)]
    said += [describe_interaction(analysis) for analysis in found.interaction]
    said += [line for effects in found.effects for line in describe_transfers(effects)]
    said += [line for plan in found.planning for line in describe_plan(plan, "points", 2)]
    assert not any("None" in line or "nan" in line for line in said)


def test_the_order_of_rows_changes_no_finding():
    rows = PAPER.read_text(encoding="utf-8").splitlines()
    shuffled = [rows[0], *np.random.default_rng(0).permutation(rows[1:])]
    documents = []
    for lines in (rows, shuffled):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            found = find(load_table(path, OPTIONS))
        documents.append(found)
    first, second = documents
    assert [asdict(v) for v in first.across_scales] == [asdict(v) for v in second.across_scales]
    assert [asdict(v) for v in first.planning] == [asdict(v) for v in second.planning]

    def by_level(found: Findings) -> dict[tuple[str, str, str], tuple[float, float | None]]:
        return {
            (e.axis, e.level, e.scale): (e.effect, e.p_holm)
            for axis in found.effects
            for e in axis.effects
        }

    one, other = by_level(first), by_level(second)
    assert one.keys() == other.keys()
    for level, values in one.items():
        assert values == pytest.approx(other[level])
