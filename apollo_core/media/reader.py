"""From a sample's media paths to its clips and to the text that stands for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from apollo_core.connector.memory import places
from apollo_core.design import Integration, MemoryBank, Sampling
from apollo_core.features.feature_keeper import FeatureKeeper, MediumFeatures, Shot
from apollo_core.media.decoding import Decoder
from apollo_core.media.frames import ClipFrames
from apollo_core.media.manifest_record import Medium
from apollo_core.media.remote_media import read_medium
from apollo_core.sampling import Sampled, record
from apollo_core.text.integration import write_still, write_video


@dataclass(frozen=True)
class Shown:
    """One sample's media as the model sees them.

    Attributes:
        frames: the clips of all media, uint8, (clips, frames, size, size, 3); without those of
            media whose features are all at hand.
        written: for each medium, the text with marks that takes its place in the prompt.
        rate: frames per second that videos' clips really have, on average; 0 for images.
        counts: clips of each medium.
        still: for each medium, whether its clips are one picture repeated.
        sampled: for each medium, how it was really read; None for a still (and for media of which
            nobody asks). What stages write of it: `apollo_core.sampling.Sampled`.
        places: for each medium, how many clips' tokens stand in the text: fewer than `counts` where
            a memory bank merges clips; () for as many as there are clips.
        known: for each medium, which features are kept of it; () where none are asked for.
    """

    frames: np.ndarray
    written: tuple[str, ...]
    rate: float
    counts: tuple[int, ...]
    still: tuple[bool, ...]
    sampled: tuple[Sampled | None, ...] = ()
    places: tuple[int, ...] = ()
    known: tuple[MediumFeatures | None, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """What the frames of all clips take, whether they had to be decoded or not."""
        return sum(self.counts) * math.prod(self.frames.shape[1:])


@dataclass(frozen=True)
class MediaReader:
    """Reads media by one sampling, size and integration format.

    Attributes:
        decoder: shared; it caches and it is killed at its deadline.
        root: folder that media paths are relative to.
        memory: the connector's bound on the places of a video, or None.
        features: where those of frozen encoders are kept; None = every medium is decoded.
    """

    decoder: Decoder
    root: Path
    sampling: Sampling
    integration: Integration
    size: int
    memory: MemoryBank | None = None
    features: FeatureKeeper | None = None

    def video(self, path: str) -> Shown:
        """A video, sampled. Raises `DecodeFailed`."""
        read, known = self._read(
            "video",
            path,
            lambda file: self.decoder.read_clips(file, self.sampling, size=self.size),
        )
        count = len(read.clips)
        written = write_video(
            read.clips, self.integration, duration=read.duration, memory=self.memory
        )
        sampled = record(read.clips, self.sampling, duration=read.duration, rate=read.rate)
        return Shown(
            read.stacked(),
            (written,),
            read.rate,
            (count,),
            (False,),
            (sampled,),
            (places(count, self.memory),),
            known,
        )

    def show(self, media: Sequence[Medium]) -> Shown:
        """A conversation's images and videos in order, at least one. Raises `DecodeFailed`."""
        read = {"video": self.video, "image": self.image}
        return _together([read[kind](path) for kind, path in media])

    def center_frame(self, path: str) -> Shown:
        """A video's middle frame, shown as an image is. Raises `DecodeFailed`."""
        return self._still(
            "center",
            path,
            lambda file: self.decoder.read_clips(
                file, self.sampling, size=self.size, center_only=True
            ),
        )

    def image(self, path: str) -> Shown:
        """An image, repeated to one clip. Raises `DecodeFailed`."""
        frames = self.sampling.frames_per_clip
        return self._still(
            "image",
            path,
            lambda file: self.decoder.read_image(file, frames_per_clip=frames, size=self.size),
        )

    def _still(self, shot: Shot, path: str, decode: Callable[[Path], ClipFrames]) -> Shown:
        read, known = self._read(shot, path, decode)
        written = (write_still(self.integration),)
        return Shown(read.stacked(), written, 0.0, (1,), (True,), (None,), known=known)

    def _read(
        self, shot: Shot, path: str, decode: Callable[[Path], ClipFrames]
    ) -> tuple[ClipFrames, tuple[MediumFeatures, ...]]:
        """A medium's frames, unless nobody has to see them; and what is kept of its features."""
        if self.features is None:
            return read_medium(self.root, path, decode), ()
        found = self.features.find(shot, self.root, path)
        if found.whole and found.read is not None:
            return found.read.without_frames(size=self.size), (found,)
        read = read_medium(self.root, path, decode)
        return read, (found.of(read),)


def _together(shown: Sequence[Shown]) -> Shown:
    """Media read one by one, as one sample's."""
    rates = [one.rate for one in shown if one.rate]
    return Shown(
        frames=np.concatenate([one.frames for one in shown]),
        written=tuple(chain.from_iterable(one.written for one in shown)),
        rate=sum(rates) / len(rates) if rates else 0.0,
        counts=tuple(chain.from_iterable(one.counts for one in shown)),
        still=tuple(chain.from_iterable(one.still for one in shown)),
        sampled=tuple(chain.from_iterable(one.sampled for one in shown)),
        places=tuple(chain.from_iterable(one.places or one.counts for one in shown)),
        known=tuple(chain.from_iterable(one.known for one in shown)),
    )
