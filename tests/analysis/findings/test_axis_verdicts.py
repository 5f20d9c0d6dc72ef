"""Verdicts per axis and what pairs of scales rest on, on the paper's table and on seeds."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from score_tables import FOUR, HALF, ONE, OPTIONS, PAPER, SEVEN, write

from analysis.findings.axes import Matched, compare_axes
from analysis.findings.axis_verdicts import AxisVerdict, axis_interval, decided_pairs, judge_axes
from analysis.findings.compare import compare_scales
from analysis.findings.metric_noise import metric_noise
from analysis.table.table import ScoreTable, TableOptions, load_table


def verdicts(table: ScoreTable) -> dict[tuple[str, str, str], AxisVerdict]:
    (metric,) = table.metrics
    found = judge_axes(
        table,
        metric,
        compare_axes(table),
        compare_scales(table),
        metric_noise(table, metric, None),
    )
    return {(v.axis, v.small, v.large): v for v in found}


def test_in_the_paper_mixtures_transfer_and_configurations_do_not_show_it():
    found = verdicts(load_table(PAPER, OPTIONS))
    assert found["data_mixture", FOUR, SEVEN].verdict == "transfers"
    variant = found["variant", FOUR, SEVEN]
    assert variant.verdict == "transfers only in aggregate"
    assert (variant.evidence.pairs, variant.evidence.designs) == (63, 21)
    assert variant.evidence.accuracy == pytest.approx(0.714, abs=5e-4)
    assert found["variant", HALF, SEVEN].verdict == "undecidable"
    # From 1.5B to 4B configurations are ordered alike, but for a7 not surely enough.
    carried = found["variant", ONE, FOUR]
    assert carried.evidence.accuracy == pytest.approx(0.794, abs=5e-4)
    assert (carried.because, carried.evidence.weakest_level) == (
        "one level carries it",
        ("a7", pytest.approx(32 / 45)),
    )


def seeded(noise: float, effects: tuple[float, ...]) -> str:
    rng = np.random.default_rng(0)
    rows = ["design,scale,scale_size,seed,metric,score,a"]
    for size, scale in enumerate("sl", start=1):
        for i, effect in enumerate(effects):
            # The second scale turns the order of near levels round.
            true = effect if scale == "s" else effect + 0.3 * (-1) ** i
            level = str(i) if i else "base"
            rows += [
                f"d{i},{scale},{size},{seed},m,{50 + true + rng.normal(0, noise)},{level}"
                for seed in range(3)
            ]
    return "\n".join(rows) + "\n"


def test_differences_that_noise_explains_are_undecidable(tmp_path: Path):
    table = load_table(write(tmp_path, seeded(2.0, (0, 0.1, 0.2, 0.1, 0.15, 0.05))), TableOptions())
    (found,) = verdicts(table).values()
    assert (found.verdict, found.because) == ("undecidable", "noise may explain most differences")
    assert found.evidence.decidable == (0.0, 0.0)


def test_clear_levels_transfer(tmp_path: Path):
    table = load_table(write(tmp_path, seeded(0.1, (0, 2, 4, 6, 8, 10))), TableOptions())
    (found,) = verdicts(table).values()
    assert (found.verdict, found.evidence.decidable) == ("transfers", (1.0, 1.0))


def test_three_designs_that_agree_are_not_enough_and_six_are():
    three = axis_interval(Matched("s", "l", 3, 3, decision_accuracy=1.0, ci=(0.0, 1.0)))
    six = axis_interval(Matched("s", "l", 15, 6, decision_accuracy=1.0, ci=(0.3, 1.0)))
    assert three is not None
    assert six is not None
    assert three[0] < 0.5 < six[0]
    exact = stats.binomtest(6, 6).proportion_ci()
    assert six == pytest.approx((exact.low, exact.high))
    none = axis_interval(Matched("s", "l", 15, 6, decision_accuracy=0.0, ci=None))
    assert none == pytest.approx((0.0, 1 - exact.low))
    assert axis_interval(Matched("s", "l", 0, 0, None, None)) is None


def test_a_difference_without_noise_is_decided_by_being_there():
    none = np.zeros(0)
    decided = decided_pairs(np.array([0.0, 1.0]), np.zeros(2), np.ones(2))
    assert decided.tolist() == [False, True]
    assert decided_pairs(none, none, none).size == 0


def test_an_axis_of_noise_alone_never_reverses_though_chance_may_order_it_the_other_way(
    tmp_path: Path,
):
    rng, runs = np.random.default_rng(4), 3
    rows = ["design,scale,scale_size,seed,metric,score,a"]
    # Means fall at one scale as they rise at the other, by less than seeds differ.
    for size, scale in enumerate("sl", start=1):
        for i in range(6):
            spread = rng.permuted(np.array([-3.0, 0.0, 3.0]))
            mean = 50 + 0.3 * i * (1 if scale == "s" else -1)
            rows += [
                f"d{i},{scale},{size},{seed},m,{mean + spread[seed]},{i or 'base'}"
                for seed in range(runs)
            ]
    table = load_table(write(tmp_path, "\n".join(rows) + "\n"), TableOptions())
    (found,) = verdicts(table).values()
    assert found.evidence.accuracy == 0.0
    assert found.evidence.wrong_beyond_noise == 0
    assert (found.verdict, found.because) == (
        "undecidable",
        "ordered the other way, but noise explains every wrong pair",
    )


def test_levels_that_differ_by_rounding_tie(tmp_path: Path):
    text = "design,scale,scale_size,seed,metric,score,a\n" + "".join(
        f"{d},{scale},{size},{seed},m,{score},{d}\n"
        for size, scale in enumerate("sl", start=1)
        for d, scores in (("base", (0.1, 0.2, 0.3)), ("b", (0.3, 0.2, 0.1)), ("c", (0.2, 0.2, 0.5)))
        for seed, score in enumerate(scores if scale == "s" else (float(ord(d[0])),) * 3)
    )
    (axis,) = compare_axes(load_table(write(tmp_path, text), TableOptions()))
    assert axis.matched[0].decision_accuracy == pytest.approx((0.5 + 1 + 1) / 3)


def test_leaving_out_names_what_the_order_rests_on():
    found = {(p.small, p.large): p for p in compare_scales(load_table(PAPER, OPTIONS))}
    broken = found[FOUR, SEVEN].breakdown
    assert broken is not None
    last = broken.decisions
    assert last.designs.low is not None
    assert last.designs.high is not None
    assert last.designs.low < 0.9 < last.designs.high
    assert last.levels["variant"].lowest_without == "a7"
    assert last.axes.low is None  # no level of this table is called base
