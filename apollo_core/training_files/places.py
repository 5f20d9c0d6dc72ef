"""Which files a training set is: one, those of a folder, or those that a pattern names.

captions.jsonl    llava.json    data/train-00000-of-00004.parquet
shards/           (a folder: its *.tar, or its *.parquet)
shards/*.tar      shards/train-{000000..000099}.tar      {a,b}.jsonl
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Literal

from apollo_core.errors import BadInput, DataMissing

Kind = Literal["lines", "list", "parquet", "tar"]
# Anything else is taken for JSON lines, whatever it is called.
KINDS: dict[str, Kind] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".parquet": "parquet",
    ".tar": "tar",
}
# Kinds that hold media, or whose rows cannot be read at a byte: unpacked once.
PACKED: tuple[Kind, ...] = ("parquet", "tar")
_COMPRESSED = (".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2")

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 1_000_000


def is_pattern(name: str) -> bool:
    """Whether a name stands for several files."""
    return any(mark in name for mark in "*?[{")


def files_of(path: Path) -> tuple[Path, ...]:
    """The files of a set: in the pattern's order, of a folder or a glob by name.

    Raises:
        DataMissing: there is none, or one that is spelt out is absent.
        BadInput: a folder or a pattern of several kinds; a pattern that cannot be read.
    """
    if path.is_dir():
        return _in_folder(path)
    if not is_pattern(str(path)):
        return (path,)
    found = expand(str(path))
    files = tuple(file for name in found for file in _globbed(Path(name)))
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise DataMissing(f"{path}: there is no {', '.join(absent[:3])}{more}")
    return files


def kind_of(files: tuple[Path, ...]) -> Kind:
    """What the files are, by the endings of their names. Raises `BadInput` for several kinds."""
    for file in files:
        if file.name.lower().endswith(_COMPRESSED):
            raise BadInput(
                f"{file}: members of a compressed archive cannot be read one by one; "
                "decompress the shard (videos and images gain nothing from it)"
            )
    kinds: set[Kind] = {KINDS.get(file.suffix.lower(), "lines") for file in files}
    if len(kinds) > 1:
        raise BadInput(f"{files[0].parent}: a set is of one kind; here are {sorted(kinds)}")
    return kinds.pop()


def expand(pattern: str) -> list[str]:
    """A name for each choice of the braces: `{a,b}` and `{000..010}` (zeros are kept).

    Raises:
        BadInput: a range that runs backwards, or more than a million names.
    """
    pieces = _BRACES.split(pattern)
    choices = [_choices(each, pattern) for each in pieces[1::2]]
    names = 1
    for some in choices:
        names *= len(some)
    if names > _MOST:
        raise BadInput(f"{pattern}: stands for {names} files; at most {_MOST}")
    return [
        "".join(
            text + (chosen[at] if at < len(chosen) else "") for at, text in enumerate(pieces[::2])
        )
        for chosen in product(*choices)
    ]


def _choices(inside: str, pattern: str) -> list[str]:
    found = _RANGE.fullmatch(inside)
    if found is None:
        return inside.split(",")
    first, last = found.groups()
    if int(last) < int(first):
        raise BadInput(f"{pattern}: {{{inside}}} runs backwards; write {{{last}..{first}}}")
    if int(last) - int(first) >= _MOST:
        raise BadInput(f"{pattern}: {{{inside}}} stands for more than {_MOST} files")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _in_folder(path: Path) -> tuple[Path, ...]:
    held = {
        suffix: tuple(sorted(path.glob(f"*{suffix}")))
        for suffix, kind in KINDS.items()
        if kind in PACKED
    }
    found = {suffix: files for suffix, files in held.items() if files}
    if not found:
        raise BadInput(
            f"{path}: the manifest cannot be read: a folder without *.tar or *.parquet; name a "
            "file, or a pattern such as folder/*.jsonl"
        )
    if len(found) > 1:
        raise BadInput(f"{path}: holds *.tar and *.parquet; name one kind, as {path.name}/*.tar")
    return next(iter(found.values()))


def _globbed(path: Path) -> tuple[Path, ...]:
    if not any(mark in str(path) for mark in "*?["):
        return (path,)
    parts = PurePosixPath(path).parts
    first = next(at for at, part in enumerate(parts) if any(mark in part for mark in "*?["))
    found = sorted(Path(*parts[:first]).glob("/".join(parts[first:])))
    files = tuple(file for file in found if file.is_file())
    if not files:
        raise DataMissing(f"{path}: no file has such a name")
    return files
