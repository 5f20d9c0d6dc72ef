"""Golden values on the paper's own table: its six R², and what it does not say."""

from itertools import combinations

import pytest
from score_tables import FOUR, HALF, ONE, OPTIONS, PAPER, SCALES, SEVEN

from analysis.findings.compare import compare_scales
from analysis.findings.pair import Pair
from analysis.findings.sentences import explain_pair
from analysis.table.table import load_table


@pytest.fixture(scope="module")
def pairs() -> dict[tuple[str, str], Pair]:
    return {(p.small, p.large): p for p in compare_scales(load_table(PAPER, OPTIONS))}


def test_the_six_r2_of_the_paper_come_out_to_a_thousandth(pairs: dict[tuple[str, str], Pair]):
    printed = (0.736, 0.772, 0.694, 0.902, 0.831, 0.938)
    assert list(pairs) == list(combinations(SCALES, 2))
    assert [pair.r2 for pair in pairs.values()] == pytest.approx(printed, abs=1e-3)


def test_ranks_and_decisions_from_4b_to_7b(pairs: dict[tuple[str, str], Pair]):
    pair = pairs[FOUR, SEVEN]
    assert pair.n == 21
    assert pair.spearman == pytest.approx(0.942, abs=5e-4)
    assert pair.kendall == pytest.approx(0.800, abs=5e-4)
    assert pair.decision_accuracy == pytest.approx(0.900, abs=5e-4)
    assert pair.r2_ci == pytest.approx((0.852, 0.975), abs=1e-3)


def test_within_data_mixtures_r2_is_lower_than_pooled(pairs: dict[tuple[str, str], Pair]):
    within = pairs[FOUR, SEVEN].within["data_mixture"]
    assert within.r2 == pytest.approx(0.900, abs=5e-4)
    assert (within.n, within.blocks) == (21, 3)


def test_regret_at_7b_of_each_smaller_scales_winner(pairs: dict[tuple[str, str], Pair]):
    regrets = [pairs[small, SEVEN].regret for small in (HALF, ONE, FOUR)]
    assert regrets == pytest.approx([1.77, 0.22, 1.77])
    best_of_3 = [pairs[small, SEVEN].top_k_regret["3"] for small in (HALF, ONE, FOUR)]
    assert best_of_3 == pytest.approx([0.22, 0.22, 0.22])


def test_the_identity_line_and_unseen_designs_get_an_r2_of_their_own(
    pairs: dict[tuple[str, str], Pair],
):
    pair = pairs[FOUR, SEVEN]
    assert pair.r2_identity == pytest.approx(-0.464, abs=1e-3)
    assert pair.r2_predictive == pytest.approx(0.928, abs=1e-3)
    assert pair.decision_accuracy_expected == pytest.approx(0.920, abs=1e-3)
    assert pair.sign == 1


def test_within_mixtures_and_without_configuration_a7_little_is_left(
    pairs: dict[tuple[str, str], Pair],
):
    left: list[float | None] = []
    for small in (FOUR, ONE, HALF):
        breakdown = pairs[small, SEVEN].breakdown
        assert breakdown is not None
        (part,) = [p for p in breakdown.without_level["variant"] if p.left_out == "a7"]
        assert part.n == 18
        left.append(part.within["data_mixture"])
    assert left == pytest.approx([0.446, 0.012, 0.054], abs=5e-4)


def test_designs_less_than_a_point_apart_at_7b_are_ordered_like_a_coin_two_points_apart_always(
    pairs: dict[tuple[str, str], Pair],
):
    margins = {margin.margin: margin for margin in pairs[FOUR, SEVEN].margins}
    assert margins[1.0].decision_accuracy_closer == pytest.approx(0.63, abs=0.005)
    assert (margins[2.0].decision_accuracy, margins[2.0].pairs) == (1.0, 143)


def test_three_mixtures_leave_r2_wide_open_and_the_report_says_which_interval_to_believe(
    pairs: dict[tuple[str, str], Pair],
):
    resampling = pairs[FOUR, SEVEN].resampling
    assert resampling.crossed["data_mixture"]["r2"] == pytest.approx((0.42, 0.99), abs=0.05)
    assert resampling.believe == "data_mixture"
    assert "3 blocks" in resampling.why
    plain = resampling.plain["r2"]
    assert plain is not None
    assert 0.8 < plain[0] < plain[1] < 1.0


def test_a_table_without_seeds_or_items_claims_nothing_about_noise(
    pairs: dict[tuple[str, str], Pair],
):
    pair = pairs[FOUR, SEVEN]
    assert pair.noise is pair.held_out is pair.resampling.selection is None
    assert set(pair.resampling.parts) == {"designs"}


def test_verdicts_tell_aggregate_agreement_from_agreement_inside_mixtures(
    pairs: dict[tuple[str, str], Pair],
):
    assert pairs[HALF, SEVEN].verdict == "undecidable"
    assert pairs[ONE, SEVEN].verdict == "transfers only in aggregate"
    assert pairs[ONE, SEVEN].verdict_because == "not within blocks"


def test_what_transfers_from_4b_inside_mixtures_is_that_one_configuration_is_bad(
    pairs: dict[tuple[str, str], Pair],
):
    pair = pairs[FOUR, SEVEN]
    assert (pair.verdict, pair.verdict_because) == (
        "transfers only in aggregate",
        "one level carries it",
    )
    assert pair.verdict_evidence.weakest_level == ("variant a7", pytest.approx(0.446, abs=5e-4))
    assert "Without variant a7, R² within blocks is 0.446" in explain_pair(pair)
