"""The questions of a curated benchmark, as a manifest that a sweep or a roster can name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from apollo_core.benchmark_files.formats import format_of
from apollo_core.errors import BadInput
from apollo_core.media.manifest import read_benchmark
from apollo_core.media.manifest_record import Item

_NAMED = 3  # items that an error names


@dataclass(frozen=True)
class Questions:
    """A benchmark's questions, by each name that tables of responses have for one.

    An item table written by an evaluation says `video/id`, a wide table mostly `id`.
    """

    manifest: Path
    by_name: Mapping[str, Item]


def read_questions(manifest: Path) -> Questions:
    """Every question of a benchmark.

    Raises:
        DataMissing, BadInput: it is absent, or questions of it are wrong.
    """
    items = read_benchmark(manifest, format_of(manifest))
    with_videos = {f"{item.video}/{item.id}": item for item in items}
    return Questions(manifest, {item.id: item for item in items} | with_videos)


def curated_lines(chosen: Sequence[str], questions: Questions) -> str:
    """The chosen questions as JSON lines of our own format, in the order of `chosen`.

    Raises:
        BadInput: some of them are not among `questions`.
    """
    absent = [name for name in chosen if name not in questions.by_name]
    if absent:
        raise BadInput(
            f"--questions: {len(absent)} of the {len(chosen)} chosen items are not in "
            f"{questions.manifest}: "
            f"{', '.join(map(repr, absent[:_NAMED]))}{', ...' if len(absent) > _NAMED else ''}; "
            "give the benchmark that the responses are to, and name their column of ids with --item"
        )
    return "".join(
        json.dumps(_record(questions.by_name[name]), ensure_ascii=False) + "\n" for name in chosen
    )


def _record(item: Item) -> dict[str, object]:
    told: dict[str, object] = {
        "id": item.id,
        "video": item.video,
        "question": item.question,
        "options": list(item.options),
        "answer": ascii_uppercase[item.answer_index],
        "category": item.category,
    }
    more = {"duration_group": item.duration_group, "task_type": item.task_type}
    return told | {name: label for name, label in more.items() if label}
