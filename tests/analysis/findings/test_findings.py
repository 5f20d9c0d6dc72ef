"""Everything a report says, on tables as they come: ragged, tied, seeded, tiny."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from answers import simulate
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import OPTIONS, PAPER

from analysis.findings.findings import Findings, find
from analysis.findings.study_sentences import (
    describe_across,
    describe_axis,
    describe_interaction,
    describe_plan,
    describe_transfers,
)
from analysis.report import to_document
from analysis.statistics.item_scores import resample, scores_under
from analysis.table.table import ScoreTable, TableOptions, load_table

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


def test_items_give_single_runs_an_error_term_everywhere():
    designs, names = 6, ["base", "a=x", "a=y", "a=z", "b=u", "b=v"]
    _, items = simulate(np.random.default_rng(1), designs=designs, videos=120, skill=1.0)
    scores = scores_under(items, np.ones((1, items.n_clusters)))[0]
    # Item scores stand in the order of names, rows of the table in another.
    places = {name: place for place, name in enumerate(sorted(names))}
    rows = [
        f"{name},{scale},{size},0,m/v/overall,{scores[places[name], size]},{level('a', name)},"
        f"{level('b', name)}"
        for name in names
        for size, scale in enumerate("st")
    ]
    sized = [row.replace(",s,0,", ",s,1,").replace(",t,1,", ",t,2,") for row in rows]
    table = read(sized, TableOptions())
    found = find(table, {"m/v/overall": items})
    effects = {(e.level, e.scale): e for axis in found.effects for e in axis.effects}
    assert {e.error for e in effects.values()} == {("items",)}
    at_x = effects["x", "t"]
    assert at_x.effect == pytest.approx(scores[places["a=x"], 1] - scores[places["base"], 1])
    # The same by drawing videos anew.
    drawn = resample(items, np.random.default_rng(2), 4000)[:, :, 1]
    assert at_x.se == pytest.approx(
        (drawn[:, places["a=x"]] - drawn[:, places["base"]]).std(), rel=0.1
    )
    assert [analysis.source for analysis in found.interaction] == ["items"]
    verdicts = {verdict.axis: verdict for verdict in found.axis_verdicts}
    assert all(share is not None for share in verdicts["a"].evidence.decidable)
    assert {need.what for need in found.planning[0].needs} == {"designs", "items"}


def level(axis: str, design: str) -> str:
    name, _, own = design.partition("=")
    return own if name == axis else "base"
