"""Videos through decord, as far as it can be trusted: of files that it reads wrongly, an error.

Its own way to a frame (`get_batch`, `seek_accurate`) skips the frames before it and gives up when
the decoding thread is slow: on a busy machine it returned frames up to a second early, with a
warning on stderr (decord2 3.4). So frames are read one after the other from a key frame on, and
only from one that no picture refers across, where its count is right. It does not say which frame
it returns: nothing here can check it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from decord import DECORDError, VideoReader, cpu

from apollo_core.media.letterbox import letterbox, pad
from apollo_core.media.packet_table import open_stream, packet_table
from apollo_core.media.video_file import Frames

if TYPE_CHECKING:
    from decord.ndarray import NDArray

# FFmpeg's names of the containers in which decord finds the first frame again.
CONTAINERS = ("mov", "matroska", "avi")
USE_PYAV = "read it with data.decoder: pyav"


class DecordVideo:
    """A `VideoFile`.

    Raises:
        ValueError: there is no video in it, it is damaged, or decord cannot be trusted with it; in
            words.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        container, stream = open_stream(path)
        with container:
            self._table = packet_table(container, stream)
            kind = container.format.name.split(",")[0]
        if kind not in CONTAINERS:
            raise ValueError(f"is of a kind ({kind}) whose frames decord confuses; {USE_PYAV}")
        counted, self._size = _first(path)
        if counted != len(self._table.pts):
            shown = len(self._table.pts)
            raise ValueError(f"has {shown} frames, of which decord counts {counted}; {USE_PYAV}")

    def times(self) -> tuple[np.ndarray, float]:
        """See `VideoFile`."""
        return self._table.times()

    def read(self, indices: Sequence[int], size: int) -> Frames:
        """See `VideoFile`."""
        place = letterbox(*self._size, size)
        keys = self._table.closed_keys()
        try:
            reader = _reader(self._path, width=place.width, height=place.height)
            frames = [frame.asnumpy() for frame in _frames(reader, indices, keys)]
        except (DECORDError, RuntimeError, StopIteration) as error:
            raise ValueError(_reason(error)) from None
        rows = [_without_padding(frame, place.width) for frame in frames]
        return Frames(np.ascontiguousarray(pad(np.stack(rows), place, size)), self._size)

    def close(self) -> None:
        """See `VideoFile`."""


def _first(path: str) -> tuple[int, tuple[int, int]]:
    """How many frames decord counts; width and height of the first, upright."""
    try:
        reader = _reader(path, width=-1, height=-1)
        height, width, _ = reader.next().shape
    except (DECORDError, RuntimeError, StopIteration) as error:
        raise ValueError(_reason(error)) from None
    return len(reader), (int(width), int(height))


def _reader(path: str, *, width: int, height: int) -> VideoReader:
    # A reader that repeats good frames in place of more than 5 % broken ones must fail instead.
    tolerance = 0.05
    return VideoReader(
        path,
        ctx=cpu(0),
        width=width,
        height=height,
        num_threads=1,
        fault_tol=tolerance,  # pyright: ignore[reportArgumentType] - a share or a count
    )


def _frames(reader: VideoReader, indices: Sequence[int], keys: Sequence[int]) -> Iterator[NDArray]:
    """Frames `indices` (ascending) of a fresh reader, none of them reached by a skip."""
    coming = 0  # index of the frame that `next` returns
    for index in indices:
        key = keys[max(0, bisect_right(keys, index) - 1)]
        if key > coming:
            reader.seek_accurate(key)
            coming = key
        for _ in range(index - coming):
            reader.next()
        coming = index + 1
        yield reader.next()


def _without_padding(frame: np.ndarray, width: int) -> np.ndarray:
    """One frame as RGB, shape (height, width, 3).

    decord 3.4 takes (bytes per row) // width for the number of channels. Rows are padded to a
    multiple of 64 pixels, so at widths such as 32, 48, 96 and 144 it answers with 4 or more
    "channels": the row as it lies in memory, padding at its end.
    """
    height, _, channels = frame.shape
    return frame.reshape(height, width * channels)[:, : width * 3].reshape(height, width, 3)


def _reason(error: BaseException) -> str:
    """What an error of decord means, in words."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"is damaged: {lines[0][-200:] if lines else type(error).__name__}"
