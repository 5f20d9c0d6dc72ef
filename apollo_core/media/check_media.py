"""Look at all media of a manifest before a GPU is held for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apollo_core.errors import BadData
from apollo_core.media.decoding import DEADLINE_S
from apollo_core.media.manifest import media_of
from apollo_core.media.medium_facts import State, look_at
from apollo_core.media.video_file import DEFAULT_DECODER, NO_VIDEO_STREAM, DecoderName
from apollo_core.training_files.exclusion import Exclusion

NAMED = 5  # bad files that one message names


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
            "leave them out (`data.exclude`, which `apollo check-data` writes), or have bad media "
            "skipped."
        )


def check(
    manifest: str | Path,
    root: str | Path,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    deadline_s: float = DEADLINE_S,
    exclusion: Exclusion | None = None,
    decoder: DecoderName = DEFAULT_DECODER,
) -> MediaReport:
    """Open every video's header and decode every image of a training or benchmark manifest.

    Args:
        manifest, root: the manifest and the folder that its media paths start from.
        workers: decoding processes at a time.
        on_progress: called with (files done, files in all) after each file.
        deadline_s: how long one file may take before it counts as unreadable.
        exclusion: samples of a training set whose media are not looked at.
        decoder: what is to read the videos.

    Raises:
        DataMissing, BadInput: the manifest itself is missing or wrong.
    """
    media = media_of(manifest, root=root, exclusion=exclusion)
    found: dict[State, list[tuple[str, str]]] = {}
    facts = look_at(media, Path(root), workers=workers, deadline_s=deadline_s, decoder=decoder)
    for done, each in enumerate(facts, start=1):
        if each.state != "usable":
            found.setdefault(each.state, []).append((each.path, each.reason))
        if on_progress is not None:
            on_progress(done, len(media))
    videos = sum(kind == "video" for kind, _ in media)
    return MediaReport(
        manifest=str(manifest),
        root=str(root),
        videos=videos,
        images=len(media) - videos,
        usable=len(media) - sum(map(len, found.values())),
        missing=_names(found.get("missing", [])),
        empty=_names(found.get("empty", [])),
        audio_only=_names(found.get("audio_only", [])),
        unreadable=tuple(found.get("unreadable", ())),
    )


def _names(found: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name for name, _ in found)
