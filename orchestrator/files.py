"""Files that are either whole or not there, after a power cut too."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue

# Read in pieces of this size: results can be larger than memory.
_PIECE = 1 << 20
# More than any dozen events of a stage take.
_LAST_BYTES = 8192


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write `path` whole or not at all; with `durable` it also survives a power cut.

    Text is written in UTF-8.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a rename is one only after this)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the bytes of `path` durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, JsonValue] | None:
    """The JSON object in `path`; None when it is absent or not whole."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def read_json_lines(path: Path) -> list[dict[str, JsonValue]]:
    """The JSON objects in `path`, one a line; a last line still being written is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    return list(json_objects(lines))


def last_json_lines(path: Path) -> list[dict[str, JsonValue]]:
    """The last whole lines of a file of JSON objects, oldest first, without reading the rest."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    return list(json_objects(lines))


def json_objects(lines: Iterable[str]) -> Iterable[dict[str, JsonValue]]:
    """The JSON objects of `lines`; what is none is passed over."""
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
