"""A page from its template: what every page has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from analysis.findings.sentences import number, percent
from analysis.page.inline_svg import Letters, draw_into

# Where the outlines of letters go: known only when all figures are in.
_OUTLINES = "<!-- outlines of letters -->"


def render(
    template: str,
    *,
    title: str,
    filters: Mapping[str, Callable[..., str]],
    values: Mapping[str, object],
) -> str:
    """Fill in a template of this folder.

    Args:
        template: its file.
        title: of the page.
        filters: what it writes values with, beside `number`, `percent` and `inlined` (a figure).
        values: what it shows, by name.
    """
    letters = Letters()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, percent=percent, inlined=letters.inline, **filters)
    page = environment.get_template(template).render(
        title=title, outlines=Markup(_OUTLINES), **values
    )
    return draw_into(page, letters, _OUTLINES)
