"""The written rule of the verdicts, clause by clause."""

from dataclasses import replace

import pytest

from analysis.statistics.agreement import expected_decision_accuracy
from analysis.statistics.verdict import (
    ACCURACY,
    RULE,
    SHARE,
    VERDICTS,
    AxisEvidence,
    PairEvidence,
    agrees_in_aggregate,
    judge_axis,
    judge_pair,
)

GOOD = PairEvidence(
    r_ci=(0.9, 0.99),
    r_ci_believed=(0.6, 0.99),
    within={"mixture": (0.8, 0.98)},
    weakest_level=("variant a7", 0.6),
    weakest_design=("a7/A", 0.9),
    wrong_beyond_noise=1,
    decidable=(0.8, 0.9),
    signal=True,
)
AXIS = AxisEvidence(
    pairs=15,
    designs=6,
    accuracy=0.9,
    accuracy_ci=(0.6, 1.0),
    decidable=(None, None),
    wrong_beyond_noise=None,
    weakest_level=("a7", 0.8),
    aggregate=True,
    signal=True,
)


@pytest.mark.parametrize(
    ("changed", "verdict", "because"),
    [
        ({}, "transfers", "it holds throughout"),
        ({"r_ci": None}, "undecidable", "no interval"),
        ({"signal": False}, "undecidable", "metric at chance"),
        ({"r_ci": (0.7, 0.95)}, "undecidable", "R² is not surely one half"),
        ({"r_ci_believed": (-0.1, 1.0)}, "undecidable", "r may be negative when resampled"),
        (
            {"within": {"mixture": (0.5, 0.9)}},
            "transfers only in aggregate",
            "not within blocks",
        ),
        (
            {"weakest_level": ("variant a7", 0.45)},
            "transfers only in aggregate",
            "one level carries it",
        ),
        (
            {"weakest_design": ("a7/A", 0.3)},
            "transfers only in aggregate",
            "one design carries it",
        ),
        (
            {"decidable": (0.9, 0.3)},
            "transfers only in aggregate",
            "noise may explain most differences",
        ),
        ({"decidable": (None, 0.5)}, "transfers", "it holds throughout"),
        (
            {"r_ci": (-0.9, -0.2), "r_ci_believed": (-0.9, -0.1)},
            "reverses",
            "r is surely negative",
        ),
        (
            {"r_ci": (-0.9, -0.2), "r_ci_believed": None, "wrong_beyond_noise": 0},
            "undecidable",
            "r looks negative but noise explains every wrong pair",
        ),
        ({"r_ci_believed": None, "within": {}, "weakest_level": None, "weakest_design": None},
         "transfers", "it holds throughout"),
    ],
)  # fmt: skip
def test_a_pair_of_scales_gets_the_first_clause_that_fits(
    changed: dict, verdict: str, because: str
):
    found = judge_pair(replace(GOOD, **changed))
    assert (found.verdict, found.because) == (verdict, because)
    aggregate = verdict in ("transfers", "transfers only in aggregate")
    assert agrees_in_aggregate(found.evidence) == aggregate


@pytest.mark.parametrize(
    ("changed", "verdict", "because"),
    [
        ({}, "transfers", "surely ordered alike"),
        (
            {"accuracy": None},
            "undecidable",
            "no pair of designs differs in this axis alone",
        ),
        ({"signal": False}, "undecidable", "metric at chance"),
        (
            {"accuracy": 0.1, "accuracy_ci": (0.0, 0.4)},
            "reverses",
            "surely ordered the other way",
        ),
        (
            {"accuracy": 0.1, "accuracy_ci": (0.0, 0.4), "wrong_beyond_noise": 0},
            "undecidable",
            "ordered the other way, but noise explains every wrong pair",
        ),
        (
            {"accuracy": 0.7},
            "transfers only in aggregate",
            "the scales agree, this axis is not shown to",
        ),
        ({"weakest_level": ("a7", 0.7)}, "transfers only in aggregate", "one level carries it"),
        ({"weakest_level": None}, "transfers", "surely ordered alike"),
        ({"accuracy": 0.7, "decidable": (0.9, 0.2)}, "undecidable",
         "noise may explain most differences"),
        ({"decidable": (0.2, None)}, "transfers only in aggregate",
         "noise may explain most differences"),
        ({"accuracy_ci": (0.4, 1.0), "aggregate": False}, "undecidable",
         "too few pairs, or too little agreement, to tell"),
    ],
)  # fmt: skip
def test_an_axis_gets_the_first_clause_that_fits(changed: dict, verdict: str, because: str):
    found = judge_axis(replace(AXIS, **changed))
    assert (found.verdict, found.because) == (verdict, because)


def test_both_thresholds_are_one_and_the_rule_names_every_word():
    assert expected_decision_accuracy(SHARE**0.5) == pytest.approx(ACCURACY)
    assert all(word in RULE.lower() for word in VERDICTS)
