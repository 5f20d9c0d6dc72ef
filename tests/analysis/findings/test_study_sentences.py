"""Findings beyond pairs of scales as sentences, on the paper's table."""

from dataclasses import replace

import pytest
from score_tables import FOUR, ONE, OPTIONS, PAPER, SCALES, SEVEN

from analysis.findings.axis_effects import ALL
from analysis.findings.findings import Findings, find
from analysis.findings.study_sentences import (
    describe_across,
    describe_axis,
    describe_axis_line,
    describe_enough,
    describe_interaction,
    describe_plan,
    describe_transfers,
)
from analysis.statistics.interaction import AnovaRow
from analysis.statistics.proxy_choice import Enough
from analysis.table.options import TableOptions
from analysis.table.table import load_table


@pytest.fixture(scope="module")
def found() -> Findings:
    sizes = dict(zip(SCALES, (0.5, 1.5, 4.0, 7.0), strict=True))
    options: TableOptions = replace(OPTIONS, scale_order=(), scale_sizes=sizes)
    return find(load_table(PAPER, options))


def test_an_axis_is_told_with_its_pairs_interval_and_what_carries_it(found: Findings):
    verdicts = {(v.axis, v.small, v.large): v for v in found.axis_verdicts}
    variant = verdicts["variant", FOUR, SEVEN]
    assert describe_axis(variant) == (
        "71 % of the 63 pairs of designs that differ in variant alone are ordered alike (95 %"
        " interval 45 % to 98 %, 21 designs). The scales agree overall; that this axis does is not"
        " shown."
    )
    assert describe_axis(verdicts["variant", ONE, FOUR]).endswith("Without a7 it is 71 %.")
    assert describe_axis_line(variant).startswith(f"variant, {FOUR} -> {SEVEN}: transfers only")
    noisy = replace(
        variant,
        because="noise may explain most differences",
        evidence=replace(variant.evidence, decidable=(None, 0.1)),
    )
    assert describe_axis(noisy).endswith(
        f"Beyond noise differ – of them at {FOUR}, 10 % at {SEVEN}. Noise may explain most"
        " differences."
    )
    alone = replace(variant, evidence=replace(variant.evidence, accuracy=None))
    assert describe_axis(alone) == "No pair of designs differs in this axis alone."


def test_all_scales_are_told_together(found: Findings):
    text = " ".join(describe_across(found.across_scales[0]))
    assert f"No proxy is sure to bring R² within blocks with {SEVEN} to 0.5" in text
    assert f"No proxy is sure to bring the share of pairs ordered alike with {SEVEN}" in text
    assert "0.12 ln(billions) + 0.78 (3 points, 1 degree of freedom, slope 0.06 to 0.17)" in text
    # Mixtures repeat, and the test takes designs as independent: nothing is sure by it.
    assert f"{FOUR} perhaps foretells better than {ONE}" in text
    assert "after Holm, as if designs were independent" in text
    assert "Kendall's W over all 4 scales is 0.91 (n = 21, p < 0.001)." in text
    bounds: dict[str, float | None] = {"tiny": 0.4, "mid": 0.62, "big": 0.3}
    lucky = Enough("r2_within", 0.5, "mid", bounds, skipped=("big",))
    assert describe_enough(lucky, SEVEN) == (
        f"mid is the smallest whose R² within blocks with {SEVEN} surely reaches 0.5 (at least"
        " 0.62). It may be luck: the dearer big does not."
    )


def test_what_cannot_be_tested_is_said(found: Findings):
    assert describe_interaction(found.interaction[0]) == (
        "Whether effects depend on scale is not testable: neither seeds nor items give an error"
        " term."
    )
    rows = (AnovaRow("scale x design", 2.0, 6, 1.0, 40, 3.21, 0.0111, 0.67, 0.02),)
    tested = replace(found.interaction[0], source="seeds", rows=rows, not_testable=None)
    assert describe_interaction(tested) == (
        "Scale x design interaction, by seeds: F(6, 40) = 3.21, p = 0.011, by permutation p ="
        " 0.020, partial η² 0.67."
    )
    by_axis = {effects.axis: describe_transfers(effects) for effects in found.effects}
    assert by_axis["data_mixture"][-1].endswith("no slope, fewer than 3 effects.")
    assert "100 % of the 8 keep their sign; one point becomes 1.14" in by_axis[ALL][-1]


def test_a_plan_is_told_in_numbers(found: Findings):
    lines = describe_plan(found.planning[0], "points", 2)
    assert f"R² of {FOUR} with {SEVEN} (in more blocks) to ±0.20: 39 designs (now 21)." in lines
    assert any("tightest slope" in line and "points lost against running all" in line
               for line in lines)  # fmt: skip
