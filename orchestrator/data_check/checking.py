"""Go through all data once, and put what was found into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apollo_core.errors import BadData, BadInput
from apollo_core.media.manifest_record import Medium
from apollo_core.media.medium_facts import look_at
from apollo_core.media.remote_media import is_remote
from apollo_core.training_files.json_files import entries_of_lines
from orchestrator.data_check.findings import Findings, Limits, duplicates_of, middle
from orchestrator.data_check.sources import Source, Sources

if TYPE_CHECKING:
    from orchestrator.data_check.token_lengths import TokenRule

Count = Callable[[int, int], None]
Counting = Callable[[str], AbstractContextManager[Count]]

_IDS = 20  # rows of a set that a report names


@dataclass(frozen=True)
class Asked:
    """What is to be found out.

    Attributes:
        limits: what is too short or too long.
        duplicates: whether media of equal size are compared byte by byte.
        workers: processes that read headers.
        rule: how samples become tokens; None = that is not asked.
    """

    limits: Limits = field(default_factory=Limits)
    duplicates: bool = True
    workers: int = 2
    rule: TokenRule | None = None


@dataclass
class SetFindings:
    """One set or benchmark.

    Attributes:
        rows, media: how many it has, less what the sweep leaves out.
        left_out, repeated, unanswerable: as of `Rows`.
        affected: ids of rows that show something bad, the first few; `lost` counts all.
        tokens: positions of each of its samples, where asked.
        too_long: id -> positions of samples that the language model cannot take.
    """

    source: Source
    rows: int = 0
    media: int = 0
    left_out: int = 0
    repeated: int = 0
    unanswerable: Mapping[str, str] = field(default_factory=dict)
    lost: int = 0
    affected: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    too_long: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """Everything that was found.

    Attributes:
        duplicates: media of equal bytes, group by group.
        left_out: media that the sweep leaves out, and that were not looked at therefore.
        in_both: of these, groups with media that are trained on and media that are asked about.
        only_asked: bad media of benchmarks alone: a list of exclusions does not touch them.
    """

    sources: Sources
    asked: Asked
    found: Findings
    sets: tuple[SetFindings, ...]
    duplicates: tuple[tuple[str, ...], ...]
    in_both: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]
    only_asked: frozenset[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing has to be left out."""
        return not self.found.bad and not any(one.too_long for one in self.sets)

    @property
    def only_listed(self) -> bool:
        """Whether media lie in an object store, of which only the listing is looked at."""
        return is_remote(self.sources.root)

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        found = self.found
        listed = {
            state: found.by_state.get(state, [])
            for state in ("missing", "empty", "audio_only", "too_short", "too_long")
        }
        unreadable = found.by_state.get("unreadable", [])
        return {
            "root": str(self.sources.root),
            "only_listed": self.only_listed,
            "data_exclude": None if self.sources.listed is None else str(self.sources.listed),
            "media_left_out": list(self.left_out),
            "sets": [_set_values(one) for one in self.sets],
            "videos": found.kinds["video"],
            "images": found.kinds["image"],
            "usable": found.states["usable"],
            **listed,
            "unreadable": [[path, found.bad[path]] for path in unreadable],
            "duration_lies": [
                {"medium": path, "header": header, "packets": packets}
                for path, (header, packets) in found.lies.items()
            ],
            "duplicates": [list(group) for group in self.duplicates],
            "in_training_and_benchmark": [list(group) for group in self.in_both],
            "seconds": middle(found.seconds),
            "frames_per_second": middle(found.rates),
            "resolutions": [[*size, count] for size, count in found.sizes.most_common()],
            "codecs": dict(found.codecs.most_common()),
        }

    def exclusions(self) -> Iterator[Mapping[str, Any]]:
        """Lines for `data.exclude`: bad media of training sets, and samples that are too long.

        Behind those that the sweep's list has already, so that this one may take its place.
        """
        if self.sources.listed is not None:
            yield from (entry.load() for entry in entries_of_lines(self.sources.listed))
        for path, why in self.found.bad.items():
            if path not in self.only_asked:
                yield {"medium": path, "why": why}
        for one in self.sets:
            for name, length in one.too_long.items():
                why = f"{length} positions are more than the language model takes"
                yield {"id": name, "set": one.source.name, "why": why}


def check_sources(sources: Sources, asked: Asked, counting: Counting) -> Checked:
    """Look at every medium of every set once.

    Args:
        sources: the data.
        asked: what is to be found out.
        counting: shows a count while something goes on.

    Raises:
        DataMissing, BadInput: a manifest is absent, or rows of it are wrong; of all of them.
    """
    used = _media(sources)
    media = list(used)
    found = Findings(asked.limits)
    films: dict[str, tuple[float, int]] = {}
    with counting("media files") as count:
        facts = look_at(media, sources.root, workers=asked.workers, decoder=sources.decoder)
        for done, one in enumerate(facts, start=1):
            found.add(one)
            if asked.rule is not None and one.kind == "video" and one.frames:
                films[one.path] = (one.seconds, one.frames)
            count(done, len(media))
    alike: list[tuple[str, ...]] = []
    if asked.duplicates and not is_remote(sources.root):
        with counting("media of equal size") as count:
            alike = duplicates_of(media, found.bytes, sources.root, on_progress=count)
    trained = {medium.path for medium, (trains, _) in used.items() if trains}
    tested = {medium.path for medium, (_, tests) in used.items() if tests}
    both = [group for group in alike if trained & {*group} and tested & {*group}]
    known = {path for group in both for path in group}
    both += [(path,) for path in sorted(trained & tested - known)]
    sets = tuple(_set(one, sources.root, found.bad, asked, films, counting) for one in sources.each)
    return Checked(
        sources,
        asked,
        found,
        sets,
        tuple(alike),
        tuple(both),
        tuple(sorted(_listed(sources) - trained - tested)),
        frozenset(tested - trained),
    )


def _media(sources: Sources) -> dict[Medium, tuple[bool, bool]]:
    """Every medium once -> whether it is trained on, and whether a benchmark asks about it."""
    used: dict[Medium, tuple[bool, bool]] = {}
    problems: list[BadInput] = []
    for source in sources.each:
        try:
            for _, media in source.rows(sources.root).each:
                for medium in media:
                    trains, tests = used.get(medium, (False, False))
                    used[medium] = (trains or source.trains, tests or not source.trains)
        except BadInput as error:
            problems.append(error)
    if problems:
        raise type(problems[0])("\n".join(map(str, problems)))
    return used


def _listed(sources: Sources) -> set[str]:
    """Media that the sweep's list names."""
    lists = (one.exclusion.media for one in sources.each if one.exclusion is not None)
    return {path for media in lists for path in media}


def _set(
    source: Source,
    root: Path,
    bad: Mapping[str, str],
    asked: Asked,
    films: Mapping[str, tuple[float, int]],
    counting: Counting,
) -> SetFindings:
    """What the findings mean for one set."""
    one = SetFindings(source)
    seen: set[str] = set()
    rows = source.rows(root)
    one.left_out, one.repeated, one.unanswerable = rows.left_out, rows.repeated, rows.unanswerable
    for name, media in rows.each:
        one.rows += 1
        seen.update(path for _, path in media)
        if any(path in bad for _, path in media):
            one.lost += 1
            if len(one.affected) < _IDS:
                one.affected.append(name)
    one.media = len(seen)
    if asked.rule is not None and source.trains:
        _count_tokens(one, root, asked.rule, films, counting)
    return one


def _count_tokens(
    one: SetFindings,
    root: Path,
    rule: TokenRule,
    films: Mapping[str, tuple[float, int]],
    counting: Counting,
) -> None:
    with counting(f"tokens of {one.source.name}, samples") as count:
        for done, sample in enumerate(one.source.samples(root), start=1):
            try:
                length = rule.length(sample, films)
            except BadData as error:
                raise BadInput(f"{one.source.path}: sample {sample.id!r}: {error}") from None
            if length is not None:
                one.tokens.append(length)
                if rule.longest is not None and length > rule.longest:
                    one.too_long[sample.id] = length
            count(done, one.rows)


def _set_values(one: SetFindings) -> dict[str, Any]:
    values: dict[str, Any] = {
        "manifest": one.source.name,
        "holds": "conversations" if one.source.trains else f"questions ({one.source.form})",
        "rows": one.rows,
        "media": one.media,
        "left_out": one.left_out,
        "repeated_ids": one.repeated,
        "unanswerable": dict(one.unanswerable),
        "rows_with_bad_media": one.lost,
        "first_of_them": one.affected,
    }
    if one.tokens:
        values["tokens"] = middle(one.tokens)
        values["longer_than_the_model_takes"] = len(one.too_long)
    return values
