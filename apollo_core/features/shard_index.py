"""The index of a shard: which entry lies where in it. Entries have one size and prove themselves.

16 bytes  the entry's name
 8 bytes  where its bytes begin
 8 bytes  how many they are
 4 bytes  crc32 of these bytes
 4 bytes  crc32 of the 36 bytes before
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_ENTRY = struct.Struct("<16sQQI")
_CHECK = struct.Struct("<I")

ENTRY_BYTES = _ENTRY.size + _CHECK.size


class Entry(NamedTuple):
    """One entry: its name, and its bytes' begin, number and checksum."""

    name: bytes
    begin: int
    length: int
    checksum: int


def entry_bytes(entry: Entry) -> bytes:
    """As they are appended to an index, in one write."""
    told = _ENTRY.pack(*entry)
    return told + _CHECK.pack(zlib.crc32(told))


def entries(raw: bytes) -> Iterator[Entry]:
    """Whole entries in the bytes of an index; damaged ones, and a last one still being written,
    are left out."""
    for at in range(0, len(raw) - ENTRY_BYTES + 1, ENTRY_BYTES):
        told = raw[at : at + _ENTRY.size]
        if _CHECK.unpack_from(raw, at + _ENTRY.size)[0] == zlib.crc32(told):
            yield Entry(*_ENTRY.unpack(told))
