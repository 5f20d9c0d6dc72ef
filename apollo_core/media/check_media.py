"""Look at all media of a manifest before a GPU is held for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from apollo_core.errors import BadData, DecodeFailed
from apollo_core.media.decoding import DEADLINE_S, Decoder
from apollo_core.media.images import read_image
from apollo_core.media.manifest import media_of
from apollo_core.media.manifest_record import Medium
from apollo_core.media.remote_media import is_remote, medium_size
from apollo_core.media.video_file import NO_VIDEO_STREAM

State = Literal["usable", "missing", "empty", "audio_only", "unreadable"]
NAMED = 5  # bad files that one message names
PROBE_SIZE = 16  # pixels that a checked image is reduced to; the whole file is decoded all the same


@dataclass(frozen=True)
class MediaReport:
    """What a check found; paths are relative to `root`.

    `unreadable` holds (path, reason); the other lists hold paths.
    """

    manifest: str
    root: str
    videos: int
    images: int
    usable: int
    missing: tuple[str, ...]
    empty: tuple[str, ...]
    audio_only: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]

    @property
    def bad(self) -> tuple[tuple[str, str], ...]:
        """Every file that cannot be used, as (path, why)."""
        return (
            *((path, "is missing") for path in self.missing),
            *((path, "is empty (0 bytes)") for path in self.empty),
            *((path, NO_VIDEO_STREAM) for path in self.audio_only),
            *self.unreadable,
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def refuse_bad(self) -> None:
        """If there are bad files, raise one `BadData` that counts them and names the first few."""
        bad = self.bad
        if not bad:
            return
        named = "; ".join(f"{path} {why}" for path, why in bad[:NAMED])
        more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        raise BadData(
            f"{self.manifest}: {len(bad)} of {self.videos + self.images} media files under "
            f"{self.root} cannot be used: {named}{more}. Mend them, take their lines out, "
            "or have bad media skipped."
        )


def check(
    manifest: str | Path,
    root: str | Path,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    deadline_s: float = DEADLINE_S,
) -> MediaReport:
    """Open every video's header and decode every image of a training or benchmark manifest.

    Args:
        manifest, root: the manifest and the folder that its media paths start from.
        workers: decoding processes at a time.
        on_progress: called with (files done, files in all) after each file.
        deadline_s: how long one file may take before it counts as unreadable.

    Raises:
        DataMissing, BadInput: the manifest itself is missing or wrong.
    """
    media = media_of(manifest)
    found: dict[State, list[tuple[str, str]]] = {}
    states = _states(media, Path(root), workers=workers, deadline_s=deadline_s)
    for done, (name, state, reason) in enumerate(states, start=1):
        found.setdefault(state, []).append((name, reason))
        if on_progress is not None:
            on_progress(done, len(media))
    videos = sum(kind == "video" for kind, _ in media)
    return MediaReport(
        manifest=str(manifest),
        root=str(root),
        videos=videos,
        images=len(media) - videos,
        usable=len(found.get("usable", ())),
        missing=_names(found.get("missing", [])),
        empty=_names(found.get("empty", [])),
        audio_only=_names(found.get("audio_only", [])),
        unreadable=tuple(found.get("unreadable", ())),
    )


def _names(found: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name for name, _ in found)


def _states(
    media: tuple[Medium, ...], root: Path, *, workers: int, deadline_s: float
) -> Iterator[tuple[str, State, str]]:
    """(path, state, reason) of each file, in the manifest's order."""
    idle: SimpleQueue[Decoder] = SimpleQueue()

    def look(medium: Medium) -> tuple[str, State, str]:
        decoder = idle.get()
        try:
            return (medium.path, *(_listed(root, medium.path) or _state(decoder, medium, root)))
        finally:
            idle.put(decoder)

    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            idle.put(stack.enter_context(Decoder(deadline_s=deadline_s)))
        yield from pool.map(look, media)


def _listed(root: Path, name: str) -> tuple[State, str] | None:
    """What a listing tells of a medium in an object store; None for one on this machine.

    To open it would fetch it, and all of them through one machine.
    """
    if not is_remote(root):
        return None
    try:
        return ("usable" if medium_size(root, name) else "empty"), ""
    except OSError:
        return "missing", ""


def _state(decoder: Decoder, medium: Medium, root: Path) -> tuple[State, str]:
    path = root / medium.path
    try:
        if not path.exists():
            return "missing", ""
        if path.is_file() and path.stat().st_size == 0:
            return "empty", ""
        if medium.kind == "video":
            decoder.timestamps(path)
        else:
            read_image(path, size=PROBE_SIZE)
    except DecodeFailed as error:
        return ("audio_only" if error.reason == NO_VIDEO_STREAM else "unreadable"), error.reason
    except OSError as error:
        return "unreadable", str(error.strerror or error)
    return "usable", ""
