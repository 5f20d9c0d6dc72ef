"""What the header of a video says of it, and what its packets say; nothing is decoded.

Read in the decoding process (`apollo_core.media.decoder_process`): a damaged header can hang.
"""

from __future__ import annotations

from typing import Any

from apollo_core.media.packet_table import open_stream, packet_table


def read_headers(path: str) -> dict[str, Any]:
    """Codec, size, frames, and duration as the header claims it (None where it does not) and as
    the packets have it, seconds.

    Raises:
        ValueError: no video stream, no video, no packets; in words.
    """
    container, stream = open_stream(path)
    with container:
        claimed = None
        if stream.duration is not None and stream.time_base is not None:
            claimed = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            claimed = container.duration / 1_000_000
        starts, seconds = packet_table(container, stream).times()
        return {
            "codec": stream.codec_context.name,
            "width": stream.codec_context.width,
            "height": stream.codec_context.height,
            "frames": len(starts),
            "seconds": seconds,
            "claimed": claimed,
        }
