"""Videos through decord.

Its own way to a frame (`get_batch`, `seek_accurate`) leaves out the frames before it and gives up
when the decoding thread is slow: on a busy machine it returned frames up to a second early, with a
warning on stderr (decord2 3.4). So frames are read one after the other from their key frame on.
decord does not say which frame it returns; nothing here can check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from decord import DECORDError, VideoReader, cpu

from apollo_core.media.letterbox import letterbox, pad
from apollo_core.media.video_file import NO_VIDEO_STREAM, NOT_A_VIDEO, STILL_IMAGE, Frames

if TYPE_CHECKING:
    from decord.ndarray import NDArray


class DecordVideo:
    """A `VideoFile`.

    Raises:
        ValueError: there is no video in it, or it is damaged; in words.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._reader = _reader(path, width=-1, height=-1)
            height, width, _ = self._reader[0].shape
        except (DECORDError, RuntimeError, IndexError) as error:
            raise ValueError(_reason(error)) from None
        self._size = int(width), int(height)

    def times(self) -> tuple[np.ndarray, float]:
        """See `VideoFile`; to float32, which is what decord keeps."""
        count = len(self._reader)
        spans = self._reader.get_frame_timestamp(np.arange(count)).astype(np.float64)
        starts = np.sort(spans[:, 0]) - spans[:, 0].min()
        end = float(spans[-1, 1] - spans[:, 0].min())
        if end <= starts[-1]:  # the container gives the last frame no duration
            end = float(starts[-1] + (np.median(np.diff(starts)) if count > 1 else 0.0))
        return starts, end

    def read(self, indices: Sequence[int], size: int) -> Frames:
        """See `VideoFile`."""
        place = letterbox(*self._size, size)
        reader = self._reader
        if (place.width, place.height) != self._size:
            reader = _reader(self._path, width=place.width, height=place.height)
        try:
            frames = [frame.asnumpy() for frame in _frames(reader, indices)]
        except (DECORDError, RuntimeError, StopIteration) as error:
            raise ValueError(_reason(error)) from None
        rows = [_without_padding(frame, place.width) for frame in frames]
        return Frames(np.ascontiguousarray(pad(np.stack(rows), place, size)), self._size)

    def close(self) -> None:
        """See `VideoFile`."""
        del self._reader


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


def _frames(reader: VideoReader, indices: Sequence[int]) -> Iterator[NDArray]:
    """Frames `indices` (ascending), none of them reached by a skip."""
    keys = np.asarray(reader.get_key_indices())
    coming = -1  # index of the frame that `next` returns; -1: not known
    for index in indices:
        key = int(keys[max(0, np.searchsorted(keys, index, side="right") - 1)])
        if coming < 0 or key > coming:
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
    text = str(error)
    if "cannot find video stream" in text:
        return NO_VIDEO_STREAM
    if "Error reading" in text:
        return NOT_A_VIDEO
    if "duration/frame-count" in text:
        return STILL_IMAGE
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return f"is damaged: {lines[0][-200:]}"
