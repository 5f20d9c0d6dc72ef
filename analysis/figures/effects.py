"""The effects of an axis as a forest: every level less the reference, at every scale."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from analysis.figures.style import (
    INK,
    MARKERS,
    STYLE,
    WIDTH,
    Picture,
    canvas,
    picture,
    quiet,
    shades,
    shorten,
)
from analysis.findings.axis_effects import AxisEffects, LevelEffect

# The levels with the largest effects; a longer forest is not read.
MOST_LEVELS = 24
# Whiskers longer than so many ranges of the effects leave the frame.
LONGEST = 1.0


@mpl.rc_context(STYLE)
def draw_effects(name: str, found: AxisEffects, scales: Sequence[str], unit: str) -> Picture | None:
    """Draw an axis' effects with their 95 % intervals; None where it has none."""
    by_level: dict[str, dict[str, LevelEffect]] = {}
    for effect in found.effects:
        by_level.setdefault(effect.level, {})[effect.scale] = effect
    if not by_level:
        return None
    levels = _strongest(by_level, scales)
    step = max(0.13 * len(scales) + 0.12, 0.26)
    figure, (axes,) = canvas(WIDTH - 0.9, 0.7 + step * len(levels))
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    for place, (scale, colour) in enumerate(zip(scales, shades(len(scales)), strict=True)):
        shift = (place - (len(scales) - 1) / 2) * 0.72 / max(len(scales), 1)
        _draw_scale(
            axes,
            {row + shift: by_level[level].get(scale) for row, level in enumerate(levels)},
            colour,
            MARKERS[place % len(MARKERS)],
            shorten(scale, 24),
        )
    _frame(axes, found, levels)
    axes.set_yticks(range(len(levels)), [shorten(level, 22) for level in levels])
    axes.set_ylim(len(levels) - 0.45, -0.55)
    axes.set_xlabel(f"level less {shorten(found.reference, 24)} ({unit})")
    axes.set_title(f"{shorten(found.axis, 30)}: effects")
    quiet(axes, grid="x")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.42 / figure.get_figheight() - 0.06), ncols=2
    )
    hidden = len(by_level) - len(levels)
    caption = (
        f"{found.metric}: effects of {found.axis}, each level less {found.reference}, in {unit},"
        " with 95 % intervals; hollow marks have nothing to tell their noise from"
        + (f"; the {len(levels)} largest, {hidden} more are in report.json" if hidden else "")
    )
    return picture(figure, name, caption)


def _strongest(by_level: dict[str, dict[str, LevelEffect]], scales: Sequence[str]) -> list[str]:
    """Order levels by their effect at the largest scale that has one, and keep the largest."""

    def value(level: str) -> float:
        return next(by_level[level][s].effect for s in reversed(scales) if s in by_level[level])

    kept = sorted(by_level, key=lambda level: -abs(value(level)))[:MOST_LEVELS]
    return sorted(kept, key=lambda level: -value(level))


def _draw_scale(
    axes: Axes,
    rows: dict[float, LevelEffect | None],
    colour: tuple[float, ...],
    marker: str,
    label: str,
) -> None:
    for y, effect in rows.items():
        if effect is None:
            continue
        if effect.ci:
            axes.plot(effect.ci, (y, y), color=colour, linewidth=1.1, zorder=2)
        axes.plot(
            effect.effect,
            y,
            marker=marker,
            markersize=4.5,
            color=colour,
            markerfacecolor=colour if effect.ci else "white",
            linestyle="none",
            zorder=3,
        )
    axes.plot([], [], marker=marker, markersize=4.5, color=colour, linewidth=1.1, label=label)


def _frame(axes: Axes, found: AxisEffects, levels: Sequence[str]) -> None:
    """Keep the effects large: a whisker of two contexts may be ten times as long as they are."""
    shown = [effect for effect in found.effects if effect.level in levels]
    values = np.array([0.0, *(effect.effect for effect in shown)])
    ends = np.array([0.0, *(end for effect in shown for end in effect.ci or ())])
    spread = float(np.ptp(values)) or 1.0
    low = max(min(values.min(), ends.min()), values.min() - LONGEST * spread)
    high = min(max(values.max(), ends.max()), values.max() + LONGEST * spread)
    axes.set_xlim(low - 0.05 * spread, high + 0.05 * spread)
