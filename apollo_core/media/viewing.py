"""A benchmark's videos one after another, read ahead of the model that answers about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from queue import SimpleQueue

from apollo_core.errors import DecodeFailed
from apollo_core.media.manifest import Item
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.media.shuffling import order_stream, shuffled
from apollo_core.stages.identity import Regime


@dataclass(frozen=True)
class Viewing:
    """One video with all its questions.

    Attributes:
        video: path as the manifest has it.
        items: the questions, in the manifest's order.
        shown: what each regime shows of it; empty where it cannot be read.
        failed: why not.
    """

    video: str
    items: tuple[Item, ...]
    shown: Mapping[Regime, Shown]
    failed: DecodeFailed | None = None


def viewings(
    items: Sequence[Item],
    regimes: Sequence[Regime],
    readers: Sequence[MediaReader],
    *,
    ahead: int,
    seed: int = 0,
) -> Generator[Viewing, None, None]:
    """Every video once, in order of its path, for all regimes that show something of it.

    The middle frame is asked for right after the video: the decoder reads a file twice, since
    it is another sampling. Shuffled frames are the video's own, where those were decoded. Close the
    generator before the readers' decoders.

    Args:
        items: questions, in any order.
        regimes: those that show something.
        readers: all alike, one for each thread that reads.
        ahead: videos read while the model works on one; 0 = each is waited for.
        seed: the replicate's; the order of shuffled frames depends on it and the video.
    """
    groups = [
        (video, tuple(same))
        for video, same in groupby(
            sorted(items, key=lambda item: item.video), key=lambda item: item.video
        )
    ]
    free: SimpleQueue[MediaReader] = SimpleQueue()
    for reader in readers:
        free.put(reader)

    def read(video: str, asked: tuple[Item, ...]) -> Viewing:
        reader = free.get()
        try:
            return Viewing(video, asked, _show(reader, video, regimes, seed))
        except DecodeFailed as error:
            return Viewing(video, asked, {}, error)
        finally:
            free.put(reader)

    with ThreadPoolExecutor(len(readers), thread_name_prefix="reading") as pool:
        coming: deque[Future[Viewing]] = deque()
        try:
            for video, asked in groups:
                coming.append(pool.submit(read, video, asked))
                if len(coming) > ahead:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


def _show(
    reader: MediaReader, video: str, regimes: Sequence[Regime], seed: int
) -> dict[Regime, Shown]:
    shown: dict[Regime, Shown] = {}
    for regime in regimes:
        if regime == "shuffled":
            shown[regime] = _shuffled(reader, video, shown.get("video"), seed)
        else:
            shown[regime] = reader.video(video) if regime == "video" else reader.center_frame(video)
    return shown


def _shuffled(reader: MediaReader, video: str, ordered: Shown | None, seed: int) -> Shown:
    """Frames that kept features stand for were not decoded; here they are needed."""
    if ordered is None or not len(ordered.frames):
        ordered = replace(reader, features=None).video(video)
    return shuffled(ordered, order_stream(seed, video))
