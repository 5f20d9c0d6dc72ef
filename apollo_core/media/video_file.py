"""One video through one decoder: the protocol that decoders share, and which there are.

Only the decoding process (`media.decoder_process`) opens videos; everybody else asks it. Modules of
decoders are loaded by name, so that the process loads one of them and nobody else any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

if TYPE_CHECKING:
    import numpy as np

# PyAV: exact times, every frame checked by its own. decord and TorchCodec: `docs/decoding.md`.
DecoderName = Literal["pyav", "decord", "torchcodec"]
DECODERS: tuple[DecoderName, ...] = get_args(DecoderName)
DEFAULT_DECODER: DecoderName = "pyav"
# Of each, the module that has to be there, and what brings it.
PACKAGES: dict[DecoderName, tuple[str, str]] = {
    "pyav": ("av", "apollo-sweeps[sweep]"),
    "decord": ("decord", "apollo-sweeps[sweep]"),
    "torchcodec": ("torchcodec", "apollo-sweeps[torchcodec]"),
}

NO_VIDEO_STREAM = "has no video stream (audio only?)"
STILL_IMAGE = "is a still image or has no countable frames"
NOT_A_VIDEO = "is not a video that FFmpeg can open (damaged, truncated or another kind of file)"


class Frames(NamedTuple):
    """What was read of a video.

    Attributes:
        pixels: uint8 RGB, shape (n, size, size, 3), contiguous.
        picture: width and height of the file's own pictures, upright, in pixels.
    """

    pixels: np.ndarray
    picture: tuple[int, int]


class VideoFile(Protocol):
    """A video held open between the request for its times and the one for its frames."""

    def times(self) -> tuple[np.ndarray, float]:
        """Start of each frame (float64, seconds, ascending, the first at 0); end of the last."""
        ...

    def read(self, indices: Sequence[int], size: int) -> Frames:
        """Frames `indices` (ascending, distinct, at least one), whole, upright, grey around.

        Long side `size`.

        Raises:
            ValueError: a frame cannot be had; in words.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_with(decoder: DecoderName) -> Callable[[str], VideoFile]:
    """What opens a video by `decoder`; loads its libraries.

    Raises:
        ImportError: they are not installed.
    """
    if decoder == "pyav":
        from apollo_core.media.pyav_video import PyavVideo

        return PyavVideo
    if decoder == "decord":
        from apollo_core.media.decord_video import DecordVideo

        return DecordVideo
    from apollo_core.media.torchcodec_video import TorchcodecVideo

    return TorchcodecVideo
