"""Where a part's weights lie, as a sweep file and a stage's locations write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MICRO = "micro:"


@dataclass(frozen=True)
class Place:
    """A hub id at a revision, a local folder, or a microworld part.

    Attributes:
        source: hub id, folder, or the whole `micro:NAME`.
        revision: commit or branch of a hub id.
        micro: NAME of a microworld part, else None.
    """

    source: str
    revision: str = "main"
    micro: str | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `micro:NAME`, `ORG/NAME@REVISION`, `ORG/NAME` or a folder's path."""
        if text.startswith(MICRO):
            return cls(text, micro=text.removeprefix(MICRO))
        if Path(text).is_absolute():
            return cls(text)
        source, _, revision = text.partition("@")
        return cls(source, revision=revision or "main")
