"""Videos through PyAV (FFmpeg): every frame is found, and checked, by its own time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from av.error import FFmpegError, InvalidDataError

from apollo_core.media.letterbox import GREY, letterbox
from apollo_core.media.packet_table import open_stream, packet_table
from apollo_core.media.upright import Upright
from apollo_core.media.video_file import Frames

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

# Codecs whose every packet shows a frame (VP8's alternate references, say, show nothing), and whose
# frames that no other refers to can be left out without a trace in the others.
REGULAR = frozenset({"h264", "hevc"})


class _HoleError(Exception):
    """A frame that the table promises does not come out of the decoder; says which."""


class _Decoded(NamedTuple):
    """A frame, its index, and whether it, or what it may refer to, was decoded with errors."""

    at: int
    frame: VideoFrame
    damaged: bool


class PyavVideo:
    """A `VideoFile`.

    Raises:
        ValueError: there is no video in it; in words.
        av.error.FFmpegError: whatever else is wrong.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()
        self._table = packet_table(self._container, self._stream)

    def times(self) -> tuple[np.ndarray, float]:
        """See `VideoFile`."""
        return self._table.times()

    def read(self, indices: Sequence[int], size: int) -> Frames:
        """See `VideoFile`."""
        try:
            return self._read(indices, size, thrifty=self._is_regular)
        except _HoleError:
            pass  # what was left out may be what has to stand for a frame that is missing
        try:
            return self._read(indices, size, thrifty=False)
        except _HoleError as error:
            raise ValueError(f"is damaged: {error}") from None

    def close(self) -> None:
        """See `VideoFile`."""
        self._container.close()

    def _open(self) -> None:
        self._container, self._stream = open_stream(self._path)
        codec = self._stream.codec_context
        codec.thread_count = 1  # where many files are read, many processes do
        self._coded = codec.width, codec.height  # now: it may change where the stream does

    @property
    def _is_regular(self) -> bool:
        return self._stream.codec.name in REGULAR

    def _read(self, indices: Sequence[int], size: int, *, thrifty: bool) -> Frames:
        whole = np.full((len(indices), size, size, 3), GREY, np.uint8)
        upright, picture = Upright(*self._coded), self._coded
        for row, frame in zip(whole, self._frames(indices, thrifty=thrifty), strict=True):
            picture = upright.size_of(frame)
            place = letterbox(*picture, size)
            down = slice(place.top, place.top + place.height)
            across = slice(place.left, place.left + place.width)
            row[down, across] = upright.rgb(frame, place.width, place.height)
        return Frames(whole, picture)

    def _frames(self, indices: Sequence[int], *, thrifty: bool) -> Iterator[VideoFrame]:
        """The frame on screen at the start of each of `indices` (ascending)."""
        wanted = frozenset(self._table.pts[list(indices)].tolist()) if thrifty else None
        run: _Run | None = None
        for index in indices:
            key = int(self._table.keys[index])
            if run is None or key > run.reached:
                run = _Run(self._decode(key, wanted))
            yield self._checked(index, run.at(index))

    def _checked(self, index: int, found: _Decoded | None) -> VideoFrame:
        when = f"the frame at {self._table.times()[0][index]:.3f} s"
        earliest = index if self._is_regular else index - 1
        if found is None or found.at < earliest:
            raise _HoleError(f"{when} cannot be decoded")
        if found.damaged:
            raise _HoleError(f"{when} is decoded with errors")
        return found.frame

    def _decode(self, key: int, wanted: frozenset[int] | None) -> Iterator[_Decoded]:
        """Frames from `key` on, in order.

        `wanted`: times of the frames needed; others come only if something refers to them.
        """
        codec, damaged = self._stream.codec_context, False
        for packet in self._packets(key):
            spare = wanted is not None and packet.size > 0 and packet.pts not in wanted
            codec.skip_frame = "NONREF" if spare else "DEFAULT"
            try:
                frames = codec.decode(packet)
            except InvalidDataError:
                damaged = True
                continue
            for frame in frames:
                index = int(np.searchsorted(self._table.pts, frame.pts or 0, side="right")) - 1
                damaged = frame.is_corrupt or (damaged and not frame.key_frame)
                if index >= key:
                    yield _Decoded(index, frame, damaged)

    def _packets(self, key: int) -> Iterator[Packet]:
        """Packets from that of frame `key` on, or from an earlier one that decoding may start at.

        Containers seek by either of a packet's times, and some only roughly.
        """
        table = self._table
        for place in (table.pts[key], table.dts[key], table.dts[table.keys[max(0, key - 1)]]):
            packets = self._seek(int(place))
            first = next((packet for packet in packets if packet.is_keyframe), None)
            if first is not None and first.pts is not None and first.pts <= table.pts[key]:
                yield first
                yield from packets
                return
        self._container.close()
        self._open()
        yield from self._container.demux(self._stream)

    def _seek(self, place: int) -> Iterator[Packet]:
        try:
            self._container.seek(place, stream=self._stream)
        except FFmpegError:
            return iter(())
        return self._container.demux(self._stream)


class _Run:
    """Frames as they come, the last one kept until the one after it is needed."""

    def __init__(self, coming: Iterator[_Decoded]) -> None:
        self._coming = coming
        self._now: _Decoded | None = None
        self._next: _Decoded | None = None
        self.reached = -1

    def at(self, index: int) -> _Decoded | None:
        """The last frame not after `index`; the first of all if there is none; None if none is."""
        while self._now is None or self._now.at < index:
            found, self._next = self._next or next(self._coming, None), None
            if found is None:
                break
            self.reached = found.at
            if found.at > index:
                self._next = found
                break
            self._now = found
        return self._now or self._next
