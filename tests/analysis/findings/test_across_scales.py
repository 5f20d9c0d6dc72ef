"""All scales together, the interaction and planning, on the paper's table, DCLM's and answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from score_tables import DCLM, FOUR, HALF, ONE, PAPER, SCALES, SEVEN, write

from analysis.findings.across_scales import AcrossScales, look_across, lower_bound
from analysis.findings.compare import compare_scales
from analysis.findings.metric_noise import metric_noise
from analysis.findings.pair import Pair
from analysis.findings.planning import plan_study
from analysis.findings.scale_interaction import analyse_interaction
from analysis.statistics.item_scores import collect, scores_under
from analysis.table.table import ScoreTable, TableOptions, load_table

SIZED = TableOptions.parse(
    design="variant,data_mixture",
    scale="llm",
    score="average",
    block="data_mixture",
    scale_size=",".join(f"{s}={b}" for s, b in zip(SCALES, (0.5, 1.5, 4, 7), strict=True)),
)


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return load_table(PAPER, SIZED)


@pytest.fixture(scope="module")
def pairs(table: ScoreTable) -> Sequence[Pair]:
    return compare_scales(table)


@pytest.fixture(scope="module")
def across(table: ScoreTable, pairs: Sequence[Pair]) -> AcrossScales:
    return look_across(table, "average", pairs, seed=0)


def test_the_papers_fit_on_size_is_found_and_its_freedom_said(across: AcrossScales):
    assert across.trend is not None
    assert (across.trend.slope, across.trend.intercept) == pytest.approx((0.12, 0.78), abs=0.005)
    assert across.trend.caution == "3 points, 1 degree of freedom"
    assert across.trend.slope_ci is not None
    assert across.trend.slope_ci[0] < 0.12 < across.trend.slope_ci[1]


def test_all_four_scales_agree_by_kendalls_w(across: AcrossScales, table: ScoreTable):
    assert across.concordance is not None
    assert (across.concordance.scales, across.concordance.n) == (4, 21)
    ranks = table.grid("average").rank()
    rho = ranks.corr().to_numpy()[np.triu_indices(4, 1)].mean()
    assert across.concordance.w == pytest.approx((3 * rho + 1) / 4, abs=1e-3)


def test_no_proxy_of_the_paper_is_surely_enough_overall_or_within_mixtures_without_a7(
    across: AcrossScales, pairs: Sequence[Pair]
):
    enough = {found.criterion: found for found in across.enough}
    assert enough["decision_accuracy"].proxy is None
    assert enough["r2_within"].proxy is None
    assert enough["r2_within"].bounds[FOUR] == pytest.approx(0.446, abs=5e-4)
    assert list(enough["r2"].bounds) == [HALF, ONE, FOUR]
    last = next(p for p in pairs if (p.small, p.large) == (FOUR, SEVEN))
    assert lower_bound(last, "r2") == pytest.approx(0.393, abs=0.05)


def test_a_bigger_proxy_is_compared_on_the_same_designs(across: AcrossScales):
    by_names = {(t.small, t.big): t for t in across.better}
    last = by_names[ONE, FOUR]
    assert (last.n, last.r_big**2) == (21, pytest.approx(0.938, abs=1e-3))
    assert last.p is not None
    assert all(p is not None and q is not None and p >= q for p, q in
               zip(across.better_p_holm, [t.p for t in across.better], strict=True))  # fmt: skip


def test_single_runs_without_items_leave_the_interaction_untested(table: ScoreTable):
    (found,) = analyse_interaction(table, "average", None, seed=0)
    assert found.not_testable == "neither seeds nor items give an error term"
    assert found.rows == ()


def test_dclms_few_replicates_test_the_interaction_by_seeds():
    options = TableOptions.parse(design="dataset", scale="size", score="Core", seed="seed")
    dclm = load_table(DCLM, options)
    (found,) = analyse_interaction(dclm, "Core", None, seed=0)
    assert found.source == "seeds"
    assert [row.error_freedom for row in found.rows] == [5, 5, 5]
    assert found.rows[0].p is not None
    assert found.rows[0].p < 0.001


def test_items_test_the_interaction_where_seeds_are_single(table: ScoreTable):
    rng = np.random.default_rng(0)
    right = (rng.random((84, 300)) < rng.uniform(0.3, 0.7, (84, 1))).astype(float)
    items = collect(right, np.arange(300), np.zeros(300, int), shape=(21, 4), unit=100.0)
    (found,) = analyse_interaction(table, "average", items, seed=0)
    assert (found.source, found.designs) == ("items", 21)
    assert found.rows[2].freedom == 60
    assert found.rows[2].p is not None
    assert found.rows[2].p < 1e-6


def test_planning_names_designs_and_says_what_a_subset_loses(
    table: ScoreTable, pairs: Sequence[Pair]
):
    noise = metric_noise(table, "average", None)
    plan = plan_study(table, "average", pairs, noise, None, seed=0)
    assert {need.what for need in plan.needs} == {"designs"}
    # Mixtures and configurations redrawn, R² is .39 to .99: five times as wide as Fisher's.
    wide, close = (
        next(n for n in plan.needs if FOUR in n.of and n.half_width == width)
        for width in (0.2, 0.05)
    )
    assert wide.now == 21
    assert wide.half_width_now == pytest.approx((0.99 - 0.39) / 2, abs=0.02)
    assert wide.needed is not None
    assert wide.needed > 21
    assert close.needed is None or close.needed > 10 * wide.needed
    last = [s for s in plan.subsets if s.small == FOUR]
    assert {s.k for s in last} == {3, 6, 9, 13, 16, 20}
    tight = {s.k: s for s in last if s.strategy == "tightest slope"}
    assert tight[3].slope_error_ratio is not None
    assert tight[20].slope_error_ratio is not None
    assert tight[3].slope_error_ratio > tight[20].slope_error_ratio > 1
    assert "a7/B" in tight[3].designs  # the lowest at 4B
    assert all(s.expected_loss >= 0 for s in last)


def test_planning_counts_seeds_and_items_where_they_tell_of_noise(tmp_path: Path):
    rng = np.random.default_rng(1)
    right = (rng.random((8, 200)) < 0.6).astype(float)
    rows = ["design,scale,scale_size,seed,metric,score"]
    items = collect(right, np.arange(200), np.zeros(200, int), shape=(4, 2), unit=100.0)
    scores = scores_under(items, np.ones((1, 200)))[0]
    rows += [
        f"d{i},{'sl'[j]},{j + 1},{k},m,{scores[i, j] + rng.normal(0, 1)}"
        for i in range(4)
        for j in range(2)
        for k in range(3)
    ]
    small = load_table(write(tmp_path, "\n".join(rows) + "\n"), TableOptions())
    noise = metric_noise(small, "m", items)
    plan = plan_study(small, "m", compare_scales(small), noise, items, seed=0)
    by_what = {need.what: need for need in plan.needs}
    assert set(by_what) == {"designs", "seeds", "items"}
    assert (by_what["seeds"].now, by_what["seeds"].freedom) == (3, 6)
    assert by_what["items"].now == 200
    share = np.sqrt(2 * 0.24 / 200) * 100 * 1.96
    assert by_what["items"].half_width_now == pytest.approx(share, rel=0.15)


def test_an_axis_of_sizes_is_looked_at_for_a_plateau(tmp_path: Path):
    rows = ["design,scale,scale_size,seed,metric,score,samples,mixture"]
    rows += [
        f"{size}/{mixture},{scale},{at},0,m,{min(i, 5) + at},{size},{mixture}"
        for i, size in enumerate((10, 20, 40, 80, 160, 320, 640, 1280, 2560))
        for mixture in "ab"
        for at, scale in enumerate("sl", start=1)
    ]
    found = load_table(write(tmp_path, "\n".join(rows) + "\n"), TableOptions())
    across = look_across(found, "m", compare_scales(found), seed=0)
    curves = [(curve.scale, curve.contexts, len(curve.sizes)) for curve in across.plateaus]
    assert curves == [("s", 2, 9), ("l", 2, 9)]
    assert across.plateaus[0].plateau.chosen == "broken stick"
