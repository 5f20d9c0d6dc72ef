"""Compute every statistic of a report from a score table: metric by metric, each noise once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.findings.across_scales import AcrossScales, look_across
from analysis.findings.axes import AxisReport, compare_axes
from analysis.findings.axis_effects import AxisEffects, find_effects
from analysis.findings.axis_verdicts import AxisVerdict, judge_axes
from analysis.findings.compare import compare_scales
from analysis.findings.metric_halves import MetricHalves, halve_metrics
from analysis.findings.metric_noise import CellError, cell_errors, metric_noise
from analysis.findings.pair import Pair
from analysis.findings.planning import Plan, plan_study
from analysis.findings.proxies import Proxy, list_proxies
from analysis.findings.scale_interaction import ScaleInteraction, analyse_interaction
from analysis.statistics.item_scores import ItemScores
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class Findings:
    """All statistics of one table. With one scale there is nothing across scales."""

    pairs: Sequence[Pair]
    axes: Sequence[AxisReport]
    axis_verdicts: Sequence[AxisVerdict]
    proxies: Sequence[Proxy]
    cell_errors: Sequence[CellError]
    effects: Sequence[AxisEffects]
    interaction: Sequence[ScaleInteraction]
    across_scales: Sequence[AcrossScales]
    planning: Sequence[Plan]
    metric_halves: Sequence[MetricHalves]


def find(
    table: ScoreTable, items: Mapping[str, ItemScores] | None = None, *, seed: int = 0
) -> Findings:
    """Compute every statistic of the report.

    Args:
        items: metric -> answers behind it, for the metrics whose item table is known.
        seed: of all draws: the same table gives the same report.
    """
    answers = items or {}
    pairs, axes = compare_scales(table, answers, seed=seed), compare_axes(table)
    several = len(table.scales) > 1
    errors: list[CellError] = []
    verdicts: list[AxisVerdict] = []
    effects: list[AxisEffects] = []
    interaction: list[ScaleInteraction] = []
    across: list[AcrossScales] = []
    planning: list[Plan] = []
    for metric in table.metrics:
        answered = answers.get(metric)
        noise = metric_noise(table, metric, answered)
        own = [pair for pair in pairs if pair.metric == metric]
        errors += cell_errors(table, metric, noise)
        effects += find_effects(table, metric, noise)
        interaction += analyse_interaction(table, metric, answered, seed=seed)
        if not several:
            continue
        reports = [axis for axis in axes if axis.metric == metric]
        verdicts += judge_axes(table, metric, reports, own, noise)
        across.append(look_across(table, metric, own, seed=seed))
        planning.append(plan_study(table, metric, own, noise, answered, seed=seed))
    return Findings(
        pairs=pairs,
        axes=axes,
        axis_verdicts=verdicts,
        proxies=list_proxies(table, pairs),
        cell_errors=errors,
        effects=effects,
        interaction=interaction,
        across_scales=across,
        planning=planning,
        metric_halves=halve_metrics(table, seed=seed),
    )
