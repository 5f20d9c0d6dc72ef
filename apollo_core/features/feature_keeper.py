"""Find the features of a stage's media, and keep those that had to be computed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from apollo_core.execution import Execution
from apollo_core.features.budget import Budget
from apollo_core.features.feature_cache import FeatureCache
from apollo_core.features.feature_use import IN_USE, View
from apollo_core.features.record import HowRead, Record, packed, unpacked
from apollo_core.features.shards import Shards
from apollo_core.features.where_computed import where_computed
from apollo_core.media.frames import ClipFrames
from apollo_core.media.remote_media import medium_version

Shot = Literal["video", "image", "center"]
Grid = Float[Tensor, "clips slots rows columns dim"]


@dataclass(frozen=True)
class MediumFeatures:
    """What is kept of one medium, and where the rest is to go.

    Attributes:
        records: by the encoder's place in the design; those that are not kept are absent.
        whole: whether every encoder that sees the medium has its record: no frame was decoded.
        read: how the medium was read.
        keep: takes an encoder's place, how the medium was read, and the grid.
    """

    records: Mapping[int, Record]
    whole: bool
    read: HowRead | None
    keep: Callable[[int, HowRead, Grid], None]

    def of(self, read: ClipFrames) -> MediumFeatures:
        """The same once its frames were read, since some encoder needs them."""
        return replace(self, read=HowRead.of(read))

    def take(self, place: int, grid: Grid) -> None:
        """Keep what an encoder has made of it."""
        if self.read is not None:
            self.keep(place, self.read, grid)


class FeatureKeeper:
    """The features of one stage's media. Threads may share it.

    Args:
        cache: what may be kept; is told what became of it.
        shards: by the encoder's place and the view.
        sees: by view, the places of the encoders that see it.
        budget: of all features.
    """

    def __init__(
        self,
        cache: FeatureCache,
        shards: Mapping[tuple[int, View], Shards],
        *,
        sees: Mapping[View, Sequence[int]],
        budget: Budget,
    ) -> None:
        self._cache = cache
        self._shards = shards
        self._sees = sees
        self._budget = budget
        self._store = Path(cache.use.folder).parent

    def find(self, shot: Shot, root: Path, path: str) -> MediumFeatures:
        """What is kept of a medium.

        Args:
            shot: a video as sampled, an image, or a video's middle frame.
            root: folder of all media.
            path: the medium's, below it.

        Raises:
            DecodeFailed: there is no such file, as if it had been decoded.
        """
        view: View = "video" if shot == "video" else "still"
        name = _name(shot, root, path, store=self._store)
        records = {
            place: record
            for place in self._sees[view]
            if (record := self._record(place, view, name)) is not None
        }
        whole = len(records) == len(self._sees[view])
        self._cache.count(hit=whole)

        def keep(place: int, read: HowRead, grid: Grid) -> None:
            self._keep((place, view), name, read, grid)

        read = next(iter(records.values())).read if whole else None
        return MediumFeatures(records, whole, read, keep)

    def _record(self, place: int, view: View, name: bytes) -> Record | None:
        shards = self._shards.get((place, view))
        raw = shards.get(name) if shards is not None else None
        return None if raw is None else unpacked(raw)

    def _keep(self, where: tuple[int, View], name: bytes, read: HowRead, grid: Grid) -> None:
        """Write; whatever prevents it costs the stage nothing but the time saved."""
        shards = self._shards.get(where)
        if shards is None or self._cache.stopped:
            return
        pieces = packed(read, grid)
        try:
            refused = self._budget.refuses(sum(map(len, pieces)))
            if refused:
                self._cache.stop(refused)
            else:
                shards.put(name, pieces)
        except OSError as error:
            self._cache.stop(f"{self._cache.use.folder} cannot be written: {error.strerror}")


@contextmanager
def feature_keeper(
    cache: FeatureCache,
    execution: Execution,
    device: torch.device,
    *,
    size: int,
    sees: Mapping[View, Sequence[int]],
) -> Iterator[FeatureKeeper]:
    """Open what a stage may read and fill, for the time of the block.

    Args:
        cache: what that is.
        execution, device, size: see `where_computed`.
        sees: by view, the places of the encoders that see it.
    """
    folder = Path(cache.use.folder)
    where = where_computed(execution, device, size=size)
    shards: dict[tuple[int, View], Shards] = {}
    with ExitStack() as stack:
        for view, places in sees.items():
            for place in places:
                key = cache.use.encoders[place].of(view)
                if not key:
                    continue
                try:
                    stack.enter_context(_in_use(folder / key))
                    opened = Shards(folder / key / where)
                except OSError as error:
                    cache.stop(f"{folder} cannot be used: {error.strerror}")
                    continue
                stack.callback(opened.close)
                shards[place, view] = opened
        budget = Budget(folder, cache.use.budget)
        yield FeatureKeeper(cache, shards, sees=sees, budget=budget)


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / IN_USE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _name(shot: Shot, root: Path, path: str, *, store: Path) -> bytes:
    """A medium's name: which file, as it lies there now. A file that is replaced is another one.

    What lies inside the store is named from there, so that a store can be moved.
    """
    file = (root / path).absolute()
    size, changed = medium_version(root, path)
    inside = file.is_relative_to(store)
    place = str(file.relative_to(store)) if inside else str(file)
    told = json.dumps([shot, inside, place, size, changed])
    return hashlib.sha256(told.encode()).digest()[:16]
