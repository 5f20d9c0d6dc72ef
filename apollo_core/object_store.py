"""A folder in an object store, by fsspec: the one file that imports it.

    s3://bucket/folder   gs://...   abfs://...   https://host/folder   memory://...   file:///...

Credentials come from where the store's own tools take them (for S3: the variables `AWS_...`, a
profile, the machine's role; `AWS_ENDPOINT_URL` for servers other than Amazon's). What goes wrong is
told in three ways: `BadInput` (address, bucket, access), `FileNotFoundError` (one object is absent)
and `OSError` (the rest, which may pass).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from apollo_core.errors import BadInput
from apollo_core.redaction import redact

_LOCAL_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What the packages of the stores call it: S3, Google, Azure, files, web servers, memory.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_settings", "LastModified", "mtime", "created")
_INSTALL = "pip install 'apollo-sweeps[cluster]', or the fsspec package of that store"


def is_url(place: str) -> bool:
    """Whether a place is an object store's and not a path."""
    return "://" in place


class ObjectStore:
    """Objects under one URL; names are relative to it, with `/` between their parts.

    Threads may share it.

    Raises:
        BadInput: nothing here speaks the URL's protocol.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.name = redact(url.partition("?")[0]).rstrip("/")
        plain, options = _without_user(url)
        # A web server's token stands behind the path of each file.
        plain, mark, query = plain.partition("?") if plain.startswith("http") else (plain, "", "")
        self._query = mark + query
        try:
            # Listings that were kept would hide what another process has put there.
            self._files, root = url_to_fs(
                plain, use_listings_cache=False, skip_instance_cache=True, **options
            )
        except ImportError as error:
            raise BadInput(f"{self.name}: {error}; {_INSTALL}") from error
        except (ValueError, TypeError) as error:
            raise BadInput(
                f"{self.name}: no URL of an object store: {redact(str(error))}"
            ) from None
        self._root = str(root).rstrip("/")

    def read(self, name: str) -> bytes:
        """The bytes of a small object."""
        with self._telling(name):
            return self._files.cat_file(self._path(name))

    def write(self, name: str, content: bytes) -> None:
        """Make a small object, whole or not at all where the store can."""
        with self._telling(name):
            self._make_folder(name)
            self._files.pipe_file(self._path(name), content)

    def size(self, name: str) -> int:
        """Bytes of an object."""
        with self._telling(name):
            return int(self._files.info(self._path(name))["size"])

    def size_if_there(self, name: str) -> int:
        """Bytes of an object; -1 where there is none."""
        try:
            return self.size(name)
        except FileNotFoundError:
            return -1

    def version(self, name: str) -> str:
        """What changes when the object does; empty where there is none.

        A store that tells nothing but a size has a new version at each look.
        """
        try:
            with self._telling(name):
                found = self._files.info(self._path(name))
        except FileNotFoundError:
            return ""
        told = [f"{key}={found[key]}" for key in _VERSIONS if found.get(key)]
        return f"{found['size']} {' '.join(told) or time.time_ns()}"

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every object right in a folder, by its last name; {} where there is none."""
        return {
            _last_name(entry): int(entry["size"])
            for entry in self._entries(folder)
            # A web server's page lists names, if that.
            if entry["type"] == "file" and entry["size"] is not None
        }

    def folders(self, folder: str) -> list[str]:
        """Last names of the folders right in a folder; [] where there is none."""
        found = self._entries(folder)
        return sorted(_last_name(entry) for entry in found if entry["type"] == "directory")

    def upload(self, source: Path, name: str) -> None:
        """Copy a file there."""
        with self._telling(name):
            self._make_folder(name)
            self._files.put_file(str(source), self._path(name))

    def download(self, name: str, target: Path) -> None:
        """Copy an object to a file here."""
        with self._telling(name):
            self._files.get_file(self._path(name), str(target))

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        try:
            with self._telling(folder):
                return self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return []

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/") + self._query

    def _make_folder(self, name: str) -> None:
        """Folders are real in some stores; in buckets they are not, and to ask would cost time."""
        protocols = self._files.protocol
        named = (protocols,) if isinstance(protocols, str) else protocols
        if {"file", "local", "memory", "sftp", "ssh"} & set(named):
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """Turn whatever a store's package raises into what the module promises."""
        where = f"{self.name}/{name}".rstrip("/")
        try:
            yield
        except FileNotFoundError as error:
            if "bucket does not exist" in str(error).lower():
                raise BadInput(f"{self.name}: there is no such bucket") from None
            raise FileNotFoundError(errno.ENOENT, "there is no such object", where) from None
        except BadInput:
            raise
        except Exception as error:  # each store's package has exceptions of its own
            said = redact(" ".join(str(error).split())) or type(error).__name__
            if isinstance(error, OSError) and error.errno in _LOCAL_TROUBLE:
                raise
            if isinstance(error, PermissionError) or "Credential" in type(error).__name__:
                raise BadInput(
                    f"{self.name}: access denied ({said}). Check the credentials (S3: "
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's "
                    "role) and what they may do there."
                ) from None
            if type(error).__name__ == "ParamValidationError":
                raise BadInput(f"{self.name}: {said}") from None
            raise OSError(errno.EIO, f"cannot be reached: {said}", where) from error


def _last_name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rstrip("/").rpartition("/")[2]


def _without_user(url: str) -> tuple[str, dict[str, Any]]:
    """An S3 URL without `KEY:SECRET@`, and these as options: s3fs takes them only so."""
    rest = url.partition("://")[2]
    if urlsplit(url).scheme not in ("s3", "s3a") or "@" not in rest:
        return url, {}
    user, _, place = rest.rpartition("@")
    key, colon, secret = user.partition(":")
    if not colon or "/" in key:
        return url, {}
    return f"s3://{place}", {"key": unquote(key), "secret": unquote(secret)}
