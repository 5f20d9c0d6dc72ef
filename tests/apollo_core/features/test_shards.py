"""Shards: what is kept is found again, and what is torn or damaged is never read."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from apollo_core.features import shard_writer
from apollo_core.features.shard_index import ENTRY_BYTES
from apollo_core.features.shards import Shards

ONE, TWO = (bytes([number]) * 16 for number in (1, 2))
BODY = bytes(range(256)) * 40


@contextmanager
def opened(folder: Path) -> Iterator[Shards]:
    shards = Shards(folder)
    try:
        yield shards
    finally:
        shards.close()


def held(shards: Shards, name: bytes) -> np.ndarray:
    raw = shards.get(name)
    assert raw is not None
    return raw


def kept(folder: Path, name: bytes) -> bytes | None:
    with opened(folder) as shards:
        raw = shards.get(name)
        return None if raw is None else raw.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two entries in one shard."""
    with opened(tmp_path) as shards:
        assert shards.put(ONE, [BODY[:100], BODY[100:]]) == len(BODY)
        shards.put(TWO, [BODY[::-1]])
    return tmp_path


def the_file(folder: Path, kind: str) -> Path:
    (path,) = folder.glob(f"*.{kind}")
    return path


def test_what_is_kept_is_found_by_whoever_opens_the_folder(folder):
    assert kept(folder, ONE) == BODY
    assert kept(folder, TWO) == BODY[::-1]
    assert kept(folder, bytes(16)) is None


def test_what_one_process_adds_is_found_by_another_that_has_the_folder_open(folder):
    third = bytes([3]) * 16
    with opened(folder) as reader, opened(folder) as writer:
        assert reader.get(third) is None
        writer.put(third, [b"late"])
        assert held(reader, third).tobytes() == b"late"
        assert reader.put(third, [b"late"]) == 0
    assert len(list(folder.glob("*.data"))) == 2


def test_what_was_handed_out_stays_readable_when_the_folder_is_closed_and_removed(folder):
    with opened(folder) as shards:
        raw = held(shards, ONE)
    for path in folder.iterdir():
        path.unlink()
    assert raw.tobytes() == BODY
    assert not raw.flags.writeable


@pytest.mark.parametrize("left", [0, 1, ENTRY_BYTES - 1, ENTRY_BYTES + 7])
def test_an_entry_still_being_written_is_not_there(folder, left):
    index = the_file(folder, "index")
    index.write_bytes(index.read_bytes()[:left])
    assert kept(folder, ONE) == (BODY if left >= ENTRY_BYTES else None)
    assert kept(folder, TWO) is None


@pytest.mark.parametrize("place", [3, 20, 30, 38])
def test_a_damaged_index_entry_is_not_there_and_those_behind_it_are(folder, place):
    index = the_file(folder, "index")
    raw = bytearray(index.read_bytes())
    raw[place] ^= 1
    index.write_bytes(raw)
    assert kept(folder, ONE) is None
    assert kept(folder, TWO) == BODY[::-1]


def test_bytes_cut_off_or_changed_are_never_read_and_can_be_kept_anew(folder):
    data = the_file(folder, "data")
    raw = bytearray(data.read_bytes())
    raw[17] ^= 4
    data.write_bytes(raw[:-5])
    with opened(folder) as shards:
        assert shards.get(ONE) is None
        assert shards.get(TWO) is None
        assert shards.put(ONE, [BODY]) == len(BODY)
        assert held(shards, ONE).tobytes() == BODY
    for _ in range(2):  # in whatever order the damaged and the sound shard are met
        assert kept(folder, ONE) == BODY


def test_a_shard_that_is_cut_while_it_is_mapped_ends_nobody(folder):
    with opened(folder) as shards:
        assert shards.get(ONE) is not None
        data = the_file(folder, "data")
        with data.open("r+b") as file:
            file.truncate(50)
        assert shards.get(TWO) is None
        assert shards.get(ONE) is None


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing beyond it fails as on a full disk: a part is written, then an error comes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_leaves_nothing_behind_and_harms_nothing(tmp_path):
    with opened(tmp_path) as shards:
        shards.put(ONE, [BODY])
        with files_of_at_most(len(BODY) + 100), pytest.raises(OSError, match="large"):
            shards.put(TWO, [BODY])
        assert the_file(tmp_path, "data").stat().st_size == len(BODY)
        assert shards.get(TWO) is None
        assert held(shards, ONE).tobytes() == BODY
        shards.put(TWO, [BODY[:50]])
    assert kept(tmp_path, TWO) == BODY[:50]


def test_a_shard_that_is_full_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_writer, "SHARD_BYTES", 1000)
    names = [bytes([number]) * 16 for number in range(4)]
    with opened(tmp_path) as shards:
        for name in names:
            shards.put(name, [name * 40])
        assert all(held(shards, name).tobytes() == name * 40 for name in names)
    assert len(list(tmp_path.glob("*.data"))) == 2
    assert all(kept(tmp_path, name) == name * 40 for name in names)


FILL = """
import sys
from pathlib import Path
from apollo_core.features.shards import Shards
shards = Shards(Path(sys.argv[1]))
for number in range(200):
    name = number.to_bytes(16, "little")
    raw = shards.get(name)
    body = (name * 50)[:number]
    assert raw is None or raw.tobytes() == body, number
    if raw is None:
        shards.put(name, [body])
print("whole")
"""


def test_processes_that_fill_one_folder_at_the_same_time_read_only_whole_entries(tmp_path):
    fillers = [
        subprocess.Popen(
            [sys.executable, "-c", FILL, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [filler.communicate(timeout=60)[0] for filler in fillers] == ["whole\n"] * 3
    with opened(tmp_path) as shards:
        for number in range(200):
            name = number.to_bytes(16, "little")
            assert np.array_equal(held(shards, name), np.frombuffer((name * 50)[:number], np.uint8))
