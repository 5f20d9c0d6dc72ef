"""The sweep file's `data` block: the sets, where they lie, and what becomes of bad ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveFloat,
    StringConstraints,
    Tag,
    model_validator,
)

from apollo_core.design import MODALITIES, SampleCount
from apollo_core.frozen import Frozen
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.microworld.spec import WorldSpec
from apollo_core.object_store import is_url
from apollo_core.redaction import has_credentials, redact
from apollo_core.stages.identity import MOST_SKIPPED, BadMedia, SkippedShare
from orchestrator.canonical import digest
from orchestrator.spec.schedule_types import Name

Modality = Literal["text", "image", "multi_image", "video"]
Seconds = Annotated[float, Field(ge=0.001, le=1e7)]


def distinct(values: tuple[object, ...]) -> tuple[object, ...]:
    """Refuse values that repeat."""
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"each once; repeated: {', '.join(repeated)}")
    return values


def expand(path: str) -> Path:
    """`path` with environment variables and `~` put in; an unset variable stays as written."""
    return Path(os.path.expandvars(path)).expanduser()


def _form(value: object) -> str:
    return "weights" if isinstance(value, Mapping) else "list"


SetsOfShare = Annotated[
    Annotated[tuple[str, ...], AfterValidator(distinct), Tag("list")]
    | Annotated[dict[str, PositiveFloat], Field(min_length=1), Tag("weights")],
    Discriminator(_form),
]


class Skipping(Frozen):
    """Bad media are skipped, and stop a stage above this part of its samples."""

    skip: SkippedShare


def _rule_form(value: object) -> str:
    return "share" if isinstance(value, (Mapping, Skipping)) else "word"


BadMediaRule = Annotated[
    Annotated[BadMedia, Tag("word")] | Annotated[Skipping, Tag("share")],
    Discriminator(_rule_form),
]


class DataSet(Frozen):
    """A training set, relative to `data.root`: a file of JSON lines, JSON or Parquet, a folder of
    shards, or a pattern of either (`apollo_core.training_files.places`)."""

    manifest: Annotated[str, StringConstraints(min_length=1)]
    modality: Modality | None = None


class MixtureSets(Frozen):
    """Which data sets each share of a mixture draws from: a list, as if it were one set, or each
    set with a weight, which divides the share among them (`{sft_video: 3, ego: 1}`)."""

    text: SetsOfShare = ()
    image: SetsOfShare = ()
    multi_image: SetsOfShare = ()
    video: SetsOfShare = ()

    def by_modality(self) -> dict[str, tuple[str, ...]]:
        """Set names by modality."""
        return {name: tuple(getattr(self, name)) for name in MODALITIES}

    def sources(self, modality: str) -> tuple[tuple[float, tuple[str, ...]], ...]:
        """Parts of a modality's share (they sum to 1), each with the sets drawn from as one."""
        sets: SetsOfShare = getattr(self, modality)
        if not isinstance(sets, dict):
            return ((1.0, sets),)
        total = sum(sets.values())
        return tuple((weight / total, (name,)) for name, weight in sets.items())


class PretrainingSets(Frozen):
    """The sets that microworld parts learn from; a vision encoder without one stays untrained.

    `samples` is how many each part learns from; absent = as its own recipe has it.
    """

    text: str | None = None
    image: str | None = None
    video: str | None = None
    samples: SampleCount | None = None

    def by_modality(self) -> dict[str, str]:
        """Set name by modality, where there is one."""
        sets = {"text": self.text, "image": self.image, "video": self.video}
        return {modality: name for modality, name in sets.items() if name is not None}


class Data(Frozen):
    """The data sets, and the folder that manifests and media are relative to.

    Attributes:
        root: that folder; `${NAME}` and `~` are resolved when it is used.
        microworld: generate the data instead; into `root` or, without one, into the store.
        sets: name -> manifest.
        mixture: which sets each share draws from.
        pretraining: sets that microworld parts are pretrained on.
        bad_media: stop before training; or skip and count, up to a part of a training stage's
            samples (`{skip: 0.05}`; `skip` alone is a fifth).
        exclude: a list of media and samples that no stage trains on, as `apollo check-data` writes
            it; relative to `root` or an absolute path. Benchmarks keep every question.
        mean_seconds: mean length of a video, for the plan's cost estimate only; absent = the
            middle of the microworld's lengths, or a minute.
        decoder: of videos; `decord` and `torchcodec` are slower, and there to compare with.
            Microworld parts are pretrained by the default one always.
    """

    root: str | None = None
    microworld: WorldSpec | None = None
    sets: dict[Name, DataSet]
    mixture: MixtureSets = MixtureSets()
    pretraining: PretrainingSets = PretrainingSets()
    bad_media: BadMediaRule = "stop"
    exclude: Annotated[str, StringConstraints(min_length=1)] | None = None
    mean_seconds: Seconds | None = None
    decoder: DecoderName = DEFAULT_DECODER

    @model_validator(mode="after")
    def _somewhere(self) -> Data:
        if self.root is None and self.microworld is None:
            raise ValueError("give `root`, the folder of the manifests, or `microworld`")
        if "mixture" in self.sets:
            raise ValueError("a set cannot be named 'mixture': a stage's `data: mixture` means it")
        if self.root is not None and has_credentials(self.root):
            raise ValueError(
                "`root` spells out a credential, and sweep files are copied into the store; put "
                "the URL into an environment variable and write `root: ${NAME}`"
            )
        if self.microworld is not None and self.exclude is not None:
            raise ValueError("`exclude` is for data that are given; a microworld is generated")
        if self.microworld is not None and self.is_remote:
            raise ValueError("a microworld is generated into a folder; `root` is a URL")
        return self

    @property
    def is_remote(self) -> bool:
        """Whether the data are in an object store: `root` is a URL."""
        return self.root is not None and is_url(os.path.expandvars(self.root))

    def folder(self, store: Path) -> Path:
        """Folder of manifests and media.

        In the store for a generated world without `root`, and for data in an object store, of which
        it holds the manifests.
        """
        if self.root is None:
            assert self.microworld is not None
            return store.absolute() / "worlds" / digest(self.microworld.fingerprint())[:12]
        if self.is_remote:
            place = redact(os.path.expandvars(self.root)).rstrip("/")
            return store.absolute() / "remote" / digest(place)[:12]
        return expand(self.root).absolute()

    @property
    def skips_bad_media(self) -> BadMedia:
        """What becomes of bad media."""
        return "skip" if isinstance(self.bad_media, Skipping) else self.bad_media

    @property
    def most_skipped(self) -> float:
        """Part of a training stage's samples that may be skipped."""
        return self.bad_media.skip if isinstance(self.bad_media, Skipping) else MOST_SKIPPED

    def exclusion(self, folder: Path) -> Path | None:
        """Where the list of what is left out lies, `folder` being that of the manifests."""
        return None if self.exclude is None else folder / expand(self.exclude)

    @property
    def video_seconds(self) -> float:
        """Assumed mean length of a video."""
        if self.mean_seconds is not None:
            return self.mean_seconds
        if self.microworld is not None:
            return (self.microworld.min_seconds + self.microworld.max_seconds) / 2
        return 60.0
