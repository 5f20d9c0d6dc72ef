"""Samples that a sweep leaves out: by a medium that they show, or by their id in a set.

A list is JSON lines, as `apollo check-data` writes it; what else a line says is for people:

    {"medium": "videos/a.mp4", "why": "is missing"}
    {"id": "v17", "set": "sft_video.jsonl", "why": "longer than the language model takes"}

It is for what is trained on: a benchmark that lost questions unseen would be another benchmark.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apollo_core.media.manifest_record import BadRecordError, text_of
from apollo_core.training_files.bad_rows import BadRows
from apollo_core.training_files.conversations import Conversations
from apollo_core.training_files.excluded_places import exclusion_place, exclusion_told
from apollo_core.training_files.json_files import Row, entries_of_lines


@dataclass(frozen=True)
class Exclusion:
    """What is left out of one set.

    Attributes:
        media: paths relative to the media root.
        ids: of the set's samples.
    """

    media: frozenset[str]
    ids: frozenset[str]

    def of(self, samples: Conversations) -> Conversations:
        """The rest of a set, in its order; the set itself where nothing of it is meant."""
        return samples.without(self.media, self.ids)


def read_exclusion(path: Path, name: str) -> Exclusion:
    """What a list leaves out of the set called `name` in it, its manifest as the sweep writes it.

    Raises:
        DataMissing: there is no such list.
        BadInput: naming the line and what is wrong with it.
    """
    media, ids, bad = set[str](), set[str](), BadRows()
    for entry in entries_of_lines(path):
        try:
            _take(entry.load(), name, media, ids)
        except BadRecordError as error:
            bad.add(path, entry.place, error)
    bad.tell()
    return Exclusion(frozenset(media), frozenset(ids))


def excluded_digest(left: Conversations, whole: Conversations) -> str | None:
    """What the exclusion does to a set, for its identity; None where it does nothing."""
    if left is whole:
        return None
    digest = hashlib.sha256()
    for sample in left:
        digest.update(json.dumps(sample.id).encode())
    return digest.hexdigest()


def exclusion_at(locations: Mapping[str, str], fingerprint: str) -> Exclusion | None:
    """What is left out of the set with this fingerprint; None where nothing is.

    Raises as `read_exclusion`.
    """
    told = locations.get(exclusion_place(fingerprint))
    return None if told is None else read_exclusion(*exclusion_told(told))


def _take(row: Row, name: str, media: set[str], ids: set[str]) -> None:
    if "medium" in row:
        media.add(text_of(row, "medium"))
    elif "id" in row:
        own = text_of(row, "id")
        if text_of(row, "set") == name:
            ids.add(own)
    else:
        raise BadRecordError("`medium`, or `id` with its `set`, is needed")
