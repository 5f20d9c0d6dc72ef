"""The page of findings, in Markdown: the paper's sentences, its figures, and the study's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from analysis.paper_findings.by_data_size import AtSize
from analysis.paper_findings.claims import CLAIMS, Claim, Contrast
from analysis.paper_findings.shown import Proxy, Report, Shown, shown
from analysis.paper_findings.weighing import RULE

_NONE = "–"


def findings_page(
    reports: Mapping[str, Report],
    metric: str,
    *,
    proxies: Sequence[Proxy],
    by_data_size: Sequence[AtSize],
    by_construction: Mapping[str, str],
    about: str,
) -> str:
    """Write the page.

    Args:
        reports: study -> its report.json; claims on other studies are passed over and said to be.
        metric: of every report.
        proxies: how the main study's smaller scales stand for its largest.
        by_data_size: agreement at each amount of data; empty where no study varied it.
        by_construction: axis -> what the world of the study forces on it.
        about: a paragraph that says what ran, at the head of the page.
    """
    parts = [
        "# Findings of the Apollo paper, and what the laboratory shows",
        about,
        f"{RULE} Effects are points of accuracy against the base, with 95 % intervals.",
        *(_claim(claim, reports, metric, by_construction) for claim in CLAIMS),
        _scaling(proxies),
        _data(by_data_size),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _claim(
    claim: Claim, reports: Mapping[str, Report], metric: str, by_construction: Mapping[str, str]
) -> str:
    rows: list[tuple[Contrast, Shown]] = []
    absent: list[str] = []
    for contrast in claim.contrasts:
        report = reports.get(contrast.study)
        found = shown(report, metric, contrast) if report is not None else None
        if found is None:
            absent.append(f"{contrast.level} ({contrast.study})")
        else:
            rows.append((contrast, found))
    lines = [f"## {claim.says}", f"Printed in {claim.printed_in}. {_verdict(rows)}"]
    if rows:
        lines.append(_table(rows))
    if claim.name in by_construction:
        lines.append(f"By construction: {by_construction[claim.name]}")
    if absent:
        lines.append(f"Not run: {', '.join(absent)}.")
    return "\n\n".join(lines)


def _verdict(rows: Sequence[tuple[Contrast, Shown]]) -> str:
    if not rows:
        return "Not tried yet."
    counts = Counter(found.agreement for _, found in rows)
    said = [
        f"{counts[name]} {name}"
        for name in ("same direction", "no evidence", "opposite")
        if counts[name]
    ]
    return f"**{', '.join(said)}** of {len(rows)} contrasts."


def _table(rows: Iterable[tuple[Contrast, Shown]]) -> str:
    return _markdown(
        (
            "level",
            "stands for",
            "paper",
            "here, largest scale",
            "p (Holm)",
            "at every scale",
            "verdict",
        ),
        (
            (
                contrast.level,
                contrast.printed,
                f"{contrast.points:+.1f}",
                _effect(found),
                _NONE if found.p is None else f"{found.p:.2g}",
                " ".join(f"{effect:+.1f}" for effect in found.at_scales),
                found.agreement,
            )
            for contrast, found in rows
        ),
    )


def _effect(found: Shown) -> str:
    if found.ci is None:
        return f"{found.effect:+.1f} (no error known)"
    low, high = found.ci
    return f"{found.effect:+.1f} [{low:+.1f}, {high:+.1f}]"


def _scaling(proxies: Sequence[Proxy]) -> str:
    if not proxies:
        return ""
    lines = [
        "## R² with the largest model rises with the size of the small one",
        "Printed in section 4 with .69, .83 and .94 for 0.5B, 1.5B and 4B against 7B. "
        + _rising(proxies),
        _markdown(
            ("scale", "designs", "R² [95 %]", "pairs in the right order", "verdict"),
            (
                (
                    proxy.scale,
                    str(proxy.n),
                    _with_ends(proxy.r2, proxy.r2_ci),
                    f"{proxy.decision_accuracy:.0%}",
                    proxy.verdict,
                )
                for proxy in proxies
            ),
        ),
    ]
    return "\n\n".join(lines)


def _rising(proxies: Sequence[Proxy]) -> str:
    rises = all(a.r2 < b.r2 for a, b in pairwise(proxies))
    told = "It rises here too" if rises else "Here it does not rise throughout"
    first, last = proxies[0].r2_ci, proxies[-1].r2_ci
    apart = first is not None and last is not None and first[1] < last[0]
    return told + (
        ", and the intervals of the ends are apart: **same direction**."
        if rises and apart
        else "; the intervals of the ends overlap: **no evidence** either way."
        if not apart
        else "."
    )


def _data(sizes: Sequence[AtSize]) -> str:
    if not sizes:
        return ""
    lines = [
        "## R² levels off with the amount of training data",
        "Printed in figure 3, where little is gained beyond some 500 thousand samples. With few "
        "designs the intervals are wide, which is the first thing to see in this table.",
        _markdown(
            ("samples", "designs", "R² at equal data [95 %]", "R² with the most data [95 %]"),
            (
                (
                    f"{size.samples:,.0f}",
                    str(size.n),
                    _with_ends(size.r2, size.r2_ci),
                    _with_ends(size.r2_with_most, size.r2_with_most_ci),
                )
                for size in sizes
            ),
        ),
    ]
    return "\n\n".join(lines)


def _with_ends(value: float | None, ends: tuple[float, float] | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.2f}" + ("" if ends is None else f" [{ends[0]:.2f}, {ends[1]:.2f}]")


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines(header, rows))


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield f"| {' | '.join(row)} |"
