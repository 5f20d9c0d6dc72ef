"""What the page says of one metric: verdicts as sentences first, then rows for its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.figures.of_metric import MetricPictures
from analysis.findings.axis_effects import AxisEffects
from analysis.findings.axis_verdicts import AxisVerdict
from analysis.findings.findings import Findings
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import believed_interval, trusts_blocks
from analysis.findings.sentences import describe_pair, number, percent, score_digits
from analysis.findings.study_sentences import (
    describe_across,
    describe_axis,
    describe_interaction,
    describe_plateau,
    describe_transfers,
)
from analysis.page.tables import effect_rows, plan_rows, result_rows, robustness_rows
from analysis.statistics.verdict import VERDICTS
from analysis.table.table import ScoreTable

# A share of fewer pairs says nothing.
FEWEST_CLOSER = 5


def section_view(
    table: ScoreTable, found: Findings, metric: str, unit: str, pictures: MetricPictures
) -> dict[str, object]:
    """Gather all that the template shows of a metric; `unit` is that of its scores."""
    grid = table.grid(metric)
    digits = score_digits(grid.stack())
    pairs = [pair for pair in found.pairs if pair.metric == metric]
    # The question a reader comes with is about the largest scale; the rest is in the tables.
    into = [pair for pair in pairs if pair.large == table.scales[-1]]
    effects = [axis for axis in found.effects if axis.metric == metric]
    return {
        "metric": metric,
        "unit": unit,
        "digits": digits,
        "lower": metric in table.lower_is_better,
        "chance": table.chance.get(metric),
        "pictures": pictures,
        "pairs": pairs,
        "into": into,
        "ks": max((tuple(pair.top_k_regret) for pair in into), key=len, default=()),
        "tally": _tally(pairs),
        "axis_cards": _axis_cards(table, found, metric),
        "pair_cards": [
            (
                pair,
                describe_pair(pair, unit=unit, digits=digits),
                f"{describe_margin(pair, unit, digits)} {describe_belief(pair)}".strip(),
            )
            for pair in into
        ],
        "across": _across_lines(table, found, metric),
        "plateaus": _plateau_lines(found, metric, unit, digits),
        "transfers": _transfer_lines(effects, table.scales[-1]),
        "interaction": [
            describe_interaction(analysis)
            for analysis in found.interaction
            if analysis.metric == metric and pairs
        ],
        "effects": effect_rows(effects, table.scales),
        "robustness": robustness_rows(into),
        "noise": [pair for pair in pairs if pair.noise],
        "held_out": [pair for pair in pairs if pair.held_out],
        "matched": [
            (report.axis, match)
            for report in found.axes
            for match in report.matched
            if report.metric == metric and match.n and match.large == table.scales[-1]
        ],
        "proxies": [proxy for proxy in found.proxies if proxy.metric == metric],
        "plan": plan_rows(found, metric, table),
        "results": result_rows(table, metric),
    }


def describe_belief(pair: Pair) -> str:
    """Say which interval to believe where it isn't Fisher's, and why; "" where there is none."""
    accuracy = believed_interval(pair.resampling, "decision_accuracy")
    if not trusts_blocks(pair):
        return ""
    ordered = ""
    if accuracy is not None:
        low, high = (percent(end) for end in accuracy)
        ordered = f" (of pairs ordered alike {low} to {high})"
    return f"Believe the wide interval{ordered}: {pair.resampling.why}."


def describe_margin(pair: Pair, unit: str, digits: int) -> str:
    """Say how close designs are ordered, and from where on all are; "" where there are few."""
    split = [m for m in pair.margins if m.pairs_closer >= FEWEST_CLOSER and m.pairs]
    if not split or not pair.verdict_evidence.signal:
        return ""
    # The quarter of pairs that differ least, or the margin nearest to it.
    near = min(split, key=lambda m: abs(m.pairs_closer / (m.pairs_closer + m.pairs) - 0.25))
    said = (
        f"Pairs less than {number(near.margin, digits)} {unit} apart at {pair.large}:"
        f" {percent(near.decision_accuracy_closer)} ordered alike ({near.pairs_closer} pairs)"
    )
    sure = next((m for m in split if m.decision_accuracy == 1.0), None)
    beyond = ""
    if sure is not None:
        beyond = f"; {number(sure.margin, digits)} apart or more: all {sure.pairs}"
    return f"{said}{beyond}."


def _tally(pairs: Iterable[Pair]) -> list[tuple[str, int]]:
    words = Counter(pair.verdict for pair in pairs)
    return [(word, words[word]) for word in VERDICTS if words[word]]


def _axis_cards(
    table: ScoreTable, found: Findings, metric: str
) -> list[tuple[str, list[tuple[AxisVerdict, str]]]]:
    """Per axis: its verdicts into the largest scale with their sentences, nearest proxy first."""
    by_axis: dict[str, list[tuple[AxisVerdict, str]]] = {}
    for verdict in found.axis_verdicts:
        if verdict.metric == metric and verdict.large == table.scales[-1]:
            said = (verdict, describe_axis(verdict))
            by_axis.setdefault(verdict.axis, []).insert(0, said)
    return list(by_axis.items())


def _across_lines(table: ScoreTable, found: Findings, metric: str) -> list[str]:
    """What all scales say together; nothing of blocks where there are none."""
    own = [across for across in found.across_scales if across.metric == metric]
    if not table.blocks:
        own = [
            replace(a, enough=tuple(e for e in a.enough if e.criterion != "r2_within")) for a in own
        ]
    return [line for across in own for line in describe_across(across)]


def _plateau_lines(found: Findings, metric: str, unit: str, digits: int) -> list[str]:
    curves = [c for a in found.across_scales if a.metric == metric for c in a.plateaus]
    return [describe_plateau(curve, unit, digits) for curve in curves]


def _transfer_lines(effects: Sequence[AxisEffects], target: str) -> list[str]:
    """Only into the largest scale: `describe_transfers` gives a line per transfer, in order."""
    return [
        line
        for axis in effects
        for transfer, line in zip(axis.transfers, describe_transfers(axis), strict=True)
        if transfer.large == target
    ]
