"""What was really fed to a stage: counts, realised rates and samplings, media that were skipped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apollo_core.errors import BadData, DecodeFailed
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import Shown
from apollo_core.stages.identity import MOST_SKIPPED


@dataclass(frozen=True)
class Note:
    """What became of one drawn sample.

    Attributes:
        share: the share that it was drawn from.
        rate: realised frames per second, of a sample with video.
        sampling: a line for each of its videos, as `sampling.jsonl` has them.
        failure: why it was skipped.
    """

    share: int
    rate: float | None = None
    sampling: tuple[str, ...] = ()
    failure: DecodeFailed | None = None

    @classmethod
    def of(cls, share: int, sample: Sample, shown: Shown | DecodeFailed | None) -> Note:
        """Of a sample and what it showed, if anything, or why it could not be shown."""
        if isinstance(shown, DecodeFailed):
            return cls(share, failure=shown)
        if shown is None:
            return cls(share)
        videos = [
            (medium, sampled)
            for medium, sampled in zip(sample.media, shown.sampled, strict=False)
            if sampled is not None
        ]
        lines = (
            json.dumps(sampled.row(sample=sample.id, medium=medium.path))
            for medium, sampled in videos
        )
        return cls(share, shown.rate if videos else None, tuple(lines))


@dataclass
class Fed:
    """The record so far.

    Attributes:
        samples: samples of each share.
        rates: realised frames per second of each sample with video.
        skipped: path -> reason of media that could not be read.
        skips: samples skipped for that.
        sampling: distinct lines of `sampling.jsonl`, in the order in which they were first shown.
    """

    samples: list[int]
    rates: list[float] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    skips: int = 0
    sampling: dict[str, None] = field(default_factory=dict)

    def add(self, note: Note, *, of: int, most_skipped: float = MOST_SKIPPED) -> None:
        """Take one more of `of` samples into the record, of which this part may be skipped.

        Raises:
            BadData: too many were skipped.
        """
        if note.failure is not None:
            self._skip(note.failure, of, most_skipped)
            return
        self.samples[note.share] += 1
        self.sampling.update(dict.fromkeys(note.sampling))
        if note.rate is not None:
            self.rates.append(note.rate)

    def _skip(self, failure: DecodeFailed, of: int, most: float) -> None:
        self.skipped[str(failure.path)] = failure.reason
        self.skips += 1
        if self.skips > most * of:
            raise BadData(
                f"more than {100 * most:g} % of the stage's samples have media that cannot be read "
                f"({self.skips} of {of}, {len(self.skipped)} files; `data.bad_media: "
                f"{{skip: {most:g}}}`); the first: {next(iter(self.skipped))}. `apollo check-data` "
                "names all of them and writes a list for `data.exclude`"
            )

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return asdict(self) | {"sampling": list(self.sampling)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Fed:
        """From `to_json`. Raises `TypeError` where it is something else."""
        fields: dict[str, Any] = {**stored, "sampling": dict.fromkeys(stored["sampling"])}
        return cls(**fields)

    def summary(self, root: Path) -> dict[str, Any]:
        """Realised shares and rates: an fps arm must not turn uniform unseen.

        Skipped media are named relative to `root`, as manifests name them: a result does not say
        on which machine it was made.
        """
        total = max(1, sum(self.samples))
        rates = np.asarray(self.rates or [0.0])
        return {
            "samples": self.samples,
            "shares": [round(100 * count / total, 3) for count in self.samples],
            "realised_fps": {
                "least": float(rates.min()),
                "median": float(np.median(rates)),
                "most": float(rates.max()),
            },
            "skipped": self.skips,
            "skipped_media": {
                str(Path(path).relative_to(root)): why for path, why in self.skipped.items()
            },
        }
