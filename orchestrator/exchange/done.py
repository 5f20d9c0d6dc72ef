"""What a stage's DONE says of its files, checked before anything is done by it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_SHA256 = re.compile(r"[0-9a-f]{64}")


class DamagedError(Exception):
    """A stage's file, here or there, is not what its DONE says; the message names it."""


@dataclass(frozen=True)
class StageFile:
    """One file of a stage: its place in the stage's folder, its size, its checksum."""

    name: str
    bytes: int
    sha256: str


def files_of(done: bytes, *, where: str) -> tuple[StageFile, ...]:
    """The files that a DONE lists.

    Args:
        done: its bytes.
        where: what an error calls it.

    Raises:
        DamagedError: it is none, or it names a file outside of its stage's folder.
    """
    try:
        listed = json.loads(done)["files"]
        found = tuple(
            StageFile(str(name), int(said["bytes"]), str(said["sha256"]))
            for name, said in listed.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{where}: no list of a stage's files") from None
    for file in found:
        path = PurePosixPath(file.name)
        inside = file.name and not path.is_absolute() and ".." not in path.parts
        if not inside or "\\" in file.name or not _SHA256.fullmatch(file.sha256):
            raise DamagedError(f"{where}: lists {file.name!r}, which no stage can hold")
    return found
