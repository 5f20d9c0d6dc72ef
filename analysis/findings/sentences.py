"""Findings as plain sentences with their numbers, for the page's top and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import quoted_interval, trusts_blocks
from analysis.statistics.verdict import FEWEST_FREEDOM
from analysis.table.table import ScoreTable


def number(value: float | None, digits: int = 3) -> str:
    """Write a number to so many decimals with a true minus sign; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    # Rounding may leave "-0.00", which reads as if it were negative.
    return text.replace("-", "" if float(text) == 0 else "−")


def percent(share: float | None) -> str:
    """Write a share as whole percent; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f} %"


def parameters(billions: float) -> str:
    """Write a model size as people say it: 7 B, 45 M, 200 k parameters."""
    for unit, factor in (("B", 1.0), ("M", 1e3)):
        if billions * factor >= 0.1:
            return f"{billions * factor:.3g} {unit}"
    return f"{billions * 1e6:.3g} k"


def score_digits(scores: Iterable[float]) -> int:
    """Decimals that show scores to about four digits: 2 for points, 4 for shares below 1."""
    largest = max((abs(score) for score in scores), default=0.0)
    return 1 if largest >= 1000 else 2 if largest >= 2 else 4


def describe_pair(pair: Pair, *, unit: str, digits: int) -> str:
    """Say in a few sentences how well the small scale foretold the large one.

    Args:
        unit: the unit of the metric's scores, as `points`.
        digits: decimals for scores.
    """
    if pair.r2 is None or pair.decision_accuracy is None:
        why = "; ".join(pair.warnings)
        return f"{why[:1].upper()}{why[1:]} (n = {pair.n})."
    sentences = [_agreement(pair), _choice(pair, unit, digits), *_within(pair)]
    return " ".join([*sentences, describe_decidable(pair), explain_pair(pair)])


def explain_pair(pair: Pair) -> str:
    """Say in one sentence which number decided the verdict on a pair of scales."""
    found = pair.verdict_evidence
    believed = found.r_ci_believed or found.r_ci
    match pair.verdict_because:
        case "R² is not surely one half":
            low = None if pair.r2_ci is None else pair.r2_ci[0]
            return f"Undecidable: by Fisher's interval, R² may be as low as {number(low, 2)}."
        case "r may be negative when resampled":
            drawn = "designs" if pair.resampling.believe == "plain" else "blocks"
            return f"Undecidable: with other {drawn}, r may be {_range(believed)}."
        case "not within blocks":
            block, low = _weakest_within(pair)
            return f"Only in aggregate: within {block}, R² may be as low as {number(low, 2)}."
        case "one level carries it" | "one design carries it":
            level = pair.verdict_because == "one level carries it"
            left_out, r2 = (found.weakest_level if level else found.weakest_design) or ("", None)
            inside = " within blocks" if level and found.within else ""
            return f"Only in aggregate. Without {left_out}, R²{inside} is {number(r2)}."
        case "noise may explain most differences":
            return (
                "Only in aggregate: the order as a whole comes back, but noise may explain most"
                " differences between two designs."
            )
        case "r is surely negative":
            return f"Reverses: r is {_range(found.r_ci)}."
        case "it holds throughout":
            left_out, r2 = found.weakest_level or found.weakest_design or ("", None)
            where = " within blocks" if found.within and found.weakest_level else ""
            known = f" (lowest{where} without {left_out}: {number(r2)})" if left_out else ""
            return f"It holds without any single level or design{known}."
        case other:
            return f"Undecidable: {other}."


def describe_decidable(pair: Pair) -> str:
    """Say how many pairs of designs differ beyond noise at either scale, and how well one knows.

    Few degrees of freedom decide few pairs whatever the designs do, so they stand beside the share.
    """
    noise = pair.noise
    if noise is None:
        return "How many pairs differ beyond noise is not known: no seeds, no items."
    sides = (
        (pair.small, noise.decidable_small, noise.freedom_small),
        (pair.large, noise.decidable_large, noise.freedom_large),
    )
    told = [
        f"not known at {scale}"
        if share is None
        else f"{percent(share)} at {scale} ({_freedom(freedom)})"
        for scale, share, freedom in sides
    ]
    return f"Of the {noise.pairs} pairs differ beyond noise: {', '.join(told)}."


def _freedom(freedom: float | None) -> str:
    if freedom is None:
        return "noise known exactly"
    few = ", too few to weigh" if freedom < FEWEST_FREEDOM else ""
    return f"{freedom:.0f} degree{'' if round(freedom) == 1 else 's'} of freedom{few}"


def _range(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{number(interval[0], 2)} to {number(interval[1], 2)}"


def _weakest_within(pair: Pair) -> tuple[str, float]:
    """Name the block column whose R² has the lowest lower end, and that end."""
    ends = {
        block: 0.0 if interval is None or interval[0] < 0 else interval[0] ** 2
        for block, interval in pair.verdict_evidence.within.items()
    }
    block = min(ends, key=lambda name: ends[name])
    return block, ends[block]


def _agreement(pair: Pair) -> str:
    interval = "no interval"
    if quoted := quoted_interval(pair):
        interval = f"95 % interval {_range(quoted)}"
    if trusts_blocks(pair):
        interval += f", or {_range(pair.r2_ci)} if designs were independent"
    falling = "" if (pair.sign or 0) >= 0 else ", falling: r is negative"
    return (
        f"R² {number(pair.r2)} ({interval}, n = {pair.n} designs{falling}); it orders"
        f" {percent(pair.decision_accuracy)} of the pairs of designs as {pair.large} does."
    )


def _choice(pair: Pair, unit: str, digits: int) -> str:
    if pair.regret is None or pair.regret <= 0:
        return f"Its winner is also the best at {pair.large}."
    share = "" if pair.regret_share is None else f", {percent(pair.regret_share)} of the range"
    return f"Its winner loses {number(pair.regret, digits)} {unit} at {pair.large}{share}."


def _within(pair: Pair) -> list[str]:
    return [
        f"Within {block}: R² {number(part.r2)}, {percent(part.decision_accuracy)} of the pairs"
        f" (n = {part.n})."
        for block, part in pair.within.items()
        if part.n
    ]


def summary_lines(
    table: ScoreTable, pairs: Sequence[Pair], metrics: Sequence[str], units: dict[str, str]
) -> tuple[str, ...]:
    """Write the terminal's summary: per metric the scores, then one line per pair of scales."""
    lines: list[str] = []
    for metric in metrics:
        lines += [*_score_lines(table, metric, units[metric]), ""]
        lines += [_pair_line(pair) for pair in pairs if pair.metric == metric]
        lines.append("")
    if table.missing:
        lines.append(f"{len(table.missing)} missing cells are listed in the report.")
    lines += [f"note: {warning}" for warning in table.warnings]
    return tuple(lines)


def _score_lines(table: ScoreTable, metric: str, unit: str) -> list[str]:
    """A text table of designs x scales, best design at the largest scale first."""
    grid = table.grid(metric).dropna(how="all")
    lower = metric in table.lower_is_better
    grid = grid.sort_values(table.scales[-1], ascending=lower, kind="stable")
    digits = score_digits(grid.stack())
    width = max(len("design"), *(len(design) for design in grid.index))
    widths = [max(len(scale), 7) for scale in table.scales]
    heads = "  ".join(scale.rjust(w) for scale, w in zip(table.scales, widths, strict=True))
    lines = [
        f"{metric} ({unit}{', lower is better' if lower else ''})",
        f"{'design'.ljust(width)}  {heads}",
    ]
    for design, row in zip(grid.index, grid.to_numpy(), strict=True):
        cells = [number(None if value != value else float(value), digits) for value in row]
        shown = "  ".join(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))
        lines.append(f"{design.ljust(width)}  {shown}")
    return lines


def _pair_line(pair: Pair) -> str:
    interval = ""
    if quoted := quoted_interval(pair):
        interval = f" [{number(quoted[0], 2)}, {number(quoted[1], 2)}]"
    if trusts_blocks(pair):
        interval += f" ({pair.resampling.believe} redrawn)"
    beyond = ""
    if pair.noise is not None:
        shares = (pair.noise.decidable_small, pair.noise.decidable_large)
        beyond = f", beyond noise {' and '.join(percent(share) for share in shares)} of pairs"
    return (
        f"{pair.small} -> {pair.large}: {pair.verdict}; R² {number(pair.r2)}{interval},"
        f" Spearman {number(pair.spearman)}, decision accuracy {number(pair.decision_accuracy)},"
        f" n = {pair.n}{beyond}"
    )
