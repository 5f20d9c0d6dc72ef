from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from typer.testing import CliRunner

from analysis.benchmarks.curation import CurationOptions, curate
from analysis.benchmarks.curation_files import write_curation
from analysis.benchmarks.item_traits import fit_2pl, fit_traits
from analysis.benchmarks.judging import calibration, judge, judge_rules, random_splits
from analysis.benchmarks.responses import ResponseColumns, Responses, read_responses
from analysis.benchmarks.selection_rules import RULES
from analysis.errors import TableError
from apollo_core.errors import BadInput
from orchestrator.cli import app

SAMPLE = Path(__file__).parents[2] / "data" / "mmlupro_1500_items_28_models.csv.gz"


def answers(items: int = 600, models: int = 20, *, seed: int = 0, useful: float = 0.5) -> Responses:
    """Simulated models of known ability; only a share of the items depend on ability at all."""
    rng = np.random.default_rng(seed)
    ability = np.linspace(-1.5, 1.5, models)
    slope = np.where(rng.random(items) < useful, 2.0, 0.0)
    p = expit(slope[:, None] * ability + rng.normal(0, 0.7, items)[:, None])
    return Responses(
        items=tuple(f"q{place}" for place in range(items)),
        categories=np.array(["seeing", "reading", "counting"])[rng.integers(3, size=items)],
        models=tuple(f"m{place}" for place in range(models)),
        scales=("",) * models,
        right=(rng.random((items, models)) < p).astype(float),
        seconds=rng.uniform(1, 5, items),
        guess=np.full(items, 0.25),
    )


def wide(tmp_path: Path, change=lambda table: table) -> Path:
    found = answers(120, 8)
    table = pd.DataFrame(found.right.astype(int), columns=list(found.models)).astype(object)
    table.insert(0, "item", found.items)
    table.insert(1, "category", found.categories)
    table = change(table)
    table.to_csv(tmp_path / "wide.csv", index=False)
    return tmp_path / "wide.csv"


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(RULES)),
    st.integers(0, 2**32 - 1),
    st.floats(1.2, 60),
    st.integers(3, 90),
)
def test_every_rule_chooses_items_once_within_its_seconds(rule, seed, cheaper, size):
    whole = answers(size, 6, seed=seed)
    category = np.unique(whole.categories, return_inverse=True)[1].astype(np.intp)
    traits = fit_traits(whole.right, category, whole.seconds)
    budget = float(whole.seconds.sum()) / cheaper
    chosen = RULES[rule](traits, budget, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == len(chosen)
    assert whole.seconds[chosen].sum() <= budget * (1 + 1e-9)
    # What is left does not pay an item of the middle price more than a few times.
    if budget > 40:
        assert whole.seconds[chosen].sum() > 0.6 * budget


def test_spread_finds_items_that_tell_models_apart_and_beats_random_where_half_tell_nothing():
    whole = answers(1200, 40)
    splits = {"random": list(random_splits(40, fit=12, splits=10, seed=1))}
    rows = judge_rules(whole, splits, [30.0], rules=("random", "spread"), draws=2)
    spread = next(row for row in rows if row.rule == "spread")
    for measure in ("r2", "close_pairs"):
        gain, error = spread.gain[measure], spread.gain_error[measure]
        assert gain is not None
        assert error is not None
        # Of so few splits' pairs in doubt the error is large; their mean gain is 4 points or so.
        assert gain > (2 if measure == "r2" else 1) * error


def test_spread_keeps_the_mixture_of_categories():
    whole = answers(3000, 12)
    found = curate(whole, CurationOptions(cheaper=20, splits=2, draws=1, costs=(20.0,)))
    for _, size, taken in found.balance:
        assert taken / len(found.benchmark.items) == pytest.approx(size / 3000, abs=0.05)


def test_the_2pl_recovers_known_slopes_from_many_models_and_shrinks_them_from_few():
    rng = np.random.default_rng(3)
    slope, level = rng.uniform(0.5, 2.5, 400), rng.normal(0, 0.5, 400)
    spreads = []
    for models in (300, 8):
        ability = rng.normal(0, 1, models)
        p = expit(slope[:, None] * ability + level[:, None])
        a, d = fit_2pl((rng.random(p.shape) < p).astype(float))
        spreads.append(a.std())
        if models == 300:
            assert np.corrcoef(a, slope)[0, 1] > 0.9
            assert np.corrcoef(d, level)[0, 1] > 0.9
    assert spreads[1] < 0.75 * spreads[0]


def test_judging_counts_close_pairs_with_ties_as_half_and_calibrates_with_the_line():
    full = np.array([0.50, 0.52, 0.54, 0.80])
    subset = np.array([0.4, 0.4, 0.5, 0.7])
    r2, close, tau, level = judge(subset, full, (0.1, 1.0))
    assert r2 == pytest.approx(np.corrcoef(subset, full)[0, 1] ** 2)
    assert close == pytest.approx((0.5 + 1 + 1) / 3)
    assert tau == pytest.approx(5 / np.sqrt(5 * 6))
    assert level == pytest.approx(np.abs(subset + 0.1 - full).mean())


def test_calibration_finds_full_scores_from_hard_items_of_models_that_did_not_choose():
    whole = answers(3000, 40, seed=2)
    (split,) = random_splits(40, fit=12, splits=1, seed=0)
    category = np.zeros(3000, dtype=np.intp)
    traits = fit_traits(whole.right[:, split.fit], category, whole.seconds)
    chosen = np.argsort(traits.difficulty)[:600]
    intercept, slope = calibration(traits, chosen)
    held = whole.right[:, split.judged]
    level, raw = held.mean(axis=0), held[chosen].mean(axis=0)
    error = np.abs(intercept + slope * raw - level).mean()
    assert error < np.abs(raw - level).mean() / 2


def test_a_wide_and_a_long_table_of_the_same_answers_read_the_same(tmp_path):
    path = wide(tmp_path)
    first = read_responses(path, ResponseColumns())
    table = pd.read_csv(path).melt(["item", "category"], var_name="design", value_name="correct")
    table.to_csv(tmp_path / "long.csv", index=False)
    second = read_responses(tmp_path / "long.csv", ResponseColumns())
    assert first.items == second.items
    assert first.models == second.models
    np.testing.assert_array_equal(first.right, second.right)
    np.testing.assert_array_equal(first.categories, second.categories)


def test_items_solved_as_text_are_left_out_of_the_benchmark(tmp_path):
    rng = np.random.default_rng(5)
    rows = [
        {"design": f"m{m}", "scale": "s", "regime": regime, "item": item, "n_options": 4}
        | {"category": "a", "correct": int(rng.random() < p)}
        for m in range(10)
        for item in range(100)
        for regime, p in (("video", 0.3 + m / 20), ("text", 0.97 if item < 30 else 0.25))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
    read = read_responses(tmp_path / "items.csv", ResponseColumns())
    options = CurationOptions(cheaper=3, splits=2, draws=1, costs=(3.0,))
    found = curate(read, options)
    assert 25 <= found.blind[0].solvable <= 31
    solved = np.array(read.items)[found.blind[0].items.solvable]
    assert not set(solved.tolist()) & set(found.benchmark.items)


@pytest.mark.parametrize(
    ("change", "columns", "told"),
    [
        (lambda t: t.rename(columns={"item": "thing"}), ResponseColumns(), "--item"),
        (lambda t: t, ResponseColumns(category="topic"), "topic"),
        (lambda t: t.assign(m3=["2"] + ["1"] * (len(t) - 1)), ResponseColumns(), "row 2: 'm3'"),
        (lambda t: t[["item", "category", "m0"]], ResponseColumns(), "1 model"),
        (lambda t: pd.concat([t, t.iloc[:1]]), ResponseColumns(), "rows 2 and 122.*twice"),
        (lambda t: t.assign(s=0), ResponseColumns(seconds="s"), "above 0"),
        (lambda t: t.assign(g=1.5), ResponseColumns(guess="g"), "between 0 and 1"),
        (lambda t: t.iloc[:5], ResponseColumns(), "5 items"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_place_and_the_remedy(
    tmp_path, change, columns, told
):
    with pytest.raises(TableError, match=told):
        read_responses(wide(tmp_path, change), columns)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: pd.concat([t, t.iloc[:1]]), "same answer twice"),
        (lambda t: t.assign(category=["b", *t["category"][1:]]), "two categories"),
        (lambda t: t.assign(design=["", *t["design"][1:]]), "design is empty"),
        (lambda t: t.assign(regime="text"), "--regime"),
        (lambda t: t.assign(n_options=1), "n_options is 2 or more"),
    ],
)
def test_a_long_table_that_contradicts_itself_is_refused(tmp_path, change, told):
    rows = [
        {"design": f"m{m}", "item": f"q{item}", "category": "a", "correct": (m + item) % 2}
        for m in range(6)
        for item in range(30)
    ]
    change(pd.DataFrame(rows)).to_csv(tmp_path / "long.csv", index=False)
    with pytest.raises(TableError, match=told):
        read_responses(tmp_path / "long.csv", ResponseColumns())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (CurationOptions(budget=1e6), "nothing to choose"),
        (CurationOptions(budget=0.1), "pays no item"),
        (CurationOptions(rule="luck"), "Known: random"),
        (CurationOptions(fit=19), "3 to 17"),
        (CurationOptions(cheaper=0.5), "above 1"),
        (CurationOptions(cheaper=float("nan")), "above 1"),
        (CurationOptions(budget=float("nan")), "pays no item"),
        (CurationOptions(costs=(0.0, 5.0)), "--costs: 0"),
        (CurationOptions(seed=-1), "--seed"),
        (CurationOptions(costs=(400.0,)), "--costs"),
    ],
)
def test_an_option_that_cannot_be_met_is_refused(options, told):
    with pytest.raises(TableError, match=told):
        curate(answers(), options)


def test_the_same_answers_give_the_same_benchmark_and_other_items_another_version():
    options = CurationOptions(cheaper=10, splits=2, draws=1, costs=(10.0,))
    first, again = (curate(answers(), options).benchmark for _ in range(2))
    assert first == again
    assert curate(answers(seed=1), options).benchmark.version != first.version


def test_an_unanswered_item_is_left_out_and_told(tmp_path):
    read = read_responses(
        wide(tmp_path, lambda t: t.assign(m2=[""] + ["1"] * (len(t) - 1))), ResponseColumns()
    )
    assert len(read.items) == 119
    assert "1 of 120" in read.warnings[0]


def test_the_command_writes_a_benchmark_with_a_version_and_a_page_that_needs_no_network(tmp_path):
    command = ["curate", "--responses", str(SAMPLE), "--out"]
    few = ["--splits", "3", "--draws", "1", "--costs", "5,30", "--cheaper", "15"]
    result = CliRunner().invoke(app, [*command, str(tmp_path / "one"), *few])
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"benchmark.csv", "benchmark.json", "evidence.json", "curation.html"} <= names
    first = json.loads((tmp_path / "one" / "benchmark.json").read_text())
    assert re.fullmatch("[0-9a-f]{12}", first["version"])
    assert len(pd.read_csv(tmp_path / "one" / "benchmark.csv")) == len(first["items"]) <= 100
    page = (tmp_path / "one" / "curation.html").read_text()
    assert first["version"] in page
    assert not re.search(r"<script|src=|@import|https?://(?!www\.w3\.org)", page)


def test_the_command_refuses_a_table_of_one_model_with_a_message_for_people(tmp_path):
    path = wide(tmp_path, lambda t: t[["item", "category", "m0"]])
    result = CliRunner().invoke(
        app, ["curate", "--responses", str(path), "--out", str(tmp_path / "o")]
    )
    assert isinstance(result.exception, BadInput)
    assert "1 model" in str(result.exception)
    assert not (tmp_path / "o").exists()


def test_figures_of_an_earlier_benchmark_in_the_folder_are_replaced_and_other_files_are_left(
    tmp_path,
):
    whole, options = answers(), CurationOptions(splits=2, draws=1, costs=(5.0,), cheaper=5)
    found = curate(whole, options)
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").write_text("old")
    (tmp_path / "evidence.json").write_text('{"figures": ["figures/old.png"]}')
    page = write_curation(whole, found, options, tmp_path, provenance={"source": "<b>"})
    assert "&lt;b&gt;" in page.read_text()
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert len(list((tmp_path / "figures").glob("*.png"))) == 4
    with pytest.raises(TableError, match="give a folder"):
        write_curation(whole, found, options, tmp_path / "mine.txt", provenance={})


def test_models_that_all_have_one_score_are_said_to_tell_nothing(tmp_path: Path):
    whole = answers(60, 8)
    same = dataclasses.replace(whole, right=np.repeat(whole.right[:, :1], 8, axis=1))
    found = curate(same, CurationOptions(splits=2, draws=1, costs=(2.0,), cheaper=2.5))
    assert "all 8 models have the same score" in found.warnings[-1]
    page = write_curation(same, found, CurationOptions(), tmp_path / "o", provenance={})
    assert "the same score" in page.read_text()


def test_the_page_counts_the_items_that_were_chosen_from_and_those_left_out(tmp_path: Path):
    whole = answers(60, 8)
    seen = np.zeros((60, 8))
    seen[:20] = 1.0
    blind = dataclasses.replace(whole, blind={"text": seen})
    options = CurationOptions(splits=2, draws=1, costs=(2.5,), cheaper=2.5)
    page = write_curation(blind, curate(blind, options), options, tmp_path / "o", provenance={})
    assert " of 40 items" in page.read_text()
    assert "20 more are solved without video and left out" in page.read_text()
    assert "2.5× cheaper" in page.read_text()
