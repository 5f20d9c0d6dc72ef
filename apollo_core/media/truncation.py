"""Tell a video file that was cut off from a whole one, by the sizes that its container declares.

A decoder cannot be asked: FFmpeg reads an MP4 whose second half is missing as a shorter video,
without a word, and a model would train on captions about the part that is gone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: str | Path) -> int:
    """Bytes that the container declares beyond the end of the file; 0 where nothing is missing.

    Knows MP4 and MOV (ISO 14496-12 boxes) and Matroska and WebM (RFC 8794 elements). Of other
    containers, and of a live recording that declares no size, nothing is known: 0.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(12)
        file.seek(0)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            return max(0, _end_of_boxes(file, size) - size)
        if start[:4] == EBML:
            return max(0, _end_of_segment(file) - size)
    return 0


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last top-level MP4 box says that it ends."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:  # the size stands in the 64 bits after the type
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # "to the end of the file"
            return size
        if length < 8 or not head[4:8].isalnum():  # not a box: padding behind the last one
            return position
        position += length
    return position


def _end_of_segment(file: BinaryIO) -> int:
    """Where the Matroska segment says that it ends; 0 if it does not say."""
    file.seek(4)
    header = _ebml_size(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != SEGMENT:
        return 0
    length = _ebml_size(file)
    return 0 if length is None else file.tell() + length


def _ebml_size(file: BinaryIO) -> int | None:
    """Read one variable-length size (RFC 8794, section 4); None for "unknown" or none at all."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value
