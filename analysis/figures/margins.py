"""Decision accuracy against how far apart designs are: small differences are a coin's toss."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from analysis.figures.style import (
    COLOURS,
    INK,
    MARKERS,
    STYLE,
    WIDTH,
    Picture,
    canvas,
    picture,
    quiet,
    shorten,
)
from analysis.findings.pair import Pair


@mpl.rc_context(STYLE)
def draw_margins(name: str, pairs: Sequence[Pair], unit: str) -> Picture | None:
    """Draw one curve per proxy of the same large scale; None where no curve has two points.

    Of more proxies than colours the largest are drawn.
    """
    drawn = [pair for pair in pairs if len(pair.margins) > 1][-len(COLOURS) :]
    if not drawn:
        return None
    figure, (axes,) = canvas(WIDTH - 0.4, 3.2)
    axes.axhline(0.5, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    axes.annotate(
        "a coin",
        (1, 0.5),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
    )
    for position, pair in enumerate(drawn):
        look = {"color": COLOURS[position], "marker": MARKERS[position], "markersize": 3.5}
        beyond = [(m.margin, m.decision_accuracy) for m in pair.margins if m.pairs]
        closer = [(m.margin, m.decision_accuracy_closer) for m in pair.margins if m.pairs_closer]
        axes.plot(*zip(*beyond, strict=True), **look, linewidth=1.5, label=shorten(pair.small, 24))
        if closer:
            axes.plot(*zip(*closer, strict=True), **look, linewidth=1, linestyle="--", alpha=0.75)
    axes.plot([], [], color=INK, linewidth=1.5, label="pairs at least so far apart")
    axes.plot([], [], color=INK, linewidth=1, linestyle="--", label="pairs closer than that")
    axes.set_ylim(-0.03, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    large = drawn[0].large
    axes.set_xlabel(f"difference of two designs at {shorten(large, 30)} ({unit})")
    axes.set_ylabel("decision accuracy (share of pairs)")
    quiet(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=2)
    caption = (
        f"{drawn[0].metric}: share of pairs of designs that a smaller scale orders as {large} does,"
        f" by how far apart they are there; a tie counts one half"
    )
    return picture(figure, name, caption)
