"""Figures as SVG inside an HTML page, with the outlines of letters written once for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup

from analysis.figures.style import Picture

_NOT_DRAWN = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>|<style.*?</style>", re.DOTALL
)
# matplotlib names outlines after font and glyph: the same name is the same outline everywhere.
_LETTER = re.compile(r'<path id="(DejaVu[^"]*)"[^>]*/>')
# Pixels on the page per point of the figure: all figures show their letters at one size.
ZOOM = 1.42


class Letters:
    """Collects the outlines of letters while figures are put into a page."""

    def __init__(self) -> None:
        self._outlines: dict[str, str] = {}

    def inline(self, picture: Picture) -> Markup:
        """Return the figure as an `svg` element that needs `definitions` in the same page.

        It holds nothing that a table could write: letters are outlines, and comments, which quote
        the text, are cut out.
        """
        drawn = _NOT_DRAWN.sub("", picture.svg.decode("utf-8"))
        self._outlines |= {found[1]: found[0] for found in _LETTER.finditer(drawn)}
        bare = _without_idle_ids(_LETTER.sub("", drawn))
        return Markup(_tight(_sized(bare, picture.caption)))

    def definitions(self) -> Markup:
        """Return the outlines of all letters used so far."""
        outlines = _tight("".join(self._outlines.values()))
        return Markup(
            '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
            f"{outlines}</defs></svg>"
        )


def draw_into(page: str, letters: Letters, place: str) -> str:
    """Put the outlines where the page has `place`: they are known when all of it is written."""
    return page.replace(place, str(letters.definitions()), 1)


def _without_idle_ids(svg: str) -> str:
    """Cut ids that nothing in the figure refers to: several figures share one page."""
    used: Iterable[str] = set(re.findall(r"#([^\")]+)", svg))
    return re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)


def _tight(svg: str) -> str:
    """Write the same drawing with fewer letters: most of a figure is references to outlines."""
    # Hundredths of a point; numbers below 1 may scale things and keep their digits.
    short = re.sub(r"\b([1-9]\d*\.\d\d)\d+", r"\1", svg).replace("xlink:href", "href")
    short = re.sub(r'transform="translate\(([\d.]+) 0\)"', r'x="\1"', short)
    short = re.sub(r"<defs>\s*</defs>", "", short).replace("DejaVuSans-", "letter-")
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", short)).strip()


def _sized(svg: str, caption: str) -> str:
    """Let the figure shrink with the page but not grow beyond its letters' size."""
    width = float(re.findall(r'<svg[^>]*? width="([\d.]+)pt"', svg)[0])
    head = Markup('<svg role="img" aria-label="{}" style="max-width: {:.0f}px"').format(
        caption, width * ZOOM
    )
    return re.sub(
        r"<svg(.*?) width=\"[\d.]+pt\" height=\"[\d.]+pt\"",
        lambda m: head + Markup(m[1]),
        svg,
        count=1,
    )
