"""Every error that a user can cause, as one tree.

    ApolloError
    |- BadInput            the sweep file, an option or an identifier is wrong (exit code 2)
    |  |- DataMissing      data or weights that a sweep names are not there, or not pinned
    |- StageFailed         a stage stopped; `failure_class` says how it is to be treated
       |- BadData          media or a manifest cannot be used (class "data": no retry)
       |  |- DecodeFailed  one media file: path, reason
       |- Diverged         loss became NaN or infinite (class "diverged": no retry)
       |- DamagedResult     a result that the stage starts from has changed (class "damaged")
       |- LeaseLost        another driver took the stage over (class "lease": stop at once)

A Ray worker's error crosses a process border, so each class pickles to itself: the constructor's
arguments are kept in `args`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class ApolloError(Exception):
    """Base of every error with a message meant for the user."""


class BadInput(ApolloError):
    """What the user gave is wrong; nothing was started."""


class DataMissing(BadInput):
    """Data or weights that a sweep names are absent, or not pinned to one version."""


class StageFailed(ApolloError):
    """A stage stopped. `failure_class` decides whether trying again can help."""

    failure_class = "error"


class BadData(StageFailed):
    """Media or a manifest that cannot be used: the same again would fail again."""

    failure_class = "data"


class DecodeFailed(BadData):
    """One media file that cannot be read.

    Args:
        path: the file.
        reason: why, in words.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Diverged(StageFailed):
    """The loss became NaN or infinite: a deterministic retry would diverge again."""

    failure_class = "diverged"


class DamagedResult(StageFailed):
    """A result that the stage starts from is no longer what was stored: it has to be made again."""

    failure_class = "damaged"


class LeaseLost(StageFailed):
    """Another driver holds this stage now; whatever this one does must not be written."""

    failure_class = "lease"


def pick(options: Mapping[str, T], name: str, *, field: str) -> T:
    """Return `options[name]`; raise `BadInput` naming the field and the nearest match otherwise."""
    try:
        return options[name]
    except KeyError:
        near = get_close_matches(name, options, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(sorted(options)) or "none"
        raise BadInput(f"{field}: unknown value {name!r}.{hint} Known: {known}.") from None
