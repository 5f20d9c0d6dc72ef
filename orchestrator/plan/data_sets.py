"""From a manifest's name to its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from apollo_core.errors import DataMissing
from orchestrator.canonical import digest
from orchestrator.plan.weights import PROVISIONAL
from orchestrator.spec.sweep_types import Data

# What `apollo_core.microworld.world.generate` writes; a test compares.
WORLD_MANIFESTS = (
    "captions.jsonl",
    "image_captions.jsonl",
    "sft_video.jsonl",
    "sft_image.jsonl",
    "sft_multi_image.jsonl",
    "sft_text.jsonl",
    "corpus.jsonl",
    "bench.jsonl",
)


@dataclass(frozen=True)
class Manifest:
    """A fingerprint and the manifest's path; `lacks` says which of its media are absent."""

    fingerprint: str
    location: str
    lacks: str = ""

    @property
    def provisional(self) -> bool:
        """Whether the content is not known here yet."""
        return self.fingerprint.startswith(PROVISIONAL)


def find_manifest(data: Data, name: str, folder: Path) -> Manifest:
    """Fingerprint of a manifest and its media.

    Of generated data the world's own fingerprint, known before the data is there; otherwise the
    manifest's sha256 with its media's sizes, provisional where a file is absent.

    Args:
        data: the sweep's `data`.
        name: the manifest, relative to `folder`.
        folder: `data.folder(store)`.
    """
    path = folder / name
    if data.microworld is not None:
        world = {"world": data.microworld.fingerprint(), "manifest": name}
        return Manifest(f"world:{digest(world)}", str(path))
    if not path.is_file():
        return Manifest(f"{PROVISIONAL}manifest:{name}", str(path))
    try:
        return Manifest(f"manifest:{digest(_content(data, path, folder))}", str(path))
    except DataMissing as error:
        return Manifest(f"{PROVISIONAL}manifest:{name}", str(path), lacks=str(error))


def _content(data: Data, path: Path, folder: Path) -> dict[str, object]:
    # Imported here: most plans are of data that is generated or elsewhere.
    from apollo_core.media.manifest import media_fingerprint, media_of

    if data.bad_media == "stop":
        return {**media_fingerprint(path, folder)}
    media = sorted({media for _, media in media_of(path)})
    sizes = {name: _size(folder, name) for name in media}
    return {"manifest": hashlib.sha256(path.read_bytes()).hexdigest(), "sizes": sizes}


def _size(folder: Path, name: str) -> int | None:
    """Bytes on disk; None for a file that is absent, which a stage then skips and counts."""
    from apollo_core.media.remote_media import medium_size

    try:
        return medium_size(folder, name)
    except OSError:
        return None
