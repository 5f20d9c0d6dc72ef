"""An audit as one self-contained HTML page: sentences first, then figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from analysis.benchmarks.audit import REGIMES, Audit
from analysis.benchmarks.audit_sentences import (
    REGIME_WORDS,
    describe_benchmark,
    describe_matrix,
    flag_lines,
    p_value,
    signed_points,
)
from analysis.benchmarks.group_scores import ALL
from analysis.benchmarks.letter_balance import ANSWERS, LetterCount
from analysis.benchmarks.regime_gaps import COMPARISONS, NEGLIGIBLE
from analysis.figures.style import Picture
from analysis.page.page import interval
from analysis.page.rendering import render

# Rows of a table that a reader scrolls past; all of them are in the CSV beside the page.
MOST_ROWS = 40

Row = TypeVar("Row")


@dataclass(frozen=True)
class AuditPictures:
    """The figures: benchmarks by regime, groups by regime, matrices of R²."""

    regimes: Picture
    groups: tuple[Picture, ...]
    matrices: tuple[Picture, ...]

    def drawn(self) -> tuple[Picture, ...]:
        """All of them, in the order of the page."""
        return (self.regimes, *self.matrices, *self.groups)


def render_audit(
    found: Audit, pictures: AuditPictures, *, title: str, provenance: Mapping[str, object]
) -> str:
    """Render the page; `provenance` is flat facts about where the answers came from."""
    return render(
        "audit.html",
        title=title,
        filters={"interval": interval, "signed": signed_points, "p": p_value},
        values={
            "found": found,
            "pictures": pictures,
            "cards": [(name, describe_benchmark(found, name)) for name in found.benchmarks],
            "redundancy": [(_of(m.column), describe_matrix(m)) for m in found.matrices],
            "flags": flag_lines(found),
            "words": REGIME_WORDS,
            "comparisons": [
                c for c in COMPARISONS if any((g.first, g.second) == c for g in found.gaps)
            ],
            "regimes": _regimes(found),
            "rows": _group_rows(found),
            "pairs": _first(
                [p for m in found.matrices for p in m.pairs], key=lambda p: -(p.r2 or 0.0)
            ),
            "copies": _first(found.copies, key=lambda pair: pair.p),
            "keys": [c for c in found.letters if c.of == ANSWERS],
            "choices": _first(
                [c for c in found.letters if c.of != ANSWERS and c.flag], key=_unevenness
            ),
            "solved": _first(
                [(s, item) for s in found.solvable for item in s.items if item.flag],
                key=lambda pair: -pair[1].probability,
            ),
            "most": MOST_ROWS,
            "negligible": NEGLIGIBLE,
            "provenance": provenance,
        },
    )


def _of(column: str) -> str:
    return "Whole benchmarks" if column == ALL else f"Groups by {column}"


def _regimes(found: Audit) -> list[str]:
    met = dict.fromkeys(a.regime for a in found.accuracies)
    return sorted(met, key=lambda name: (REGIMES + tuple(met)).index(name))


def _group_rows(found: Audit) -> list[dict[str, object]]:
    """One row per benchmark and group, with its accuracies and gaps by name."""
    places = dict.fromkeys((a.benchmark, a.column, a.group) for a in found.accuracies)
    rows: dict[tuple[str, str, str], dict[str, object]] = {}
    accuracies = {place: {} for place in places}
    gaps = {place: {} for place in places}
    for a in found.accuracies:
        accuracies[a.benchmark, a.column, a.group][a.regime] = a
    for g in found.gaps:
        gaps[g.benchmark, g.column, g.group][g.first, g.second] = g
    for benchmark, column, group in sorted(places, key=lambda p: found.benchmarks.index(p[0])):
        place = (benchmark, column, group)
        rows[place] = {
            "benchmark": benchmark,
            "column": column,
            "group": group,
            "accuracies": accuracies[place],
            "gaps": gaps[place],
            "chance": next(
                (a.chance for a in accuracies[place].values() if a.chance is not None), None
            ),
        }
    return list(rows.values())


def _unevenness(count: LetterCount) -> float:
    return count.share_expected - count.share


def _first(rows: Sequence[Row], key: Callable[[Row], float]) -> tuple[list[Row], int]:
    """The first rows in an order, and how many are left out."""
    ordered = sorted(rows, key=key)
    return ordered[:MOST_ROWS], max(0, len(ordered) - MOST_ROWS)
