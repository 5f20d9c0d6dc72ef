"""What is wrong in a sweep file: a key path and a sentence, told with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from apollo_core.errors import BadInput
from orchestrator.spec.yaml_reading import KeyPath, YamlDocument

_SHOWN = 5
# Names in a list of what is known. A fixed choice of ours (the catalogue's) fits as a whole.
_KNOWN = 20


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        where: key path in the file.
        text: which value, what is allowed, what to do; no full stop needed at the end.
    """

    where: KeyPath
    text: str


def dotted(where: KeyPath) -> str:
    """`("seeds", 0)` as `seeds.0`."""
    return ".".join(str(part) for part in where)


def nearest(name: str, options: Sequence[str]) -> str:
    """A hint with the nearest of `options` and the first few, to end a problem's text.

    An option given twice is told once.
    """
    known = sorted(set(options))
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    told = ", ".join(known[:_KNOWN]) or "none"
    more = f" and {len(known) - _KNOWN} more" if len(known) > _KNOWN else ""
    return f".{hint} Known: {told}{more}"


def refuse(problems: Sequence[Problem], document: YamlDocument | None, *, name: str) -> None:
    """Raise one `BadInput` that tells the first few problems; return when there is none.

    Args:
        problems: what was found.
        document: the file, for lines; None for a sweep that no file holds.
        name: what to call the sweep without a file.
    """
    if not problems:
        return
    ordered = list(problems)
    if document is not None:
        ordered.sort(key=lambda problem: document.line(problem.where))
    lines = [_told(problem, document, name) for problem in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"... and {len(ordered) - _SHOWN} more.")
    raise BadInput("\n".join(lines))


def _told(problem: Problem, document: YamlDocument | None, name: str) -> str:
    place = f"{document.path}:{document.line(problem.where)}" if document else name
    where = f" {dotted(problem.where)}:" if problem.where else ""
    return f"{place}:{where} {problem.text.rstrip('.')}."
