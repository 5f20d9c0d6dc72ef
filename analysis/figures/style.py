"""What all figures of the report share: colours, style, names that fit, and both file formats.

Drawn with matplotlib's object interface (no global state, no display). Colours are Okabe and Ito's,
which colour-blind readers tell apart, with a marker shape for each so that grey print works too. No
figure of few scales is wider than a phone needs to show its letters.
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.table.table import BASE, ScoreTable

# Okabe and Ito (2008), "Color universal design"; yellow left out, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, SOFT, FAINT = "#22262b", "#8a8f98", "#e4e7eb"
# Inches; about 350 points, so that 9-point letters stay above 9 pixels on a phone.
WIDTH = 4.5
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "xtick.color": "#454b54",
    "ytick.color": "#454b54",
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    # Names come from the user's table; a dollar sign in them is no formula.
    "text.parse_math": False,
    # Element ids from the content alone, so that the same table gives the same file.
    "svg.hashsalt": "analysis",
}
PIXELS_PER_INCH = 140


@dataclass(frozen=True)
class Picture:
    """A drawn figure: the file's stem, a caption that a screen reader can say, and its bytes."""

    name: str
    caption: str
    png: bytes
    svg: bytes


def canvas(width: float, height: float, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many inches with so many plots above each other, sharing their x."""
    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])


def quiet(axes: Axes, *, grid: Literal["both", "x", "y"] = "both") -> None:
    """Take away the frame's upper right half and lay a faint grid under the data."""
    axes.grid(visible=True, axis=grid, color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def picture(figure: Figure, name: str, caption: str) -> Picture:
    """Render one figure in both formats, cut to what is drawn."""
    with warnings.catch_warnings():
        # A name in a script that the bundled font lacks shows boxes; the page's text has it right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Measured once for both formats, with room for letters that are wider in the other.
        edges = figure.get_tightbbox().padded(0.1)
        return Picture(
            name, caption, _rendered(figure, "png", edges), _rendered(figure, "svg", edges)
        )


def _rendered(figure: Figure, form: Literal["png", "svg"], edges: Bbox) -> bytes:
    buffer = io.BytesIO()
    # Without a date and a version, the same table gives the same bytes.
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    figure.savefig(buffer, format=form, metadata=metadata, bbox_inches=edges)
    return buffer.getvalue()


def wrapped(name: str, width: int = 13) -> str:
    """Break a long scale name at its dashes, so that ticks do not run into each other."""
    return "\n".join(textwrap.wrap(shorten(name, 3 * width), width, break_on_hyphens=True))


def shorten(name: str, width: int) -> str:
    """Leave out a long name's middle: names of designs differ at their ends more often."""
    if len(name) <= width:
        return name
    return f"{name[: width // 2 - 1]}…{name[len(name) - (width - width // 2) :]}"


def distinct(names: Sequence[str], width: int) -> list[str]:
    """Shorten names so that they differ: those that would not are cut about where they part."""
    short = [shorten(name, width) for name in names]
    found: list[str] = []
    for name, cut in zip(names, short, strict=True):
        alike = [other for other, same in zip(names, short, strict=True) if same == cut]
        start = _parting(alike) if len(set(alike)) > 1 else 0
        own = name[max(start - 3, 0) : max(start - 3, 0) + width - 8]
        found.append(f"{name[:5]}…{own}…" if start > 5 else cut)
    return found


def _parting(names: Sequence[str]) -> int:
    """How many first letters all names share."""
    return next(
        (at for at, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1),
        min(len(name) for name in names),
    )


def shades(count: int) -> list[tuple[float, float, float, float]]:
    """Colours for an ordered row of scales, dark to light, that stay in order in grey print."""
    return [mpl.colormaps["cividis"](place) for place in np.linspace(0.05, 0.8, max(count, 1))]


def sized_ticks(axes: Axes, sizes: Sequence[float] | None, names: Sequence[str]) -> np.ndarray:
    """Place scales along x: by size on a logarithmic axis, else by order; return the places."""
    if sizes is None:
        places = np.arange(len(names), dtype=float)
        axes.set_xticks(places, [wrapped(name) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        return places
    places = np.array(sizes, dtype=float)
    axes.set_xscale("log")
    axes.set_xticks(places, [wrapped(name) for name in names])
    axes.set_xticks([], minor=True)
    low, high = places.min(), places.max()
    room = (high / low) ** 0.15 if high > low else 2.0
    axes.set_xlim(low / room, high * room)
    return places


def group_designs(table: ScoreTable) -> tuple[str | None, Mapping[str, str]]:
    """Choose what colours mean: the first block, else the axis on which a design leaves base.

    Returns:
        A legend title and design -> group; every design in group "designs" where neither is known
        or there are more groups than colours.
    """
    title: str | None = None
    groups = dict.fromkeys(table.designs.index, "designs")
    if table.blocks:
        title = table.blocks[0]
        groups = dict(table.designs[title])
    elif table.axes and (table.designs[list(table.axes)] == BASE).any(axis=None):
        title = "axis changed"
        groups = {
            design: _changed(dict(zip(table.axes, levels, strict=True)))
            for design, levels in zip(
                table.designs.index, table.designs[list(table.axes)].to_numpy(), strict=True
            )
        }
    if len(set(groups.values())) > len(COLOURS):
        return None, dict.fromkeys(groups, "designs")
    return title, groups


def _changed(levels: Mapping[str, str]) -> str:
    changed = [axis for axis, level in levels.items() if level != BASE]
    return changed[0] if len(changed) == 1 else "several" if changed else BASE
