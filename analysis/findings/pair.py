"""All that a report says of one pair of scales."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.findings.pair_breakdown import Breakdown
from analysis.findings.pair_resampling import Resampling
from analysis.statistics.agreement import Margin
from analysis.statistics.consistency import Within
from analysis.statistics.held_out import HeldOut
from analysis.statistics.reliability import PairNoise
from analysis.statistics.verdict import PairEvidence, PairReason, Verdict


@dataclass(frozen=True)
class Pair:
    """What the small scale says about the large one for one metric, over the designs both have.

    Field names are those of report.json; formulas and units stand with the functions of the same
    names in `consistency`, `prediction`, `agreement` and `selection`. None: undefined, and
    `warnings` says why. `winner` are the small scale's best designs (several where tied) and
    `best` the large scale's. `regret_share` is regret over the range of scores at the large scale.
    """

    metric: str
    small: str
    large: str
    n: int
    r2: float | None
    r2_ci: tuple[float, float] | None
    pearson: float | None
    pearson_ci: tuple[float, float] | None
    sign: int | None
    slope: float | None
    intercept: float | None
    theil_sen: float | None
    r2_identity: float | None
    r2_predictive: float | None
    spearman: float | None
    kendall: float | None
    decision_accuracy: float | None
    decision_accuracy_expected: float | None
    decision_accuracy_weighted: float | None
    tie_band: float
    decision_accuracy_banded: float | None
    margins: tuple[Margin, ...]
    regret: float | None
    regret_share: float | None
    picks_best: float | None
    winner: tuple[str, ...]
    best: tuple[str, ...]
    top_k_recall: dict[str, float | None]
    top_k_regret: dict[str, float | None]
    within: dict[str, Within]
    noise: PairNoise | None
    held_out: HeldOut | None
    resampling: Resampling
    breakdown: Breakdown | None
    verdict: Verdict
    verdict_because: PairReason
    verdict_evidence: PairEvidence
    warnings: tuple[str, ...]
