"""How far each smaller scale would have been enough in place of the largest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.pair import Pair
from analysis.table import ScoreTable
from analysis.verdict import Verdict


@dataclass(frozen=True)
class Proxy:
    """One smaller scale as a stand-in for the largest, for one metric.

    `size_share` is its parameters over the largest scale's: a floor for what it saves, since
    training costs grow at least in proportion. None where sizes are not known.
    """

    metric: str
    proxy: str
    target: str
    size_share: float | None
    n: int
    r2: float | None
    r2_ci: tuple[float, float] | None
    decision_accuracy: float | None
    regret: float | None
    verdict: Verdict


def list_proxies(table: ScoreTable, pairs: Iterable[Pair]) -> list[Proxy]:
    """List every smaller scale against the largest, metric by metric, smallest first."""
    target = table.scales[-1]
    return [
        Proxy(
            metric=pair.metric,
            proxy=pair.small,
            target=target,
            size_share=table.sizes[pair.small] / table.sizes[target] if table.sizes else None,
            n=pair.n,
            r2=pair.r2,
            r2_ci=pair.r2_ci,
            decision_accuracy=pair.decision_accuracy,
            regret=pair.regret,
            verdict=pair.verdict,
        )
        for pair in pairs
        if pair.large == target
    ]
