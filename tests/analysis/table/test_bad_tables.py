"""Tables as they should not be: a clear message with its row, or a correct report."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import write

from analysis.errors import TableError
from analysis.findings.compare import compare_scales, draws_for
from analysis.findings.findings import find
from analysis.findings.pair import Pair
from analysis.report import report_on_file
from analysis.table.known_chance import known_chance
from analysis.table.table import TableOptions, load_table

HEADER = "design,scale,seed,metric,score,mixture\n"
Row = tuple[str, str, int, float, str]


def rows_of(n: int, seed: int = 0) -> list[Row]:
    """n designs in two blocks, two scales, two seeds."""
    rng = np.random.default_rng(seed)
    return [
        (f"d{design}", scale, run, round(50 + 3 * good + rng.normal(), 2), "ab"[design % 2])
        for design, good in enumerate(rng.normal(size=n))
        for scale in ("s", "l")
        for run in (0, 1)
    ]


def text_of(rows: list[Row]) -> str:
    lines = [f"{d},{scale},{seed},m,{score},{block}" for d, scale, seed, score, block in rows]
    return HEADER + "\n".join(lines) + "\n"


def pair_of(folder: Path, rows: list[Row], **options: str) -> Pair:
    parsed = TableOptions.parse(scale_order="s,l", block="mixture", **options)  # pyright: ignore[reportArgumentType]
    (pair,) = compare_scales(load_table(write(folder, text_of(rows)), parsed))
    return pair


def test_the_order_of_rows_changes_no_number(tmp_path: Path):
    rows = rows_of(8)
    mixed = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    first, second = (pair_of(tmp_path, order) for order in (rows, mixed))
    assert first.r2 == pytest.approx(second.r2)
    assert first.resampling.plain.keys() == second.resampling.plain.keys()
    for name, interval in first.resampling.plain.items():
        assert interval == pytest.approx(second.resampling.plain[name], abs=1e-9)
    assert first.resampling.crossed["mixture"]["r2"] == pytest.approx(
        second.resampling.crossed["mixture"]["r2"], abs=1e-9
    )
    assert first.noise is not None
    assert second.noise is not None
    assert first.noise.decidable_small == second.noise.decidable_small


@settings(max_examples=8, deadline=None)
@given(gain=st.sampled_from([0.01, 2.0]), shift=st.integers(-50, 50))
def test_the_units_of_a_scale_change_no_interval_of_agreement(
    tmp_path_factory: pytest.TempPathFactory, gain: float, shift: int
):
    folder = tmp_path_factory.mktemp("units")
    rows = rows_of(7, seed=2)
    moved = [
        (d, scale, seed, gain * score + shift if scale == "s" else score, block)
        for d, scale, seed, score, block in rows
    ]
    first, second = pair_of(folder, rows), pair_of(folder, moved)
    for name in ("r2", "spearman", "decision_accuracy"):
        for kind in ("designs", "seeds", "all"):
            a, b = (pair.resampling.parts[kind][name].ci for pair in (first, second))
            assert a == pytest.approx(b, abs=1e-6)
    assert first.noise is not None
    assert second.noise is not None
    assert first.noise.reliability_small == pytest.approx(second.noise.reliability_small)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_designs_give_a_report_that_says_how_few(tmp_path: Path, n: int):
    path = write(tmp_path, text_of(rows_of(n)))
    options = TableOptions.parse(scale_order="s,l", block="mixture")
    report = report_on_file(path, options, tmp_path / "out")
    text = report.paths.json.read_text(encoding="utf-8")
    assert "NaN" not in text
    (pair,) = json.loads(text)["pairs"]
    assert any(f"only {n} designs" in warning for warning in pair["warnings"])
    assert (pair["resampling"]["draws"] == 0) == (n < 4)


def test_equal_scores_everywhere_are_named_and_give_no_interval(tmp_path: Path):
    rows: list[Row] = [(d, scale, seed, 5.0, block) for d, scale, seed, _, block in rows_of(6)]
    pair = pair_of(tmp_path, rows)
    assert pair.r2 is pair.resampling.plain["r2"] is pair.resampling.believe is None
    assert pair.decision_accuracy == 0.5
    assert sum("same score at" in warning for warning in pair.warnings) == 2


def test_a_metric_all_empty_leaves_the_others_whole(tmp_path: Path):
    text = text_of(rows_of(5)) + "".join(f"d{i},s,0,empty,,a\n" for i in range(5) if not i % 2)
    table = load_table(write(tmp_path, text), TableOptions.parse(scale_order="s,l"))
    assert [pair.metric for pair in compare_scales(table)] == ["m"]
    assert any("empty: no design has a score" in note for note in table.warnings)


def test_an_id_in_every_row_is_not_taken_for_a_design(tmp_path: Path):
    rows: list[Row] = [(f"run{i}", "sl"[i % 2], 0, 1.0, "a") for i in range(2_500)]
    with pytest.raises(TableError, match=r"2,500 designs; .*Does --design name"):
        load_table(write(tmp_path, text_of(rows)), TableOptions())


@pytest.mark.parametrize("score", [1e200, -1e31, 1e-200])
def test_scores_that_no_square_can_hold_are_refused_with_their_row(tmp_path: Path, score: float):
    rows = [*rows_of(4), ("d9", "s", 0, score, "a")]
    with pytest.raises(TableError, match=r"row 18: the score .* give the metric in another unit"):
        load_table(write(tmp_path, text_of(rows)), TableOptions.parse(scale_order="s,l"))


def test_one_design_with_seeds_makes_a_report_of_its_noise(tmp_path: Path):
    table = load_table(write(tmp_path, text_of(rows_of(1))), TableOptions.parse(scale_order="s,l"))
    (pair,) = find(table).pairs
    assert (pair.n, pair.verdict) == (1, "undecidable")


def test_a_tie_band_of_the_user_counts_close_scores_as_ties(tmp_path: Path):
    rows: list[Row] = [
        (d, scale, 0, score, "a")
        for d, small, large in (("a", 1.0, 1.0), ("b", 1.4, 0.8), ("c", 9.0, 9.0))
        for scale, score in (("s", small), ("l", large))
    ]
    options = TableOptions.parse(scale_order="s,l", tie_band=0.5)
    (pair,) = compare_scales(load_table(write(tmp_path, text_of(rows)), options))
    assert pair.decision_accuracy == pytest.approx(2 / 3)
    assert (pair.tie_band, pair.decision_accuracy_banded) == (0.5, pytest.approx(2.5 / 3))
    with pytest.raises(TableError, match="--tie-band: -1"):
        TableOptions.parse(tie_band=-1.0)


def test_big_tables_get_fewer_resamples_and_small_ones_all():
    assert draws_for(6, 21) == 10_000
    assert draws_for(600, 21) < 10_000
    assert draws_for(6, 2_000) == 400


def test_well_known_benchmarks_have_a_chance_level_in_the_scores_own_unit():
    assert known_chance("mmlu", np.array([0.24, 0.5])) == 0.25
    assert known_chance("MMLU", np.array([24.0, 50.0])) == 25.0
    assert known_chance("mmlu", np.array([-0.1, 0.5])) is None
    assert known_chance("Core", np.array([0.24])) is None


@pytest.mark.slow
def test_a_million_rows_become_a_report(tmp_path: Path):
    rng = np.random.default_rng(0)
    good = rng.normal(size=20)
    scores = good[:, None, None] + rng.normal(size=(20, 2, 25_000))
    with (tmp_path / "scores.csv").open("w") as file:
        file.write("design,scale,seed,metric,score\n")
        for design in range(20):
            for scale in range(2):
                values = scores[design, scale]
                file.writelines(
                    f"d{design},{'sl'[scale]},{seed},m,{value:.4f}\n"
                    for seed, value in enumerate(values)
                )
    options = TableOptions.parse(scale_order="s,l")
    report = report_on_file(tmp_path / "scores.csv", options, tmp_path / "out")
    (pair,) = json.loads(report.paths.json.read_text(encoding="utf-8"))["pairs"]
    assert pair["n"] == 20
    assert pair["r2"] == pytest.approx(1.0, abs=0.01)
    assert pair["noise"]["reliability_small"] == pytest.approx(1.0, abs=0.01)
