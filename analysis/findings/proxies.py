"""How far each smaller scale would have been enough in place of the largest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.findings.across_scales import lower_bound
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import believed_interval
from analysis.statistics.intervals import Interval
from analysis.statistics.proxy_choice import TARGETS, Criterion
from analysis.statistics.verdict import Verdict
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class Proxy:
    """One smaller scale as a stand-in for the largest, for one metric.

    `size` is its parameters in billions and `size_share` that over the largest scale's: a floor for
    what it saves, since training costs grow at least in proportion. None where sizes are not known.
    `cost` and `cost_share` are the same of the costs that the user gave.
    `*_ci_believed` are the intervals of `Resampling.believe`, `r2_within` R² within each block
    column. `surely_enough` names the criteria whose target its lower bound reaches
    (`proxy_choice.TARGETS`).
    """

    metric: str
    proxy: str
    target: str
    size: float | None
    size_share: float | None
    cost: float | None
    cost_share: float | None
    n: int
    r2: float | None
    r2_ci: Interval | None
    r2_ci_believed: Interval | None
    r2_within: dict[str, float | None]
    decision_accuracy: float | None
    decision_accuracy_ci_believed: Interval | None
    regret: float | None
    regret_share: float | None
    surely_enough: tuple[Criterion, ...]
    verdict: Verdict


def list_proxies(table: ScoreTable, pairs: Iterable[Pair]) -> list[Proxy]:
    """List every smaller scale against the largest, metric by metric, smallest first."""
    target = table.scales[-1]
    return [
        Proxy(
            metric=pair.metric,
            proxy=pair.small,
            target=target,
            size=table.sizes[pair.small] if table.sizes else None,
            size_share=table.sizes[pair.small] / table.sizes[target] if table.sizes else None,
            cost=table.costs[pair.small] if table.costs else None,
            cost_share=table.costs[pair.small] / table.costs[target] if table.costs else None,
            n=pair.n,
            r2=pair.r2,
            r2_ci=pair.r2_ci,
            r2_ci_believed=believed_interval(pair.resampling, "r2"),
            r2_within={block: part.r2 for block, part in pair.within.items()},
            decision_accuracy=pair.decision_accuracy,
            decision_accuracy_ci_believed=believed_interval(pair.resampling, "decision_accuracy"),
            regret=pair.regret,
            regret_share=pair.regret_share,
            surely_enough=tuple(
                criterion
                for criterion, wanted in TARGETS.items()
                if (lower_bound(pair, criterion) or 0.0) >= wanted
            ),
            verdict=pair.verdict,
        )
        for pair in pairs
        if pair.large == target
    ]
