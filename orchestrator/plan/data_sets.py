"""From a manifest's name to its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apollo_core.errors import DataMissing
from apollo_core.stages.identity import BenchmarkFormat
from apollo_core.training_files.excluded_places import exclusion_location, exclusion_place
from orchestrator.canonical import digest
from orchestrator.plan.weights import PROVISIONAL
from orchestrator.spec.data_types import Data

# What `apollo_core.microworld.world.generate` writes; a test compares.
WORLD_MANIFESTS = (
    "alignment.jsonl",
    "captions.jsonl",
    "image_captions.jsonl",
    "pretrain_videos.jsonl",
    "pretrain_images.jsonl",
    "sft_video.jsonl",
    "sft_image.jsonl",
    "sft_multi_image.jsonl",
    "sft_text.jsonl",
    "corpus.jsonl",
    "bench.jsonl",
)


# What a manifest holds: conversations, or a benchmark in a format that is said or looked up.
FileFormat = BenchmarkFormat | Literal["training", "auto"]
TRAINING: FileFormat = "training"


@dataclass(frozen=True)
class Manifest:
    """A fingerprint and the manifest's path; `lacks` says which of its media are absent.

    `form`: of a benchmark's file; our own where it is not at hand, and of conversations.
    `left_out`: the list of `data.exclude` and the set's name in it, where that leaves samples out.
    """

    fingerprint: str
    location: str
    lacks: str = ""
    form: BenchmarkFormat = "items"
    left_out: str = ""

    @property
    def without(self) -> dict[str, str]:
        """What a stage's locations say beside the manifest's own place."""
        return {exclusion_place(self.fingerprint): self.left_out} if self.left_out else {}

    @property
    def provisional(self) -> bool:
        """Whether the content is not known here yet."""
        return self.fingerprint.startswith(PROVISIONAL)


def find_manifest(data: Data, name: str, folder: Path, form: FileFormat = TRAINING) -> Manifest:
    """Fingerprint of a manifest and its media.

    Of generated data the world's own fingerprint, known before the data is there; otherwise the
    manifest's sha256 with its media's sizes, provisional where a file is absent.

    Args:
        data: the sweep's `data`.
        name: the manifest, relative to `folder`.
        folder: `data.folder(store)`.
        form: what it holds; `auto` is looked up, by the file's first row.
    """
    path = folder / name
    said: BenchmarkFormat = "items" if form in ("training", "auto") else form
    if data.microworld is not None:
        world = {"world": data.microworld.fingerprint(), "manifest": name}
        return Manifest(f"world:{digest(world)}", str(path), form=said)
    if not _is_there(path):
        return Manifest(f"{PROVISIONAL}manifest:{name}", str(path), form=said)
    found = _format(path, form)
    location = str(path)
    listed = data.exclusion(folder) if found is None else None
    left_out = exclusion_location(listed, name) if listed is not None else ""
    try:
        content = _content(data, path, folder, name, found)
    except DataMissing as error:
        lacking = f"{PROVISIONAL}manifest:{name}"
        # Where the list itself is absent, nothing can be left out yet.
        told = left_out if listed is not None and listed.is_file() else ""
        return Manifest(lacking, location, lacks=str(error), form=found or "items", left_out=told)
    fingerprint = f"manifest:{digest(content)}"
    told = left_out if "excluded" in content else ""
    return Manifest(fingerprint, location, form=found or "items", left_out=told)


def _is_there(path: Path) -> bool:
    from apollo_core.training_files.conversations import is_at_hand

    return path.exists() or is_at_hand(path)


def _format(path: Path, form: FileFormat) -> BenchmarkFormat | None:
    """The format of a benchmark; None of conversations."""
    # Imported here: most plans are of data that is generated or elsewhere.
    from apollo_core.benchmark_files.formats import format_of

    if form == "training":
        return None
    return format_of(path) if form == "auto" else form


def _content(
    data: Data, path: Path, folder: Path, name: str, form: BenchmarkFormat | None
) -> dict[str, object]:
    """What the fingerprint hashes; `excluded` where samples are left out."""
    from apollo_core.media.manifest import manifest_digest, media_fingerprint, used_of
    from apollo_core.training_files.exclusion import read_exclusion

    exclusion = None
    if form is None and data.exclude is not None:
        exclusion = read_exclusion(_listed(data, folder), name)
    if data.skips_bad_media == "stop":
        return {**media_fingerprint(path, folder, form, exclusion)}
    used = used_of(path, form, folder, exclusion)
    sizes = {medium: _size(folder, medium) for medium in used.files}
    content: dict[str, object] = {
        "manifest": manifest_digest(path, form, folder),
        "sizes": sizes,
    }
    return {**content, "excluded": used.excluded} if used.excluded else content


def _listed(data: Data, folder: Path) -> Path:
    """Where the list of what is left out lies."""
    found = data.exclusion(folder)
    assert found is not None
    return found


def _size(folder: Path, name: str) -> int | None:
    """Bytes on disk; None for a file that is absent, which a stage then skips and counts."""
    from apollo_core.media.remote_media import medium_size

    try:
        return medium_size(folder, name)
    except OSError:
        return None
