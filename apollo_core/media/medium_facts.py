"""What is found out about media without decoding films: many at a time, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from PIL import Image

from apollo_core.errors import BadData, DecodeFailed
from apollo_core.in_order import in_order
from apollo_core.media.decoding import DEADLINE_S, Decoder
from apollo_core.media.images import read_image
from apollo_core.media.manifest_record import Medium, MediumKind
from apollo_core.media.media_file import name_problem
from apollo_core.media.remote_media import is_remote, medium_size, read_medium
from apollo_core.media.video_file import DEFAULT_DECODER, NO_VIDEO_STREAM, DecoderName

State = Literal["usable", "missing", "empty", "audio_only", "unreadable"]
PROBE_SIZE = 16  # pixels that a checked image is reduced to; the whole file is decoded all the same
# A header may round; a duration that is off by more than both is another one.
LIE_SECONDS = 0.5
LIE_SHARE = 0.05
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found of one medium.

    Attributes:
        state, reason: whether it can be used, and why not.
        bytes: of the file; -1 where it is missing.
        width, height: pixels; 0 where unknown.
        frames: 1 of a picture.
        seconds: by the packets; 0 of a picture.
        claimed: seconds by the header, where it says so.
        codec: "" of a picture.
    """

    path: str
    kind: MediumKind
    state: State
    reason: str = ""
    bytes: int = -1
    width: int = 0
    height: int = 0
    frames: int = 0
    seconds: float = 0.0
    claimed: float | None = None
    codec: str = ""

    @property
    def lies(self) -> bool:
        """Whether the header's duration is not that of the packets."""
        if self.claimed is None or self.kind != "video" or self.state != "usable":
            return False
        off = abs(self.claimed - self.seconds)
        return off > LIE_SECONDS and off > LIE_SHARE * self.seconds

    @property
    def rate(self) -> float:
        """Frames per second, on average."""
        return self.frames / self.seconds if self.seconds else 0.0


def look_at(
    media: Sequence[Medium],
    root: Path,
    *,
    workers: int = 1,
    deadline_s: float = DEADLINE_S,
    decoder: DecoderName = DEFAULT_DECODER,
) -> Iterator[Facts]:
    """The facts of each medium, in order.

    Args:
        media, root: what to look at, and the folder that paths start from. Of media in an object
            store only the listing is asked: to open them would fetch all of them.
        workers: processes that read headers at a time.
        deadline_s: how long one file may take before it counts as unreadable.
        decoder: what is to read the videos; what it refuses is unreadable.
    """
    idle: SimpleQueue[Decoder] = SimpleQueue()

    def look(medium: Medium) -> Facts:
        one = idle.get()
        try:
            return _facts(one, medium, root)
        finally:
            idle.put(one)

    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            idle.put(stack.enter_context(Decoder(deadline_s=deadline_s, decoder=decoder)))
        yield from in_order(pool, look, media, most=_AHEAD * workers)


def content_hash(root: Path, name: str) -> str:
    """sha256 of a medium's bytes. Raises `DecodeFailed`, `OSError`."""

    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return read_medium(root, name, digest)


def _facts(decoder: Decoder, medium: Medium, root: Path) -> Facts:
    kind, path = medium
    size = -1
    if problem := name_problem(path):
        return Facts(path, kind, "unreadable", problem)
    try:
        size = medium_size(root, path)
        if size == 0 and (is_remote(root) or not (root / path).is_fifo()):
            return Facts(path, kind, "empty", "is empty (0 bytes)", 0)
        if is_remote(root):
            return Facts(path, kind, "usable", bytes=size)
        read = _film if kind == "video" else _picture
        found = read_medium(root, path, lambda file: read(decoder, file))
    except FileNotFoundError:
        return Facts(path, kind, "missing", "is missing")
    except DecodeFailed as error:
        audio = error.reason == NO_VIDEO_STREAM
        return Facts(path, kind, "audio_only" if audio else "unreadable", error.reason, size)
    except BadData as error:
        return Facts(path, kind, "unreadable", str(error), size)
    except OSError as error:
        return Facts(path, kind, "unreadable", str(error.strerror or error), size)
    return Facts(path, kind, "usable", bytes=size, **found)


def _film(decoder: Decoder, file: Path) -> dict[str, Any]:
    found = decoder.headers(file)
    if decoder.decoder != DEFAULT_DECODER:  # headers are read as the default one reads them
        decoder.timestamps(file)
    return found


def _picture(decoder: Decoder, file: Path) -> dict[str, Any]:
    read_image(file, size=PROBE_SIZE)
    with Image.open(file) as image:
        return {"width": image.width, "height": image.height, "frames": 1}
