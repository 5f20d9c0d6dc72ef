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

Public files of benchmarks are read as they are, by the formats of `apollo_core.benchmark_files`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from apollo_core.benchmark_files.formats import (
    OWN,
    content_of,
    format_of,
    questions_of,
)
from apollo_core.benchmark_files.rows import Row, rows_of
from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, Item, Medium, Sample, sample_of
from apollo_core.media.remote_media import medium_size
from apollo_core.stages.identity import BenchmarkFormat

Record = TypeVar("Record", Sample, Item)
# A file, a place in it, and what makes the record there or raises BadRecordError.
Coming = tuple[Path, tuple[str, Callable[[], Record]]]

BAD_LINES_SHOWN = 10
MISSING_SHOWN = 5


def read_manifest(path: str | Path) -> tuple[Sample, ...]:
    """The conversations of a training manifest, in file order.

    Raises:
        DataMissing: there is no such file.
        BadInput: naming file, line and what is wrong, for the first bad lines.
    """
    return tuple(_each(Path(path), _samples(Path(path))))


def read_benchmark(path: str | Path, form: BenchmarkFormat = OWN) -> tuple[Item, ...]:
    """The questions of a benchmark, in file order.

    Args:
        path: a manifest of our own, or the public file or folder of a benchmark.
        form: what it is; `apollo_core.benchmark_files.formats.format_of` tells by its layout.

    Raises:
        As `read_manifest`; of what has no lines the error names row, entry or video.
    """
    return tuple(_each(Path(path), questions_of(Path(path), form)))


def media_of(path: str | Path, form: BenchmarkFormat | None = None) -> tuple[Medium, ...]:
    """Every distinct medium of either sort of manifest, in order of appearance.

    Without `form`, a manifest whose first record has `options`, or looks like a public file of
    benchmarks, is one. Raises as `read_benchmark`.
    """
    path = Path(path)
    if form is None and not _is_benchmark(path):
        samples = _each(path, _samples(path))
        return tuple(dict.fromkeys(medium for sample in samples for medium in sample.media))
    items = _each(path, questions_of(path, form or format_of(path)))
    return tuple(dict.fromkeys(Medium("video", item.video) for item in items))


def media_fingerprint(
    manifest_path: str | Path, root: str | Path, form: BenchmarkFormat | None = None
) -> dict[str, str]:
    """`{"manifest": manifest_digest, "media": sha256 over its sorted (path, bytes on disk)}`.

    Media are not read, only looked up: a data set may hold terabytes. A file that was replaced by
    another of the same size goes unnoticed.

    Raises:
        DataMissing: there is no manifest.
        BadInput: a line of it is wrong, or media are missing (how many, and the first few).
    """
    names = sorted({name for _, name in media_of(manifest_path, form)})
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
        "manifest": manifest_digest(manifest_path, form),
        "media": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
    }


def manifest_digest(path: str | Path, form: BenchmarkFormat | None = None) -> str:
    """sha256 of a manifest; of several files, sha256 over each one's name and sha256."""
    path = Path(path)
    files = content_of(path, form or format_of(path)) if path.is_dir() or form else (path,)
    digests = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256(json.dumps(sorted(digests)).encode()).hexdigest()


def _each(path: Path, coming: Iterator[Coming[Record]]) -> Iterator[Record]:
    """Every record, one in memory at a time; what is wrong with any of them, at the end."""
    first: dict[str, str] = {}
    told: list[str] = []
    wrong = 0
    for file, (place, make) in coming:
        try:
            record = make()
            known = first.setdefault(record.id, place)
            if known is not place:
                raise BadRecordError(
                    f"id {record.id!r} was used {_there(known)} already; ids are unique"
                )
        except BadRecordError as error:
            wrong += 1
            if wrong <= BAD_LINES_SHOWN:
                told.append(f"{file}{place}: {error}")
            continue
        yield record
    if told:
        more = f"\n... and {wrong - len(told)} more bad lines" if wrong > len(told) else ""
        raise BadInput("\n".join(told) + more)
    if not first:
        raise BadInput(f"{path}: the manifest is empty; one JSON record per line is needed")


def _there(place: str) -> str:
    return f"in line {place[1:]}" if place.startswith(":") else f"at{place.removeprefix(',')}"


def _samples(path: Path) -> Iterator[Coming[Sample]]:
    for place, load in rows_of(path):
        yield path, (place, partial(_sample, load))


def _sample(load: Callable[[], Row]) -> Sample:
    return sample_of(load())


def _is_benchmark(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        row = next((load() for _, load in rows_of(path)), {})
    except BadRecordError:  # told, with its line, by the reader proper
        return False
    return "options" in row or format_of(path) != OWN


def _missing_media(manifest: Path, root: Path, missing: list[str], *, total: int) -> BadInput:
    if not root.is_dir():
        return DataMissing(f"{root}: the media root of {manifest} is not a folder; set data.root")
    more = f" and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
    return DataMissing(
        f"{manifest}: {len(missing)} of {total} media files are missing under {root}: "
        f"{', '.join(missing[:MISSING_SHOWN])}{more}. Check data.root, or run `apollo check-data`."
    )
