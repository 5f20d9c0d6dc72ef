"""Finished stages in an object store.

    <url>/apollo.json              says that this is such a place, and of which format
    <url>/stages/<key>/<sha256>    a file of a stage, under its checksum
    <url>/stages/<key>/DONE        last: the stage's own DONE, which gives the files their names
    <url>/sweeps/<name>/           sweep files that ran and their records, as in a store

A file's name is its content, so that two who push the same stage at once cannot mix their files.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import TypeVar

from apollo_core.errors import ApolloError, BadInput
from apollo_core.object_store import ObjectStore, is_url
from apollo_core.redaction import redact
from orchestrator.exchange.done import StageFile

DONE = "DONE"
_MARK = "apollo.json"
_FORMAT = 1
_RECORD = re.compile(r"[0-9a-f]{16}\.(?:json|yaml|ran)|latest\.json")
TRIES = 3
_PAUSE = 0.5

T = TypeVar("T")


class Bucket:
    """The place at a URL that stages are pushed to and pulled from.

    What concerns the whole place raises `ApolloError` where its server cannot be reached; what
    concerns one stage, `OSError`.
    """

    def __init__(self, url: str) -> None:
        if not is_url(url):
            raise BadInput(
                f"{url!r}: no URL of an object store; give s3://BUCKET/FOLDER, gs://..., or "
                "file:///FOLDER for a folder of this machine"
            )
        self.objects = ObjectStore(url)

    @property
    def name(self) -> str:
        """The URL, without credentials."""
        return self.objects.name

    def require(self) -> None:
        """Raise `BadInput` unless something was pushed here, in a format that is read here."""
        try:
            mark = json.loads(self._asked(lambda: self.objects.read(_MARK)))
            found = mark["format"]
        except FileNotFoundError:
            raise BadInput(
                f"{self.name}: nothing was pushed there ({_MARK} is absent); check the URL, or "
                "`apollo push` first"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise BadInput(f"{self.name}/{_MARK}: not written by apollo") from None
        if found != _FORMAT:
            raise BadInput(
                f"{self.name}: of format {found}, this apollo knows {_FORMAT}; update it"
            )

    def prepare(self) -> None:
        """Prove that there is a bucket that takes what is pushed, and mark the place."""
        mark = json.dumps({"format": _FORMAT}).encode()
        self._asked(lambda: self.objects.write(_MARK, mark))

    def done(self, key: str) -> bytes | None:
        """The DONE of a stage there; None where there is none."""
        try:
            return persistently(lambda: self.objects.read(f"stages/{key}/{DONE}"))
        except FileNotFoundError:
            return None

    def sizes(self, key: str) -> dict[str, int]:
        """Bytes of each object of a stage, by name."""
        return persistently(lambda: self.objects.sizes(f"stages/{key}"))

    def place(self, key: str, file: StageFile) -> str:
        """Name of a stage's file there."""
        return f"stages/{key}/{file.sha256}"

    def records(self, sweep: str) -> list[str]:
        """Names of what is known there of a sweep."""
        found = self._asked(lambda: self.objects.sizes(f"sweeps/{sweep}"))
        return sorted(name for name in found if is_record(name))

    def record(self, sweep: str, name: str) -> bytes:
        """One of them."""
        return self._asked(lambda: self.objects.read(f"sweeps/{sweep}/{name}"))

    def keep_record(self, sweep: str, name: str, content: bytes) -> None:
        """Put one of them there."""
        self._asked(lambda: self.objects.write(f"sweeps/{sweep}/{name}", content))

    def sweeps(self) -> list[str]:
        """Names of the sweeps that were pushed there."""
        return self._asked(lambda: self.objects.folders("sweeps"))

    def _asked(self, act: Callable[[], T]) -> T:
        try:
            return persistently(act)
        except FileNotFoundError:
            raise
        except OSError as error:
            said = f"{error.filename or self.name}: {error.strerror or error}"
            raise ApolloError(f"{redact(said)}; the same command goes on") from error


def is_record(name: str) -> bool:
    """Whether a file of `<store>/sweeps/<name>` goes along: other things lie beside the records."""
    return _RECORD.fullmatch(name) is not None


def persistently(act: Callable[[], T]) -> T:
    """Do it again when the network or the store fails, a few times; not when the answer is no."""
    for attempt in range(1, TRIES):
        try:
            return act()
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(_PAUSE * attempt)
    return act()
