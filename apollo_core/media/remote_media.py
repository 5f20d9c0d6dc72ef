"""Media in an object store: a folder here stands for the folder there.

A mirror holds what is small and asked for often, the media stay where they are:

    remote.json    {"url": as the sweep file writes it, with its variables}
    sizes.json     {medium: bytes there}; a medium that is not in it is absent
    SHA256SUMS     the store's own, if it has one (as `sha256sum` writes it)
    *.jsonl        manifests

A medium is fetched to this machine's scratch folder when it is read, and must have the size that
was listed, and the checksum where there is one. Variables in the URL are resolved here, so that no
credential is ever in the mirror or travels with a task.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TypeVar

from apollo_core.errors import BadData, BadInput, DecodeFailed
from apollo_core.media.media_file import look, name_problem
from apollo_core.media.scratch_cache import ScratchCache, scratch_cache
from apollo_core.object_store import ObjectStore
from apollo_core.training_files.held_media import held, held_file, held_size

REMOTE = "remote.json"
SIZES = "sizes.json"
CHECKSUMS = "SHA256SUMS"
_TRIES = 4
_PAUSE = 1.0

T = TypeVar("T")


def is_remote(root: Path) -> bool:
    """Whether a folder of media stands for one in an object store."""
    return _remote(root) is not None


def medium_version(root: Path, name: str) -> tuple[int, int]:
    """(bytes, time of change in ns) of a medium; of a remote one its bytes and 0.

    Of one inside of a shard or Parquet file: its bytes, and when that file changed.

    Raises:
        DecodeFailed: it is missing or empty.
    """
    inside = held(name)
    if inside is not None:
        holder = _holder(root, inside.holder)
        size = _told_of(root, name, lambda: held_size(holder, inside.member))
        if size == 0:
            raise DecodeFailed(root / name, "is empty (0 bytes)")
        return size, 0 if is_remote(root) else holder.stat().st_mtime_ns
    remote = _remote(root)
    if remote is None:
        stat = look(root / name)
        return stat.st_size, stat.st_mtime_ns
    return remote.size(name), 0


def medium_size(root: Path, name: str) -> int:
    """Bytes of a medium, 0 included.

    Raises:
        OSError: there is no such medium.
        BadData: the shard or Parquet file that it lies in is damaged.
    """
    inside = held(name)
    if inside is not None:
        return held_size(_holder(root, inside.holder), inside.member)
    remote = _remote(root)
    if remote is None:
        if "\0" in name:  # the file system has no error for it
            raise FileNotFoundError(f"{str(root / name)!r}: {name_problem(name)}")
        return (root / name).stat().st_size
    found = remote.sizes.get(name)
    if found is None:
        raise FileNotFoundError(f"{root / name}: not in {remote.url}")
    return found


def read_medium(root: Path, name: str, read: Callable[[Path], T]) -> T:
    """`read` of the medium's file, which is fetched first where the root is remote.

    Raises:
        DecodeFailed: naming `root / name`, wherever its bytes lie.
        OSError: the store cannot be reached just now.
    """
    inside = held(name)
    remote = _remote(root)
    if remote is None and inside is None:
        return read(root / name)
    try:
        if inside is None:
            assert remote is not None
            return read(remote.fetch(name))
        holder = _holder(root, inside.holder)
        return read(_told_of(root, name, lambda: held_file(holder, inside.member)))
    except DecodeFailed as error:
        raise DecodeFailed(root / name, error.reason) from error


def _holder(root: Path, name: str) -> Path:
    """A shard or Parquet file on this machine, fetched whole where it is remote."""
    remote = _remote(root)
    return root / name if remote is None else remote.fetch(name)


def _told_of(root: Path, name: str, look_inside: Callable[[], T]) -> T:
    """What is found inside of a file; what is wrong with it is told of the medium."""
    try:
        return look_inside()
    except FileNotFoundError:
        raise DecodeFailed(root / name, "does not exist") from None
    except DecodeFailed:
        raise
    except BadData as error:
        raise DecodeFailed(root / name, str(error)) from None


class RemoteMedia:
    """The media that a mirror stands for."""

    def __init__(self, mirror: Path, cache: ScratchCache) -> None:
        self._mirror = mirror
        self._cache = cache
        self.url = str(json.loads((mirror / REMOTE).read_text(encoding="utf-8"))["url"])
        self.sizes: Mapping[str, int] = json.loads((mirror / SIZES).read_text(encoding="utf-8"))
        self._checksums = read_checksums(mirror / CHECKSUMS)
        self._objects = ObjectStore(os.path.expandvars(self.url))

    def size(self, name: str) -> int:
        """Bytes of a medium. Raises `DecodeFailed` where it is missing or empty."""
        size = self.sizes.get(name)
        if size is None:
            raise DecodeFailed(self._mirror / name, f"does not exist in {self.url}")
        if size == 0:
            raise DecodeFailed(self._mirror / name, "is empty (0 bytes)")
        return size

    def fetch(self, name: str) -> Path:
        """A medium's file on this machine. Raises `DecodeFailed`, `BadData`, `OSError`."""
        size = self.size(name)
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DecodeFailed(self._mirror / name, "lies outside of the media's folder")
        place = f"{self._mirror.name}/{name}"
        return self._cache.get(place, size, lambda target: self._bring(name, size, target))

    def _bring(self, name: str, size: int, target: Path) -> None:
        self._download(name, target)
        found = target.stat().st_size
        if found != size:
            raise DecodeFailed(
                self._mirror / name,
                f"came as {found} bytes from {self.url}, {size} were listed; if it was replaced, "
                "run `apollo fetch` for the sweep again",
            )
        checksum = self._checksums.get(name)
        if checksum and _sha256(target) != checksum:
            raise DecodeFailed(
                self._mirror / name, f"its bytes are not those that {CHECKSUMS} lists"
            )

    def _download(self, name: str, target: Path) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                self._objects.download(name, target)
            except FileNotFoundError:
                raise DecodeFailed(
                    self._mirror / name, f"does not exist in {self.url} any more"
                ) from None
            except BadInput as error:  # refused: the same again would be refused again
                raise BadData(str(error)) from error
            except OSError:
                if attempt == _TRIES:
                    raise
                time.sleep(_PAUSE * attempt)
            else:
                return


def read_checksums(path: Path) -> dict[str, str]:
    """Medium -> sha256, from a file as `sha256sum` writes it; {} where there is none."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition(" ")
        found[name.lstrip(" *").removeprefix("./")] = digest.lower()
    return found


def forget_mirrors() -> None:
    """Read mirrors anew: one has changed."""
    _remote.cache_clear()


# A mirror does not change while stages run by it; the driver that changes one forgets it.
@lru_cache(maxsize=16)
def _remote(root: Path) -> RemoteMedia | None:
    return RemoteMedia(root, scratch_cache()) if (root / REMOTE).is_file() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
