"""Decoded frames as pictures: turned as the file asks, resized and made RGB by one FFmpeg filter.

Bicubic, and both steps at once, as decord does it: pictures are equal to decord's to the byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from av.filter import Graph

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# By how many degrees, counterclockwise, a picture has to be turned.
TURNS = {0: (), 90: (("transpose", "cclock"),), -90: (("transpose", "clock"),)} | dict.fromkeys(
    (180, -180), (("hflip", ""), ("vflip", ""))
)


def turn_of(frame: VideoFrame) -> int:
    """Degrees, counterclockwise, in quarter turns."""
    turn = round(frame.rotation / 90) * 90
    return turn if turn in TURNS else 0


class Upright:
    """Makes pictures of one video's frames; keeps the filter as long as frames are alike.

    Args:
        width, height: of the stream, as coded.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = width, height
        self._like: tuple[object, ...] = ()
        self._graph = Graph()

    def size_of(self, frame: VideoFrame) -> tuple[int, int]:
        """Width and height of the whole picture, upright."""
        width, height = self._size
        return (height, width) if turn_of(frame) in (90, -90) else (width, height)

    def rgb(self, frame: VideoFrame, width: int, height: int) -> np.ndarray:
        """uint8 RGB, shape (height, width, 3)."""
        like = frame.width, frame.height, frame.format.name, turn_of(frame), width, height
        if like != self._like:
            self._graph, self._like = _graph(frame, width, height), like
        self._graph.push(frame)
        picture = self._graph.pull()
        return picture.to_ndarray()  # pyright: ignore[reportAttributeAccessIssue] - a VideoFrame


def _graph(frame: VideoFrame, width: int, height: int) -> Graph:
    graph = Graph()
    steps = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        ),
        *(graph.add(name, options) for name, options in TURNS[turn_of(frame)]),
        graph.add("scale", f"{width}:{height}:flags=bicubic"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    return graph
