"""Read manifests: the conversations to train on, the questions to be scored on.

A manifest is JSONL in UTF-8, one record per line; of conversations it may be a JSON list, Parquet
or shards too (`apollo_core.training_files`). Media paths are relative to a media root.

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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from apollo_core.benchmark_files.formats import (
    OWN,
    content_of,
    format_of,
    questions_of,
)
from apollo_core.benchmark_files.rows import rows_of
from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, Item, Medium, UnanswerableError
from apollo_core.media.remote_media import medium_size
from apollo_core.stages.identity import MOST_SKIPPED, BenchmarkFormat
from apollo_core.training_files.bad_rows import BadRows, used_already
from apollo_core.training_files.conversations import (
    Conversations,
    conversations_digest,
    digest_of,
    holds_conversations,
    read_conversations,
)
from apollo_core.training_files.exclusion import Exclusion, excluded_digest
from apollo_core.training_files.held_media import held

# A file, a place in it, and what makes the question there or raises BadRecordError.
Coming = tuple[Path, tuple[str, Callable[[], Item]]]

MISSING_SHOWN = 5


def read_manifest(path: str | Path, root: str | Path | None = None) -> Conversations:
    """The conversations of a training set, in the order of its files.

    Args:
        path: a file, a folder of shards, or a pattern (`apollo_core.training_files.places`).
        root: the folder that media paths start from; it names media inside of shards.

    Raises:
        DataMissing: there is no such file.
        BadInput: naming file, line and what is wrong, for the first bad lines.
    """
    return read_conversations(Path(path), None if root is None else Path(root))


class Questions(NamedTuple):
    """A benchmark as it is asked.

    Attributes:
        items: its questions, in file order.
        left_out: questions of a published file that have no right answer: place -> why.
    """

    items: tuple[Item, ...]
    left_out: Mapping[str, str]


def read_benchmark(path: str | Path, form: BenchmarkFormat = OWN) -> tuple[Item, ...]:
    """The questions of a benchmark, in file order.

    Args:
        path: a manifest of our own, or the public file or folder of a benchmark.
        form: what it is; `apollo_core.benchmark_files.formats.format_of` tells by its layout.

    Raises:
        As `read_manifest`; of what has no lines the error names row, entry or video.
    """
    return read_questions(path, form).items


def read_questions(path: str | Path, form: BenchmarkFormat = OWN) -> Questions:
    """The questions of a benchmark, and what is left out of them.

    Raises:
        As `read_benchmark`; BadInput where more than a fifth would be left out.
    """
    left_out: dict[str, str] = {}
    items = tuple(_each(Path(path), questions_of(Path(path), form), left_out))
    return Questions(items, left_out)


def media_of(
    path: str | Path,
    form: BenchmarkFormat | None = None,
    root: str | Path | None = None,
    exclusion: Exclusion | None = None,
) -> tuple[Medium, ...]:
    """Every distinct medium of either sort of manifest, in order of appearance.

    Without `form`, a manifest whose first record has `options`, or looks like a public file of
    benchmarks, is one. Raises as `read_benchmark`.
    """
    path = Path(path)
    if form is None and not is_benchmark(path):
        samples = read_manifest(path, root)
        if exclusion is not None:
            samples = exclusion.of(samples)
        return tuple(dict.fromkeys(medium for sample in samples for medium in sample.media))
    items = _each(path, questions_of(path, form or format_of(path)))
    return tuple(dict.fromkeys(Medium("video", item.video) for item in items))


class Used(NamedTuple):
    """What a set uses: files of its own, sorted, and what is left out of it, "" for nothing.

    Media inside of shards and Parquet files are no files of their own.
    """

    files: list[str]
    excluded: str


def used_of(
    path: str | Path,
    form: BenchmarkFormat | None = None,
    root: str | Path | None = None,
    exclusion: Exclusion | None = None,
) -> Used:
    """What a manifest of either sort uses. Raises as `media_of`."""
    excluded = ""
    if exclusion is None:
        names = {name for _, name in media_of(path, form, root)}
    else:
        whole = read_manifest(path, root)
        left = exclusion.of(whole)
        if not len(left):
            raise BadInput(f"{path}: the exclusion list leaves no sample of it")
        excluded = excluded_digest(left, whole) or ""
        names = {name for sample in left for _, name in sample.media}
    return Used(sorted(name for name in names if held(name) is None), excluded)


def media_fingerprint(
    manifest_path: str | Path,
    root: str | Path,
    form: BenchmarkFormat | None = None,
    exclusion: Exclusion | None = None,
) -> dict[str, str]:
    """`{"manifest": manifest_digest, "media": sha256 over its sorted (path, bytes on disk)}`.

    Media are not read, only looked up: a data set may hold terabytes. A file that was replaced by
    another of the same size goes unnoticed. Media inside of shards and Parquet files are part of
    `manifest`. Where samples are left out, `excluded` is the sha256 of the ids that stay.

    Raises:
        DataMissing: there is no manifest.
        BadInput: a line of it is wrong, or media are missing (how many, and the first few).
    """
    names, excluded = used_of(manifest_path, form, root, exclusion)
    sizes: list[tuple[str, int]] = []
    missing: list[str] = []
    for name in names:
        try:
            sizes.append((name, medium_size(Path(root), name)))
        except OSError:
            missing.append(name)
    if missing:
        raise _missing_media(Path(manifest_path), Path(root), missing, total=len(names))
    found = {
        "manifest": manifest_digest(manifest_path, form, root),
        "media": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
    }
    return {**found, "excluded": excluded} if excluded else found


def manifest_digest(
    path: str | Path, form: BenchmarkFormat | None = None, root: str | Path | None = None
) -> str:
    """sha256 of a manifest; of several files, sha256 over each one's name and sha256.

    Of shards and Parquet files: `apollo_core.training_files.unpacked.Unpacked.digest`.
    """
    path = Path(path)
    if form is None and not is_benchmark(path):
        return conversations_digest(path, None if root is None else Path(root))
    if form is None and not path.is_dir():
        return digest_of((path,))
    return digest_of(content_of(path, form or format_of(path)))


def is_benchmark(path: Path) -> bool:
    """Whether a file or folder holds questions, and no conversations, by its first row.

    Raises:
        DataMissing, BadInput: there is no such file, or it cannot be read.
    """
    if holds_conversations(path):
        return False
    if path.is_dir():
        return True
    try:
        row = next((load() for _, load in rows_of(path)), {})
    except BadRecordError:  # told, with its line, by the reader proper
        return False
    return "options" in row or format_of(path) != OWN


def _each(
    path: Path, coming: Iterator[Coming], left_out: dict[str, str] | None = None
) -> Iterator[Item]:
    """Every question, one in memory at a time; what is wrong with any of them, at the end.

    What has no answer is passed over and noted in `left_out`.
    """
    first: dict[str, str] = {}
    left_out = {} if left_out is None else left_out
    bad = BadRows()
    for file, (place, make) in coming:
        try:
            record = make()
            known = first.setdefault(record.id, place)
            if known is not place:
                raise used_already(record.id, known)
        except UnanswerableError as error:
            left_out[f"{file.name}{place}"] = str(error)
            continue
        except BadRecordError as error:
            bad.add(file, place, error)
            continue
        yield record
    bad.tell()
    count = len(first) + len(left_out)
    if len(left_out) > MOST_SKIPPED * count:
        place, why = next(iter(left_out.items()))
        raise BadInput(
            f"{path}: {len(left_out)} of {count} questions cannot be answered, "
            f"more than {MOST_SKIPPED:.0%}; the rest would be another benchmark. The first: "
            f"{place}: {why}"
        )
    if not first:
        raise BadInput(f"{path}: the manifest is empty; one JSON record per line is needed")


def _missing_media(manifest: Path, root: Path, missing: list[str], *, total: int) -> BadInput:
    if not root.is_dir():
        return DataMissing(f"{root}: the media root of {manifest} is not a folder; set data.root")
    more = f" and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
    return DataMissing(
        f"{manifest}: {len(missing)} of {total} media files are missing under {root}: "
        f"{', '.join(missing[:MISSING_SHOWN])}{more}. Check data.root, or run `apollo check-data`."
    )
