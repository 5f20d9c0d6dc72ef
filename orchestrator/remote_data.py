"""A sweep's data in an object store: its manifests come into the store, its media stay there.

`<store>/remote/<id>/` is the mirror that `apollo_core.media.remote_media` describes. Manifests keep
their bytes and media their sizes, so that data that move into a bucket keep their stage keys.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest import media_of
from apollo_core.media.remote_media import CHECKSUMS, REMOTE, SIZES, forget_mirrors
from apollo_core.object_store import ObjectStore
from apollo_core.stages.identity import BenchmarkFormat
from apollo_core.training_files.held_media import held
from orchestrator.files import read_json, write_atomically
from orchestrator.remote_sets import is_packed, remote_files, unpack_set
from orchestrator.spec.data_types import Data
from orchestrator.spec.sweep_types import Sweep

_SEEN = "seen.json"
_THREADS = 16


def bring_manifests(sweep: Sweep, store: Path) -> Path | None:
    """Bring the mirror of the sweep's data up to date; None where they are not remote.

    A manifest that has not changed there is not fetched again, nor its media listed; everything is
    looked up anew where one of them was absent.

    Raises:
        DataMissing: a manifest is not there.
        BadInput: no such bucket, no access, or the store cannot be reached.
    """
    data = sweep.data
    if not data.is_remote or data.root is None:
        return None
    mirror = data.folder(store)
    objects = ObjectStore(os.path.expandvars(data.root))
    manifests = _manifests(data, sweep)
    try:
        files = _files(objects, data, manifests)
        packed = {name: own for name, own in files.items() if _stays(name, own, data)}
        copied = sorted({each for name, own in files.items() if name not in packed for each in own})
        shards = sorted({each for own in packed.values() for each in own})
        names = [*copied, *_lists(data), CHECKSUMS]
        versions = {name: objects.version(name) for name in [*names, *shards]}
        versions |= {f"set {name}": " ".join(own) for name, own in packed.items()}
        before = read_json(mirror / _SEEN)
        if before == versions and not _lacks_any(mirror, manifests):
            return mirror
        _fetch(objects, names, mirror)
        _unpack(objects, packed, mirror, str(data.root))
        sizes = _sizes(objects, _media(mirror, manifests))
    except OSError as error:
        raise BadInput(f"data.root: {error.filename}: {error.strerror}") from error
    write_atomically(mirror / SIZES, json.dumps(sizes, sort_keys=True))
    write_atomically(mirror / REMOTE, json.dumps({"url": data.root}))
    write_atomically(mirror / _SEEN, json.dumps(versions, sort_keys=True))
    forget_mirrors()
    return mirror


def _manifests(data: Data, sweep: Sweep) -> dict[str, BenchmarkFormat | None]:
    """Every manifest, with the format of its benchmark where the sweep says it."""
    found: dict[str, BenchmarkFormat | None] = dict.fromkeys(
        each.manifest for each in data.sets.values()
    )
    for entry in sweep.evaluation:
        found[entry.manifest] = None if entry.format == "auto" else entry.format
    return found


def _fetch(objects: ObjectStore, names: Iterable[str], mirror: Path) -> None:
    for name in names:
        try:
            content = objects.read(name)
        except FileNotFoundError:
            if name == CHECKSUMS:
                continue
            raise DataMissing(
                f"data.root: {objects.name} has no manifest {name!r}; check data.root and the "
                "names under data.sets and evaluation"
            ) from None
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(mirror / name, content)


def _files(
    objects: ObjectStore, data: Data, manifests: Mapping[str, BenchmarkFormat | None]
) -> dict[str, tuple[str, ...]]:
    """The objects of each manifest; a benchmark is one."""
    sets = {each.manifest for each in data.sets.values()}
    return {name: remote_files(objects, name) if name in sets else (name,) for name in manifests}


def _stays(name: str, files: tuple[str, ...], data: Data) -> bool:
    """Whether a manifest's objects are shards or Parquet files, which are not copied."""
    return any(each.manifest == name for each in data.sets.values()) and is_packed(files)


def _lists(data: Data) -> list[str]:
    """The list of what is left out, where it lies beside the manifests."""
    exclude = data.exclude
    return [] if exclude is None or exclude[0] in "/~$" else [exclude]


def _unpack(
    objects: ObjectStore, packed: Mapping[str, tuple[str, ...]], mirror: Path, url: str
) -> None:
    """Make the rows of sets whose files stay where they are."""
    if not packed:
        return
    shards = {each for files in packed.values() for each in files}
    sizes = _sizes(objects, shards)
    absent = sorted(shards - sizes.keys())
    if absent:
        raise DataMissing(f"data.root: {objects.name} has no {', '.join(absent[:3])}")
    mirror.mkdir(parents=True, exist_ok=True)
    write_atomically(mirror / SIZES, json.dumps(sizes, sort_keys=True))
    write_atomically(mirror / REMOTE, json.dumps({"url": url}))
    for name, files in packed.items():
        unpack_set(mirror, name, files)


def _media(mirror: Path, manifests: Mapping[str, BenchmarkFormat | None]) -> set[str]:
    """Every object with media: of media inside of shards, the shard."""
    found = (media_of(mirror / name, form, mirror) for name, form in manifests.items())
    names = {medium.path for media in found for medium in media}
    return {inside.holder if (inside := held(name)) else name for name in names}


def _sizes(objects: ObjectStore, media: set[str]) -> dict[str, int]:
    """Bytes of each medium that is there: a listing of each folder, not a look at each file."""
    folders = sorted({name.rpartition("/")[0] for name in media})
    with ThreadPoolExecutor(_THREADS) as pool:
        listed = dict(zip(folders, pool.map(objects.sizes, folders), strict=True))
        found = dict(_listed(listed, media))
        if not any(listed.values()):  # a plain web server lists nothing
            absent = sorted(media - found.keys())
            sizes = pool.map(objects.size_if_there, absent)
            found |= {name: size for name, size in zip(absent, sizes, strict=True) if size >= 0}
    return found


def _listed(listed: dict[str, dict[str, int]], media: set[str]) -> Iterator[tuple[str, int]]:
    for name in media:
        folder, _, last = name.rpartition("/")
        if last in listed[folder]:
            yield name, listed[folder][last]


def _lacks_any(mirror: Path, manifests: Mapping[str, BenchmarkFormat | None]) -> bool:
    sizes = read_json(mirror / SIZES) or {}
    return any(name not in sizes for name in _media(mirror, manifests))
