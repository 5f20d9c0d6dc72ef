"""Accuracy with video, one frame and text alone, beside what guessing gets and what video adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from analysis.benchmarks.regime_gaps import Accuracy, Gap
from analysis.figures.style import INK, STYLE, Picture, canvas, picture, quiet, wrapped
from analysis.findings.sentences import number

# Fill and hatching: told apart in grey print and by colour-blind readers.
LOOKS: Mapping[str, tuple[str, str]] = {
    "video": ("#0072B2", ""),
    "shuffled": ("#9ccbe6", "...."),
    "center_frame": ("#E69F00", ""),
    "text": ("#ffffff", "/////"),
}
NAMES: Mapping[str, str] = {
    "video": "video",
    "shuffled": "shuffled frames",
    "center_frame": "one frame",
    "text": "text alone",
    "chance": "guessing",
}
# What one picture tells, what the question alone does, and what the order of frames is worth.
_BESIDE = (("video", "center_frame"), ("video", "text"), ("video", "shuffled"))
_OTHER = ("#d5d9de", "xxxx")


@dataclass(frozen=True)
class Row:
    """One benchmark or group: its accuracies by regime and its gaps by comparison."""

    label: str
    accuracies: Mapping[str, Accuracy]
    gaps: Mapping[tuple[str, str], Gap]


@mpl.rc_context(STYLE)
def draw_regimes(name: str, caption: str, rows: Sequence[Row]) -> Picture:
    """Draw a group of bars for each row, with paired differences written at the right."""
    regimes = [r for r in LOOKS if any(r in row.accuracies for row in rows)]
    regimes += sorted({r for row in rows for r in row.accuracies} - set(regimes))
    beside = [c for c in _BESIDE if any(c in row.gaps for row in rows)]
    thick, step = 0.8 / len(regimes), max(0.62, 0.2 * len(regimes) + 0.12)
    figure, (axes,) = canvas(2.8, 0.9 + step * len(rows))
    for at, row in enumerate(rows):
        for place, regime in enumerate(regimes):
            if (found := row.accuracies.get(regime)) is not None:
                _bar(axes, at - 0.4 + thick * (place + 0.5), thick, found)
        _chance(axes, at, row)
        for column, comparison in enumerate(beside):
            _gap(axes, at, column, row.gaps.get(comparison))
    for column, (first, second) in enumerate(beside):
        axes.text(
            1.05 + 0.46 * column,
            1.0,
            f"{NAMES[first]} −\n{NAMES[second]},\npoints",
            transform=axes.transAxes,
            fontsize=7.5,
            va="bottom",
            color=INK,
        )
    _frame(axes, rows, regimes)
    return picture(figure, name, caption)


def _bar(axes: Axes, at: float, thick: float, found: Accuracy) -> None:
    mean = found.accuracy
    fill, hatch = LOOKS.get(found.regime, _OTHER)
    axes.barh(
        at, mean.value, height=0.9 * thick, color=fill, hatch=hatch, edgecolor=INK, linewidth=0.6
    )
    if mean.ci is not None:
        axes.plot(np.clip(mean.ci, 0, 100), [at, at], color="white", linewidth=2.6)
        axes.plot(np.clip(mean.ci, 0, 100), [at, at], color=INK, linewidth=1.1)


def _chance(axes: Axes, at: float, row: Row) -> None:
    chance = next((a.chance for a in row.accuracies.values() if a.chance is not None), None)
    if chance is not None:
        ends = [at - 0.46, at + 0.46]
        axes.plot([chance, chance], ends, color="white", linewidth=3.0)
        axes.plot([chance, chance], ends, color=INK, linewidth=1.3, linestyle=(0, (3, 1.4)))


def _gap(axes: Axes, at: float, column: int, gap: Gap | None) -> None:
    """Write a difference in points, bold where it is not 0, its interval below."""
    if gap is None:
        return
    mean = gap.gap
    sign = "+" if mean.value > 0.05 else ""
    place = axes.get_yaxis_transform()
    x = 1.05 + 0.46 * column
    sure = "bold" if gap.verdict in ("higher", "lower") else "normal"
    value = f"{sign}{number(mean.value, 1)}"
    axes.text(x, at - 0.02, value, transform=place, weight=sure, va="bottom")
    low_high = "–" if mean.ci is None else " to ".join(number(end, 1) for end in mean.ci)
    axes.text(x, at + 0.02, low_high, transform=place, fontsize=7, va="top", color="#454b54")


def _frame(axes: Axes, rows: Sequence[Row], regimes: Sequence[str]) -> None:
    quiet(axes, grid="x")
    axes.set_yticks(range(len(rows)), [wrapped(row.label, 16) for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("accuracy, % (mean over models)")
    handles: list[Patch] = []
    for regime in regimes:
        fill, hatch = LOOKS.get(regime, _OTHER)
        name = NAMES.get(regime, regime)
        handles.append(Patch(facecolor=fill, hatch=hatch, edgecolor=INK, linewidth=0.6, label=name))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.0,
    )
