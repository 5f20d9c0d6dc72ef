"""Decoded frames kept in memory, so that a warm worker decodes each small video once."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from apollo_core.byte_cache import ByteCache
from apollo_core.media.frames import ClipFrames
from apollo_core.media.media_file import look

Key = tuple[str, int, int, Hashable]


def file_key(path: str | Path, *asked: Hashable) -> Key:
    """Cache key of what is `asked` of a file: its path, modification time (ns), size on disk.

    Raises:
        DecodeFailed: the file is missing, empty or not ours to read.
    """
    stat = look(path)
    return str(path), stat.st_mtime_ns, stat.st_size, asked


class FrameCache(ByteCache[Key, ClipFrames]):
    """Decoded frames, read-only arrays, of `max_bytes` together at most."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, lambda frames: frames.pixels.nbytes)
