"""Scores over the size of training data, for a table that has an axis of sizes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl

from analysis.figures.style import (
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
from analysis.findings.data_sizes import DataSizeCurve


@mpl.rc_context(STYLE)
def draw_data_sizes(name: str, curves: Sequence[DataSizeCurve], unit: str) -> Picture:
    """Draw one axis' curves, a line per scale; the knee is marked where a curve was chosen."""
    figure, (axes,) = canvas(WIDTH - 0.4, 3.2)
    for place, (curve, colour) in enumerate(zip(curves, shades(len(curves)), strict=True)):
        axes.plot(
            curve.sizes,
            curve.scores,
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4.5,
            label=shorten(curve.scale, 24),
        )
        if curve.plateau.knee is not None and curve.plateau.chosen is not None:
            axes.axvline(curve.plateau.knee, color=colour, linewidth=0.9, linestyle=":")
    axes.set_xscale("log")
    axes.set_xlabel(f"{shorten(curves[0].axis, 30)} (log scale)")
    axes.set_ylabel(f"{shorten(curves[0].metric, 30)} ({unit})")
    quiet(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    caption = f"{curves[0].metric}: mean score over {curves[0].axis}; dotted where a knee was found"
    return picture(figure, name, caption)
