"""What becomes of all pairs of designs: ordered alike, or wrongly and why."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from analysis.figures.style import INK, STYLE, WIDTH, Picture, canvas, picture, quiet, wrapped
from analysis.findings.pair import Pair
from analysis.statistics.reliability import PairNoise

# Light to dark, with hatches, so that the parts stay apart in grey print.
PARTS = (
    ("ordered alike, or tied", "#dfe7ee", ""),
    ("wrong, noise at the small scale", "#9fc6e0", "//"),
    ("wrong, noise at the large scale", "#4f97c4", "\\\\"),
    ("wrong beyond noise", "#D55E00", ""),
)


@mpl.rc_context(STYLE)
def draw_noise(name: str, pairs: Sequence[Pair]) -> Picture | None:
    """Draw a bar per pair of scales whose noise is known at both; None where there is none."""
    known = [(pair, parts) for pair in pairs if pair.noise and (parts := split(pair.noise))]
    if not known:
        return None
    figure, (axes,) = canvas(WIDTH - 0.9, 0.6 + 0.42 * len(known))
    for row, (_, parts) in enumerate(known):
        left = 0.0
        for share, (_, colour, hatch) in zip(parts, PARTS, strict=True):
            axes.barh(
                row, share, left=left, height=0.66, color=colour, hatch=hatch, edgecolor="white"
            )
            left += share
    handles = [Patch(facecolor=c, hatch=h, edgecolor="white", label=label) for label, c, h in PARTS]
    axes.set_yticks(
        range(len(known)), [f"{wrapped(p.small, 20)}\n→ {wrapped(p.large, 20)}" for p, _ in known]
    )
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("share of pairs of designs", color=INK)
    quiet(axes, grid="x")
    below = -0.5 / figure.get_figheight() - 0.12
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.35, below), ncols=2)
    caption = (
        f"{known[0][0].metric}: pairs of designs ordered alike by two scales, and those ordered"
        " wrongly by whether noise can explain it"
    )
    return picture(figure, name, caption)


def split(noise: PairNoise) -> tuple[float, float, float, float] | None:
    """Shares of the pairs by `PARTS`; None where the noise of a scale is not known."""
    lost = (
        noise.wrong_undecidable_small,
        noise.wrong_undecidable_large,
        noise.wrong_real_reversal,
    )
    if lost[0] is None or lost[1] is None or lost[2] is None or noise.pairs == 0:
        return None
    small, large, real = (share / noise.pairs for share in (lost[0], lost[1], lost[2]))
    return (1.0 - small - large - real, small, large, real)
