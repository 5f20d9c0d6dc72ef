"""The proxy frontier: what each smaller scale is worth, and sure of, against its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

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
    sized_ticks,
)
from analysis.findings.proxies import Proxy
from analysis.findings.sentences import parameters
from analysis.statistics.intervals import Interval
from analysis.statistics.proxy_choice import TARGETS


@mpl.rc_context(STYLE)
def draw_proxies(name: str, proxies: Sequence[Proxy], unit: str) -> Picture | None:
    """Draw R², decision accuracy and regret of every proxy; None where there is only one."""
    if len(proxies) < 2 or all(proxy.r2 is None for proxy in proxies):
        return None
    known, by_cost = _places(proxies)
    figure, (top, middle, bottom) = canvas(WIDTH - 0.6, 5.4, rows=3)
    names = [p.proxy for p in proxies]
    if known:
        names = [f"{x:g}" if by_cost else parameters(x) for x in known]
    x = sized_ticks(bottom, known, names)
    _series(top, x, [p.r2 for p in proxies], [p.r2_ci_believed for p in proxies], 0, "all designs")
    for place, block in enumerate(proxies[0].r2_within, start=1):
        within = [proxy.r2_within[block] for proxy in proxies]
        _series(top, x, within, [None] * len(x), place, f"within {shorten(block, 20)}")
    accuracies = [p.decision_accuracy for p in proxies]
    ends = [p.decision_accuracy_ci_believed for p in proxies]
    _series(middle, x, accuracies, ends, 0, "all designs")
    _series(bottom, x, [p.regret for p in proxies], [None] * len(x), 0, "all designs")
    for axes, target in ((top, TARGETS["r2"]), (middle, TARGETS["decision_accuracy"])):
        axes.axhline(target, color=INK, linewidth=0.9, linestyle=":", zorder=1, label="target")
        axes.set_ylim(-0.04, 1.04)
    top.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    bottom.set_ylim(bottom=min(0.0, bottom.get_ylim()[0]))
    labels = ("R²", "decision accuracy\n(share of pairs)", f"regret\n({unit})")
    for axes, label in zip((top, middle, bottom), labels, strict=True):
        axes.set_ylabel(label)
        quiet(axes)
    what = "cost of the proxy (as given" if by_cost else "size of the proxy (parameters"
    bottom.set_xlabel(f"{what}, log scale)" if known else "proxy")
    figure.align_ylabels()
    caption = (
        f"{proxies[0].metric}: what smaller scales are worth as proxies for {proxies[0].target},"
        " with the 95 % intervals to believe; dotted: the target that the lower end has to reach"
    )
    return picture(figure, name, caption)


def _places(proxies: Sequence[Proxy]) -> tuple[list[float] | None, bool]:
    """Where each proxy stands: at its cost where one is given, else at its size, else nowhere."""
    costs = [proxy.cost for proxy in proxies if proxy.cost is not None]
    sizes = [proxy.size for proxy in proxies if proxy.size is not None]
    known = costs or sizes
    return (known if len(known) == len(proxies) else None), bool(costs)


def _series(
    axes: Axes,
    x: np.ndarray,
    values: Sequence[float | None],
    ends: Sequence[Interval | None],
    place: int,
    label: str,
) -> None:
    """Draw one line with whiskers where an interval is known; gaps where a value is not."""
    colour = COLOURS[place % len(COLOURS)]
    line = [np.nan if value is None else value for value in values]
    look: dict[str, Any] = {
        "color": colour,
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": "-" if place == 0 else "--",
    }
    axes.plot(x, line, markersize=5, linewidth=1.2, label=label, **look)
    for position, interval in zip(x, ends, strict=True):
        if interval:
            axes.plot((position, position), interval, color=colour, linewidth=1.2)
