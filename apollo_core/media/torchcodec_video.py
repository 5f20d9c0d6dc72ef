"""Videos through TorchCodec, told by the packets' own times which frames there are.

Its pictures are resized bilinearly: they differ from the other decoders' by a level or so on
average, hence the decoder is part of what identifies a stage.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from torchcodec.decoders import VideoDecoder  # pyright: ignore[reportMissingImports] - an extra
from torchcodec.transforms import Resize  # pyright: ignore[reportMissingImports]

from apollo_core.media.letterbox import letterbox, pad
from apollo_core.media.packet_table import open_stream, packet_table
from apollo_core.media.video_file import Frames

if TYPE_CHECKING:
    from apollo_core.media.packet_table import PacketTable


class _OtherFrames(Exception):
    """What came has not the times that were asked for."""


class TorchcodecVideo:
    """A `VideoFile`.

    Raises:
        ValueError: there is no video in it; in words.
        av.error.FFmpegError: whatever else is wrong.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        container, stream = open_stream(path)
        with container:
            self._index = stream.index
            self._table = packet_table(container, stream)

    def times(self) -> tuple[np.ndarray, float]:
        """See `VideoFile`."""
        return self._table.times()

    def read(self, indices: Sequence[int], size: int) -> Frames:
        """See `VideoFile`."""
        try:
            return self._read(indices, size)
        except _OtherFrames:
            raise ValueError(
                "is of a kind whose frames TorchCodec confuses; read it with data.decoder: pyav"
            ) from None
        except (RuntimeError, ValueError, IndexError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(f"is damaged: {said[0][-200:]}") from None

    def close(self) -> None:
        """See `VideoFile`."""

    def _read(self, indices: Sequence[int], size: int) -> Frames:
        width, height = self._upright
        place = letterbox(width, height, size)
        decoder = self._decoder(Resize((place.height, place.width)))
        batch = decoder.get_frames_at(list(indices))
        shown = batch.pts_seconds.numpy()
        asked = self._table.pts[list(indices)] * self._table.tick
        if np.abs(shown - asked).max() > self._table.tick:
            raise _OtherFrames
        pixels = np.ascontiguousarray(pad(batch.data.numpy(), place, size))
        return Frames(pixels, (width, height))

    @cached_property
    def _upright(self) -> tuple[int, int]:
        """Width and height as shown."""
        height, width, _ = self._decoder()[0].shape
        return int(width), int(height)

    def _decoder(self, *transforms: Resize) -> VideoDecoder:
        return VideoDecoder(
            self._path,
            stream_index=self._index,
            dimension_order="NHWC",
            num_ffmpeg_threads=1,
            custom_frame_mappings=self._mappings,
            transforms=list(transforms),
        )

    @cached_property
    def _mappings(self) -> str:
        return _as_mappings(self._table)


def _as_mappings(table: PacketTable) -> str:
    """The table as ffprobe would write it."""
    lengths = np.diff(table.pts, append=int(table.end))
    frames = zip(table.pts.tolist(), lengths.tolist(), table.starts.tolist(), strict=True)
    return json.dumps({"frames": [{"pts": p, "duration": d, "key_frame": k} for p, d, k in frames]})
