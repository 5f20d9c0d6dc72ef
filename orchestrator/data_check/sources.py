"""What is to be checked: manifests as they are given, or all data of a sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apollo_core.errors import BadInput
from apollo_core.media.manifest import is_benchmark, read_manifest, read_questions
from apollo_core.media.manifest_record import Medium
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.stages.identity import BenchmarkFormat
from apollo_core.training_files.conversations import Conversations
from apollo_core.training_files.exclusion import Exclusion, read_exclusion
from apollo_core.training_files.places import files_of

SWEEPS = (".yaml", ".yml")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")  # a Path has one slash left of a URL's two


@dataclass(frozen=True)
class Rows:
    """What a set or benchmark holds.

    Attributes:
        each: id and media of each sample or question.
        left_out: how many samples the sweep leaves out.
        repeated: how many of the others have an id that stood before, and so another name.
        unanswerable: questions that have no right answer and are asked of nobody: place -> why.
    """

    each: Iterator[tuple[str, tuple[Medium, ...]]]
    left_out: int = 0
    repeated: int = 0
    unanswerable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One set or benchmark.

    Attributes:
        name: its manifest as a sweep would write it, relative to the root.
        path: where it lies.
        form: of a benchmark; None = conversations to train on.
        exclusion: what the sweep leaves out of it already.
    """

    name: str
    path: Path
    form: BenchmarkFormat | None
    exclusion: Exclusion | None = None

    @property
    def trains(self) -> bool:
        """Whether it is trained on."""
        return self.form is None

    def rows(self, root: Path) -> Rows:
        """Its samples or questions.

        Raises:
            DataMissing, BadInput: it is absent, or rows of it are wrong.
        """
        if self.form is not None:
            items, unanswerable = read_questions(self.path, self.form)
            shown = ((item.id, (Medium("video", item.video),)) for item in items)
            return Rows(shown, unanswerable=unanswerable)
        whole = read_manifest(self.path, root)
        kept = self._kept(whole)
        shown = ((sample.id, sample.media) for sample in kept)
        return Rows(shown, len(whole) - len(kept), kept.repeated)

    def samples(self, root: Path) -> Conversations:
        """The conversations, less what the sweep leaves out. Raises as `rows`."""
        return self._kept(read_manifest(self.path, root))

    def _kept(self, whole: Conversations) -> Conversations:
        return whole if self.exclusion is None else self.exclusion.of(whole)


@dataclass(frozen=True)
class Sources:
    """What is checked together.

    Attributes:
        root: the folder that media paths start from.
        decoder: what videos are to be read by.
        listed: the sweep's `data.exclude`, which `Source.exclusion` has of each set.
    """

    root: Path
    each: tuple[Source, ...]
    decoder: DecoderName = DEFAULT_DECODER
    listed: Path | None = None


def sources_of(given: Sequence[Path], root: Path | None, store: Path) -> Sources:
    """The data that arguments mean.

    Args:
        given: manifests, from here or else from the root, or one sweep file.
        root: where media paths start; a sweep says it itself.
        store: where a sweep's generated or fetched data lie.

    Raises:
        BadInput: a sweep beside manifests, manifests without a root, or with another one.
    """
    sweeps = [path for path in given if path.suffix.lower() in SWEEPS]
    if sweeps and len(given) > 1:
        raise BadInput(f"check-data: {sweeps[0]} is a sweep; give it alone, or manifests")
    if sweeps:
        if root is not None:
            raise BadInput("--root: a sweep says where its data lie; leave the option out")
        return _of_sweep(sweeps[0], store)
    if root is None:
        raise BadInput("--root: give the folder that media paths start from")
    if _SCHEME.match(str(root)):
        raise BadInput(
            "--root: a URL; check a sweep file whose `data.root` it is: its listing is read"
        )
    if not root.is_dir():
        raise BadInput(f"--root: {root} is not a folder")
    found = [_found(path, root) for path in given]
    return Sources(root, tuple(_source(_relative(path, root), path) for path in found))


def _found(path: Path, root: Path) -> Path:
    """A manifest as it is said, else as a sweep would say it: below the root."""
    path = path if path.name else path.absolute()  # `.`
    if not path.name:
        raise BadInput(f"check-data: {path} is no manifest, and no folder of shards")
    return path if _is_there(path) or not _is_there(root / path) else root / path


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir() or all(file.exists() for file in files_of(path))
    except BadInput:
        return False


def _of_sweep(path: Path, store: Path) -> Sources:
    from orchestrator.engine.decoders_needed import lack_of, mend_of
    from orchestrator.remote_data import bring_manifests
    from orchestrator.spec.sweep_file import load_sweep

    sweep = load_sweep(path)
    data = sweep.data
    root = bring_manifests(sweep, store) or data.folder(store)
    if data.microworld is not None and not root.is_dir():
        raise BadInput(f"{path}: its microworld is generated by `apollo run`; it is not there yet")
    if lack := lack_of(data.decoder):
        raise BadInput(f"{lack}; {mend_of(data.decoder)}, or choose another `data.decoder`")
    listed = data.exclusion(root)
    if listed is not None and not listed.is_file():
        raise BadInput(
            f"data.exclude: {listed}: there is no such list; take the line out until it is written"
        )
    names = dict.fromkeys(each.manifest for each in data.sets.values())
    sets = [
        Source(name, root / name, None, None if listed is None else read_exclusion(listed, name))
        for name in names
    ]
    forms: dict[str, str] = {entry.manifest: entry.format for entry in sweep.evaluation}
    benchmarks = [
        _source(name, root / name) if form == "auto" else _benchmark(name, root / name, form)
        for name, form in forms.items()
    ]
    return Sources(root, (*sets, *benchmarks), data.decoder, listed)


def _source(name: str, path: Path) -> Source:
    if not is_benchmark(path):
        return Source(name, path, None)
    from apollo_core.benchmark_files.formats import format_of

    return Source(name, path, format_of(path))


def _benchmark(name: str, path: Path, form: str) -> Source:
    return Source(name, path, form)  # pyright: ignore[reportArgumentType] - the sweep's own type


def _relative(path: Path, root: Path) -> str:
    try:
        return path.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        return str(path)
