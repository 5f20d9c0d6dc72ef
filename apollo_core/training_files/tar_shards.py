"""Shards as WebDataset has them: tar files in which the members of a sample follow one another.

    000042.json   the conversation, in any form that a manifest has; or
    000042.txt    a caption: what is asked is the sample's media alone
    000042.mp4    its media, of any name that begins with the sample's

A name up to the first dot behind its last slash is the sample's, what follows says what it is. A
record may name its media by the members' names, or by names from elsewhere if there are as many;
where it names none, all of the sample's are meant, in the order of the shard. Where no text has a
mark, the media stand before the first question. A record without `id` is called `SHARD/SAMPLE`.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, MediumKind, parse_line
from apollo_core.training_files.chat_forms import mark_unmarked, own_form, with_video_marks

Row = Mapping[str, Any]

_BLOCK = 512
_SUFFIXES: dict[str, MediumKind] = {
    **dict.fromkeys(
        ("mp4", "webm", "mkv", "mov", "avi", "m4v", "mpg", "mpeg", "ts", "flv", "wmv"), "video"
    ),
    **dict.fromkeys(("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"), "image"),
}
_LISTS: dict[MediumKind, str] = {"image": "images", "video": "videos"}


class Member(NamedTuple):
    """A file in a shard: its name, and where its bytes are."""

    name: str
    start: int
    size: int


class Group(NamedTuple):
    """The members of one sample."""

    key: str
    members: tuple[Member, ...]


def members_of(path: Path) -> tuple[Member, ...]:
    """Every file in a shard, in its order; headers are read, contents are not.

    Raises:
        DataMissing: there is no such shard.
        BadInput: it is no tar, cut off, or compressed.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = tuple(
                Member(each.name, each.offset_data, each.size) for each in tar if each.isreg()
            )
            # What follows the last member is a block of zeros, or the file was cut there.
            ends = _at(path, tar.offset, _BLOCK) == b"\0" * _BLOCK
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such shard") from None
    except tarfile.TarError as error:
        raise BadInput(f"{path}: {_why(path, error)}") from None
    except OSError as error:
        raise BadInput(f"{path}: the shard cannot be read: {error.strerror}") from None
    if not ends:
        raise BadInput(f"{path}: the shard is cut off: the end mark of tar files is missing")
    return members


def _at(path: Path, place: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(size)


@lru_cache(maxsize=64)
def _table(path: str, size: int, changed: int) -> Mapping[str, Member]:
    return {member.name: member for member in members_of(Path(path))}


def find_member(path: Path, name: str) -> Member:
    """A member by its name. Raises `FileNotFoundError`, and as `members_of`."""
    stat = path.stat()
    found = _table(str(path), stat.st_size, stat.st_mtime_ns).get(name)
    if found is None:
        raise FileNotFoundError(f"{path}: has no member {name!r}")
    return found


def groups_of(members: Sequence[Member]) -> Iterator[Group]:
    """The samples of a shard, in its order; names that begin with a dot or `__` are nobody's."""
    named = (member for member in members if not _last(member.name).startswith((".", "__")))
    for key, some in groupby(named, key=lambda member: split_name(member.name)[0]):
        yield Group(key, tuple(some))


def split_name(name: str) -> tuple[str, str]:
    """`a/b.1.jpg` -> (`a/b`, `1.jpg`)."""
    folder, slash, last = name.rpartition("/")
    key, _, rest = last.partition(".")
    return folder + slash + key, rest


def row_of(group: Group, record: bytes, *, shard: str) -> Row:
    """A sample as a manifest's record; its media are named `SHARD/MEMBER`.

    Args:
        group: its members.
        record: the bytes of `record_member(group)`.
        shard: the shard's name, as its media are to be named.

    Raises:
        BadRecordError: what is wrong with it.
    """
    if split_name(record_member(group).name)[1] == "txt":
        row = _captioned(record)
    else:
        row = dict(own_form(parse_line(record)))
    for kind, several in _LISTS.items():
        _take_media(row, kind, several, group, shard)
    row = dict(with_video_marks(row))
    mark_unmarked(row)
    if "id" not in row:
        row["id"] = f"{shard.rpartition('/')[2].removesuffix('.tar')}/{group.key}"
    return row


def record_member(group: Group) -> Member:
    """The member with the conversation or the caption. Raises `BadRecordError`."""
    for wanted in ("json", "txt"):
        for member in group.members:
            if split_name(member.name)[1].lower() == wanted:
                return member
    held = ", ".join(member.name for member in group.members[:4])
    raise BadRecordError(
        f"the sample has neither {group.key}.json nor {group.key}.txt, only {held}"
    )


def _captioned(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise BadRecordError(f"byte {error.start + 1} is not UTF-8") from None
    return {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": text}]}


def _take_media(
    row: dict[str, Any], kind: MediumKind, several: str, group: Group, shard: str
) -> None:
    """Name the sample's media of one kind by their members."""
    held = [
        member.name
        for member in group.members
        if _SUFFIXES.get(member.name.rpartition(".")[2].lower()) == kind
    ]
    named = [row[kind]] if kind in row else row.get(several)
    if named is None:
        if held:
            row[several] = [f"{shard}/{name}" for name in held]
        return
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return  # told by the reader of the record
    folder = group.key.rpartition("/")[0]
    found = [_member(name, held, folder) for name in named]
    if None in found:
        if len(held) != len(named):
            absent = named[found.index(None)]
            raise BadRecordError(
                f"{kind}: {absent!r} is no member of the sample, which has {held or 'none'}"
            )
        found = list(held)
    row.pop(kind, None)
    row[several] = [f"{shard}/{name}" for name in found]


def _member(name: str, held: Sequence[str], folder: str) -> str | None:
    beside = f"{folder}/{name}" if folder else name
    return next((each for each in (name, beside) if each in held), None)


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _why(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(6)
    if not head:
        return "the shard is empty (0 bytes)"
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")):
        return "the shard is compressed; decompress it (its media gain nothing from it)"
    if "unexpected end of data" in str(error):
        return "the shard is cut off"
    return f"the shard is no tar file: {error}"
