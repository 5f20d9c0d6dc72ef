"""Shards and Parquet gone through once: their conversations as JSON lines, in a kept folder.

    rows.jsonl    a line for each sample: [id, [[kind, path], ...], [[role, text], ...]]
    about.json    rows of each block, and a digest of all that the rows were made of

A block is what has to be read in one go: a shard, or a row group. The folder lies in this machine's
scratch folder under a name made of the files' paths, sizes and times of change.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from apollo_core.errors import BadInput
from apollo_core.media.manifest_record import BadRecordError, Medium, Sample, sample_of
from apollo_core.media.scratch_cache import scratch_cache
from apollo_core.training_files.bad_rows import BadRows
from apollo_core.training_files.chat_forms import own_form
from apollo_core.training_files.parquet_rows import group_sizes, rows_of_group
from apollo_core.training_files.places import Kind
from apollo_core.training_files.row_ids import RowIds
from apollo_core.training_files.tar_shards import (
    Group,
    groups_of,
    members_of,
    record_member,
    row_of,
)

Row = dict[str, Any]

ROWS, ABOUT = "rows.jsonl", "about.json"
# Raised when what is written to `rows.jsonl` changes.
_VERSION = 1
# A file may change twice within one tick of the clock that its time of change is read from.
_TICK_S = 2.0


# Takes what a digest is made of; brings a file to this machine.
Told = Callable[[bytes], None]
Fetch = Callable[[Path], Path]


def _as_it_is(path: Path) -> Path:
    return path


@dataclass(frozen=True)
class Unpacked:
    """Where the rows are.

    Attributes:
        rows: the file of JSON lines.
        blocks: rows of each block, in the files' order.
        digest: sha256 of a Parquet file; of shards, of every record and of each member's name and
            size, as a manifest's fingerprint is of its lines and its media's sizes.
    """

    rows: Path
    blocks: tuple[int, ...]
    digest: str


class _Placed(NamedTuple):
    """A row of a file, as errors name it, and what reads it."""

    file: Path
    place: str
    load: Callable[[], Row]


def kept_beside(path: Path) -> Path:
    """Where a mirror of an object store keeps what a set's files were unpacked to."""
    return path.with_name(f"{path.name}.unpacked")


def unpacked_beside(path: Path) -> Unpacked | None:
    """What a mirror keeps of a set whose files stay in the object store; None of any other set."""
    about = _about(kept_beside(path))
    if about is None:
        return None
    return Unpacked(kept_beside(path) / ROWS, tuple(about["blocks"]), about["digest"])


def unpack_remote(
    files: tuple[Path, ...], kind: Kind, root: Path, fetch: Fetch, *, into: Path
) -> Unpacked:
    """Go through files that lie elsewhere, one after the other.

    Args:
        files: where they would lie below `root`.
        kind, root: as of `unpack`.
        fetch: brings a file to this machine; it need not stay longer than it is read.
        into: the folder to keep it in, made anew.

    Raises:
        As `unpack`, and whatever `fetch` does.
    """
    names = [_name(file, root) for file in files]
    into.parent.mkdir(parents=True, exist_ok=True)
    about = _make(files, names, kind, into, fetch)
    return Unpacked(into / ROWS, tuple(about["blocks"]), about["digest"])


def unpack(files: tuple[Path, ...], kind: Kind, root: Path) -> Unpacked:
    """Go through the files, or take what this machine has kept.

    Args:
        files: all of one kind, in their order.
        kind: `tar` or `parquet`.
        root: the folder that media paths start from.

    Raises:
        DataMissing: a file is absent.
        BadInput: naming file, row and what is wrong, for the first bad rows.
    """
    names = [_name(file, root) for file in files]
    newest = max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
    folder = scratch_cache().folder / "unpacked" / _key(files, names)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".lock-{folder.name[:2]}"):
        about = _about(folder)
        if about is None or about["made"] < newest + _TICK_S:
            about = _make(files, names, kind, folder)
        for name in (ROWS, ABOUT):
            os.utime(folder / name)  # what was used last goes last
    return Unpacked(folder / ROWS, tuple(about["blocks"]), about["digest"])


def sample_in(line: bytes) -> Sample:
    """The sample in a line of `rows.jsonl`."""
    name, media, turns = json.loads(line)
    return Sample(
        name,
        tuple(Medium(kind, path) for kind, path in media),
        tuple((role, text) for role, text in turns),
    )


def _make(
    files: tuple[Path, ...], names: list[str], kind: Kind, folder: Path, fetch: Fetch = _as_it_is
) -> dict[str, Any]:
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        blocks, digest = _write(files, names, kind, beside / ROWS, fetch)
        about = {"blocks": blocks, "digest": digest, "made": time.time()}
        (beside / ABOUT).write_text(json.dumps(about))
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return about


def _write(
    files: tuple[Path, ...], names: list[str], kind: Kind, rows: Path, fetch: Fetch
) -> tuple[list[int], str]:
    """Write every row; rows of each block, and the digest."""
    bad, ids, digest = BadRows(), RowIds(), hashlib.sha256()
    blocks: list[int] = []
    with rows.open("wb") as out:
        for block in _blocks(files, names, kind, digest.update, fetch):
            count = 0
            for file, place, load in block:
                try:
                    sample = sample_of(load())
                except BadRecordError as error:
                    bad.add(file, place, error)
                    continue
                ids.add(sample.id)
                out.write(json.dumps([sample.id, sample.media, sample.turns]).encode() + b"\n")
                count += 1
            blocks.append(count)
    bad.tell()
    if not sum(blocks):
        raise BadInput(f"{files[0]}: the manifest is empty: no sample in {len(files)} files")
    ids.tell_taken(lambda: _named(files, names, kind, fetch))
    return blocks, digest.hexdigest()


def _named(
    files: tuple[Path, ...], names: list[str], kind: Kind, fetch: Fetch
) -> Iterator[tuple[Path, str, str]]:
    for block in _blocks(files, names, kind, lambda _: None, fetch):
        for file, place, load in block:
            yield file, place, sample_of(load()).id


def _blocks(
    files: tuple[Path, ...], names: list[str], kind: Kind, told: Told, fetch: Fetch
) -> Iterator[Iterator[_Placed]]:
    """The rows of each block; what they are made of goes to `told`."""
    for file, name in zip(files, names, strict=True):
        here = fetch(file)
        if kind == "tar":
            yield _shard(here, file, name, told)
            continue
        first = 0
        for group, size in enumerate(group_sizes(here)):
            yield _row_group(here, file, name, group, first)
            first += size
        told(_sha256(here))


def _shard(here: Path, file: Path, name: str, told: Told) -> Iterator[_Placed]:
    members = members_of(here)
    told(json.dumps([file.name, [(each.name, each.size) for each in members]]).encode())
    with here.open("rb") as opened:
        for group in groups_of(members):
            yield _Placed(file, f", {group.key!r}", partial(_read, opened, group, name, told))


def _read(opened: Any, group: Group, name: str, told: Told) -> Row:
    member = record_member(group)
    opened.seek(member.start)
    raw = opened.read(member.size)
    told(hashlib.sha256(raw).digest())
    return dict(row_of(group, raw, shard=name))


def _row_group(here: Path, file: Path, name: str, group: int, first: int) -> Iterator[_Placed]:
    for number, held in enumerate(rows_of_group(here, group, first=first, name=name), start=first):
        yield _Placed(file, f", row {number + 1}", partial(_row, held.row, name, number))


def _row(row: Row, name: str, number: int) -> Row:
    known = dict(own_form(row))
    known.setdefault("id", f"{name.rpartition('/')[2]}/{number}")
    return known


def _about(folder: Path) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        return None
    return about if (folder / ROWS).is_file() else None


def _key(files: tuple[Path, ...], names: list[str]) -> str:
    found: list[tuple[str, str, int, int]] = []
    for file, name in zip(files, names, strict=True):
        stat = file.stat() if file.exists() else None
        size, changed = (stat.st_size, stat.st_mtime_ns) if stat else (-1, 0)
        found.append((str(file.absolute()), name, size, changed))
    return hashlib.sha256(json.dumps([_VERSION, found]).encode()).hexdigest()[:32]


def _name(file: Path, root: Path) -> str:
    try:
        return file.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        raise BadInput(
            f"{file}: shards and Parquet files hold media, so they must lie below the media root "
            f"{root}"
        ) from None


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
