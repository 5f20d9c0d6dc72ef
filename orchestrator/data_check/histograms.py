"""Pictures of what was found: how long, how large, how fast, how many tokens."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _INK, _WARN = "#0072b2", "#1c2127", "#b04a00"
_MOST = 12  # resolutions that get a bar


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: of its files, without ending.
        caption: what is seen.
        png, svg: the files.
    """

    name: str
    caption: str
    png: bytes
    svg: str


def spread(
    name: str, values: Sequence[float], *, unit: str, caption: str, limit: float | None = None
) -> Picture:
    """A histogram; on a logarithmic axis where values span more than a factor of 50.

    Args:
        values: at least one.
        unit: under the axis.
        limit: a value to be marked, as what a language model takes.
    """
    axes, finish = _canvas()
    held = np.asarray(values, float)
    low, high = float(held.min()), float(held.max())
    if low > 0 and high > 50 * low:
        bins = np.geomspace(low, high, 41)
        axes.set_xscale("log")
    else:
        bins = np.linspace(low, high, 41) if high > low else np.array([low - 0.5, low + 0.5])
    axes.hist(held, bins=bins.tolist(), color=_BLUE)
    if limit is not None:
        axes.axvline(limit, color=_WARN, linewidth=1.5)
        axes.annotate(
            f"the model takes {limit:g}", (limit, 0.97), xycoords=("data", "axes fraction"),
            ha="right", va="top", rotation=90, color=_WARN, fontsize=8,
        )  # fmt: skip
    axes.set_xlabel(unit)
    axes.set_ylabel("how many")
    return finish(name, caption)


def resolutions(sizes: Counter[tuple[int, int]], *, caption: str) -> Picture:
    """A bar for each of the most frequent sizes, the rest together."""
    axes, finish = _canvas()
    top = sizes.most_common(_MOST)
    names = [f"{width} x {height}" for (width, height), _ in top]
    counts = [count for _, count in top]
    rest = sum(sizes.values()) - sum(counts)
    if rest:
        names.append(f"{len(sizes) - len(top)} other sizes")
        counts.append(rest)
    axes.barh(range(len(names)), counts, color=_BLUE)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("how many")
    return finish("resolutions", caption)


def _canvas():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.grid(color="#dfe3e8", linewidth=0.7)

    def finish(name: str, caption: str) -> Picture:
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", dpi=150)
        figure.savefig(svg, format="svg", metadata={"Date": None})
        drawn = svg.getvalue()
        return Picture(name, caption, png.getvalue(), drawn[drawn.index("<svg") :])

    return axes, finish
