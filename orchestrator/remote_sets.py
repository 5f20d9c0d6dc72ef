"""Training sets of several files in an object store: which they are, and what is kept of shards.

Manifests of JSON are copied into the mirror; shards and Parquet files stay where they are. Each is
fetched once, whole, to make the set's rows from, and again when a stage reads its media.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.remote_media import RemoteMedia
from apollo_core.media.scratch_cache import scratch_cache
from apollo_core.object_store import ObjectStore
from apollo_core.training_files.places import KINDS, PACKED, expand, is_pattern, kind_of
from apollo_core.training_files.unpacked import kept_beside, unpack_remote


def remote_files(objects: ObjectStore, name: str) -> tuple[str, ...]:
    """The objects that a set's name means: itself, those of a folder, or of a pattern.

    Raises:
        DataMissing: a pattern that no object has.
        BadInput: a pattern in the name of a folder; a folder of several kinds.
    """
    if is_pattern(name):
        return tuple(file for each in expand(name) for file in _globbed(objects, each))
    if PurePosixPath(name).suffix:
        return (name,)
    held = sorted(objects.sizes(name.rstrip("/")))
    packed = [last for last in held if KINDS.get(PurePosixPath(last).suffix.lower()) in PACKED]
    return tuple(f"{name.rstrip('/')}/{last}" for last in packed) or (name,)


def is_packed(files: Iterable[str]) -> bool:
    """Whether these are shards or Parquet files."""
    return kind_of(tuple(map(Path, files))) in PACKED


def unpack_set(mirror: Path, name: str, files: tuple[str, ...]) -> None:
    """Make the rows of a set whose files stay in the store; `sizes.json` has these already.

    Raises:
        DataMissing, BadInput: a file is absent or damaged, or rows are wrong.
        OSError: the store cannot be reached just now.
    """
    media = RemoteMedia(mirror, scratch_cache())
    paths = tuple(mirror / file for file in files)
    unpack_remote(
        paths,
        kind_of(paths),
        mirror,
        lambda path: media.fetch(path.relative_to(mirror).as_posix()),
        into=kept_beside(mirror / name),
    )


def _globbed(objects: ObjectStore, name: str) -> list[str]:
    folder, slash, last = name.rpartition("/")
    if is_pattern(folder):
        raise BadInput(
            f"data.sets: {name!r}: in an object store a pattern may stand in the last part only"
        )
    if not is_pattern(last):
        return [name]
    found = [each for each in sorted(objects.sizes(folder)) if fnmatchcase(each, last)]
    if not found:
        raise DataMissing(f"data.sets: {objects.name} has no object like {name!r}")
    return [f"{folder}{slash}{each}" for each in found]
