"""When each frame of a video is shown, from its packets: exact, and nothing is decoded.

An index times an average rate is seconds off where the rate varies. Packets carry their times, edit
lists applied: what an edit list cuts away is marked as discarded, and is in no table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError

from apollo_core.media.video_file import NO_VIDEO_STREAM, NOT_A_VIDEO, STILL_IMAGE

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# FFmpeg's names of what reads one picture: `png_pipe`, `image2`...
PICTURES = ("_pipe", "image2")


@dataclass(frozen=True)
class PacketTable:
    """Frames in the order in which they are shown; times in ticks of the stream's time base.

    Attributes:
        pts: start of each frame, ascending and distinct, int64, shape (frames,).
        dts: when each is to be decoded, for seeking, int64, shape (frames,).
        starts: whether decoding may start at it, shape (frames,).
        end: end of the last frame.
        tick: seconds.
    """

    pts: np.ndarray
    dts: np.ndarray
    starts: np.ndarray
    end: float
    tick: float

    @cached_property
    def keys(self) -> np.ndarray:
        """For each frame, the last one not after it where decoding may start, shape (frames,)."""
        return np.maximum.accumulate(np.where(self.starts, np.arange(len(self.pts)), 0))

    def closed_keys(self) -> list[int]:
        """The frame 0, and keys before which nothing is shown that is decoded after them."""
        decoded = np.argsort(self.dts, kind="stable")
        first_after = np.minimum.accumulate(self.pts[decoded][::-1])[::-1]
        closed = decoded[self.starts[decoded] & (self.pts[decoded] == first_after)]
        return sorted({0, *closed.tolist()})

    def times(self) -> tuple[np.ndarray, float]:
        """Start of each frame and end of the last, seconds, the first frame being at 0."""
        return (self.pts - self.pts[0]) * self.tick, float((self.end - self.pts[0]) * self.tick)


def open_stream(path: str) -> tuple[InputContainer, VideoStream]:
    """The file and its best video stream, as FFmpeg chooses.

    Raises:
        ValueError: it has none, is a picture, or cannot be opened; in words.
    """
    try:
        # Nothing but files: a playlist with a video's name would send FFmpeg to the network.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except FFmpegError:
        raise ValueError(NOT_A_VIDEO) from None
    stream = container.streams.best("video")
    if container.format.name.endswith(PICTURES):
        reason = STILL_IMAGE
    elif stream is None or stream.disposition & stream.disposition.attached_pic:
        reason = NO_VIDEO_STREAM  # a cover is no video
    else:
        return container, stream  # pyright: ignore[reportReturnType] - asked for by its type
    container.close()
    raise ValueError(reason)


def packet_table(container: InputContainer, stream: VideoStream) -> PacketTable:
    """Read all packets of `stream` once. The container is left at its end.

    Raises:
        ValueError: no packets, or packets without times; in words.
    """
    packets = [
        (packet.pts, packet.dts, packet.is_keyframe, packet.duration or 0)
        for packet in container.demux(stream)
        if packet.size and not packet.is_discard
    ]
    if not packets:
        raise ValueError(STILL_IMAGE)
    if any(packet[0] is None for packet in packets):
        raise ValueError("has pictures without times; remux it (`ffmpeg -i IN -c copy OUT.mkv`)")
    pts, first = np.unique(np.array([packet[0] for packet in packets], np.int64), return_index=True)
    dts = np.array([p if d is None else d for p, d, *_ in packets], np.int64)[first]
    starts = np.array([packet[2] for packet in packets])[first]
    end = float(pts[-1] + packets[int(first[-1])][3])
    if end <= pts[-1] and len(pts) > 1:  # the container gives the last frame no duration
        end = float(pts[-1] + np.median(np.diff(pts)))
    assert stream.time_base is not None
    return PacketTable(pts, dts, starts, end, float(stream.time_base))
