"""Read manifests: the conversations to train on, the questions to be scored on.

A manifest is JSONL in UTF-8, one record per line. Media paths are relative to a media root.

Training, one LLaVA-style conversation per line, with `video` or `videos`, `image` or `images`, one
of each or none; each `<video>` or `<image>` in human text is the next file of its kind:

    {"id": "v0", "video": "videos/v0.mp4", "conversations": [
        {"from": "human", "value": "<video>\\nWhich digit?"}, {"from": "gpt", "value": "7"}]}

(`messages` with `role` and `content`, roles `user` and `assistant`, says the same. The first turn
may be of `system`.)

Benchmark, one multiple-choice question per line:

    {"id": "q0", "video": "videos/b0.mp4", "question": "Which digit appears first?",
     "options": ["3", "5", "7", "9"], "answer": "C", "category": "temporal_ocr"}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import (
    BadRecordError,
    Item,
    Medium,
    Sample,
    item_of,
    parse_line,
    sample_of,
)
from apollo_core.media.remote_media import medium_size

Record = TypeVar("Record", Sample, Item)

BAD_LINES_SHOWN = 10
MISSING_SHOWN = 5


def read_manifest(path: str | Path) -> tuple[Sample, ...]:
    """The conversations of a training manifest, in file order.

    Raises:
        DataMissing: there is no such file.
        BadInput: naming file, line and what is wrong, for the first bad lines.
    """
    return _read(Path(path), sample_of)


def read_benchmark(path: str | Path) -> tuple[Item, ...]:
    """The questions of a benchmark manifest, in file order. Raises as `read_manifest`."""
    return _read(Path(path), item_of)


def media_of(path: str | Path) -> tuple[Medium, ...]:
    """Every distinct medium of either sort of manifest, in order of appearance.

    A manifest whose first record has `options` is a benchmark. Raises as `read_manifest`.
    """
    if _is_benchmark(Path(path)):
        return tuple(dict.fromkeys(Medium("video", item.video) for item in read_benchmark(path)))
    return tuple(dict.fromkeys(medium for sample in read_manifest(path) for medium in sample.media))


def media_fingerprint(manifest_path: str | Path, root: str | Path) -> dict[str, str]:
    """`{"manifest": sha256 of the file, "media": sha256 over its sorted (path, bytes on disk)}`.

    Media are not read, only looked up: a data set may hold terabytes. A file that was replaced by
    another of the same size goes unnoticed.

    Raises:
        DataMissing: there is no manifest.
        BadInput: a line of it is wrong, or media are missing (how many, and the first few).
    """
    names = sorted({name for _, name in media_of(manifest_path)})
    sizes: list[tuple[str, int]] = []
    missing: list[str] = []
    for name in names:
        try:
            sizes.append((name, medium_size(Path(root), name)))
        except OSError:
            missing.append(name)
    if missing:
        raise _missing_media(Path(manifest_path), Path(root), missing, total=len(names))
    return {
        "manifest": hashlib.sha256(Path(manifest_path).read_bytes()).hexdigest(),
        "media": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
    }


def _read(path: Path, parse: Callable[[Mapping[str, Any]], Record]) -> tuple[Record, ...]:
    records: list[Record] = []
    lines_of: dict[str, int] = {}
    wrong: list[str] = []
    for number, line in _lines(path):
        try:
            record = parse(parse_line(line))
            first = lines_of.setdefault(record.id, number)
            if first != number:
                raise BadRecordError(
                    f"id {record.id!r} was used in line {first} already; ids are unique"
                )
            records.append(record)
        except BadRecordError as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        more = (
            f"\n... and {len(wrong) - BAD_LINES_SHOWN} more bad lines"
            if len(wrong) > BAD_LINES_SHOWN
            else ""
        )
        raise BadInput("\n".join(wrong[:BAD_LINES_SHOWN]) + more)
    if not records:
        raise BadInput(f"{path}: the manifest is empty; one JSON record per line is needed")
    return tuple(records)


def _lines(path: Path) -> list[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such manifest") from None
    except OSError as error:
        raise BadInput(f"{path}: the manifest cannot be read: {error.strerror}") from None
    lines = enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def _is_benchmark(path: Path) -> bool:
    for _, line in _lines(path)[:1]:
        try:
            return "options" in parse_line(line)
        except BadRecordError:  # told, with its line, by the reader proper
            return False
    return False


def _missing_media(manifest: Path, root: Path, missing: list[str], *, total: int) -> BadInput:
    if not root.is_dir():
        return DataMissing(f"{root}: the media root of {manifest} is not a folder; set data.root")
    more = f" and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
    return DataMissing(
        f"{manifest}: {len(missing)} of {total} media files are missing under {root}: "
        f"{', '.join(missing[:MISSING_SHOWN])}{more}. Check data.root, or run `apollo check-data`."
    )
