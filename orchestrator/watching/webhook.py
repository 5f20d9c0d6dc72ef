"""Tells a web address when a stage is given up and when the run is over, if one was given.

One JSON object a message, with a `text` that chat programs show. A thread of its own sends it: an
address that does not answer holds up nothing and fails nothing. The address is itself a secret with
many of them, so no more of it than the host is ever said.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from apollo_core.errors import BadInput
from apollo_core.redaction import redact

# Seconds: for an answer; between two messages of failures, which come in droves; at the end.
_ANSWER = 5.0
_APART = 30.0
_PATIENCE = 12.0
_NAMED = 5

Failure = Mapping[str, str]


class Webhook:
    """Sends messages about one run until it is closed.

    Args:
        url: where to, http or https; user name and password in it are sent as such.

    Raises:
        BadInput: it is no such address; what it is stays untold.
    """

    def __init__(self, url: str) -> None:
        self._request = _request(url)
        self.host = urlsplit(url).hostname or ""
        self._pending: list[Failure] = []
        self._last: dict[str, Any] | None = None
        self._name = ""
        self._problem = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def failed(self, name: str, failure: Failure) -> None:
        """A stage of sweep `name` is given up: `stage`, `class`, `message`."""
        with self._lock:
            self._name = name
            self._pending.append(failure)
        self._news.set()

    def close(self, last: Mapping[str, Any] | None) -> str | None:
        """Send what is pending and `last`, the end's message; return what to tell if it failed."""
        self._last = dict(last) if last else None
        self._stop.set()
        self._news.set()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._problem = "it does not answer"
        return (
            f"no message could be sent to {self.host}: {self._problem}" if self._problem else None
        )

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            with self._lock:
                failures, self._pending = self._pending, []
            if failures:
                self._send(failed_message(self._name, failures))
            if self._stop.is_set():
                break
            self._stop.wait(_APART)
        if self._last is not None:
            self._send(self._last)

    def _send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps(message).encode()
        try:
            with _OPENER.open(self._request(data), timeout=_ANSWER) as answer:
                answer.read(1024)
            self._problem = ""
        except (OSError, HTTPException, ValueError) as error:
            code = getattr(error, "code", None)
            # An error's own words may repeat the address.
            self._problem = f"it answers {code}" if code else type(error).__name__


def failed_message(name: str, failures: Sequence[Failure]) -> dict[str, Any]:
    """Stages that were given up while the rest goes on."""
    count = f"{len(failures)} stages" if len(failures) > 1 else "a stage"
    head = f"{name}: {count} failed, the rest goes on"
    return {
        "event": "failed",
        "sweep": name,
        "text": "\n".join([head, *_told(failures)]),
        "failures": _clean(failures),
    }


def end_message(
    name: str, stages: Mapping[str, int], failures: Sequence[Failure], *, seconds: float
) -> dict[str, Any]:
    """The end of a run: counts of stages by what became of them, and what failed."""
    counts = ", ".join(f"{count} {state}" for state, count in stages.items())
    return {
        "event": "end",
        "sweep": name,
        "text": "\n".join([f"{name}: {counts}", *_told(failures)]),
        "stages": dict(stages),
        "failures": _clean(failures),
        "seconds": round(seconds, 1),
        "time": round(time.time()),
    }


def stopped_message(name: str) -> dict[str, Any]:
    """A run that was stopped before its end."""
    return {"event": "stopped", "sweep": name, "text": f"{name}: stopped; run it again to go on"}


def broken_message(name: str, error: str) -> dict[str, Any]:
    """A run that an error ended: it never began, or could not go on."""
    text = f"{name}: ended by an error: {redact(error)}"
    return {"event": "error", "sweep": name, "text": text, "error": redact(error)}


def _told(failures: Sequence[Failure]) -> list[str]:
    lines = [
        f"- {each['stage']}: {each['class']}: {each['message']}"
        for each in _clean(failures[:_NAMED])
    ]
    more = len(failures) - _NAMED
    return [*lines, f"- and {more} more"] if more > 0 else lines


def _clean(failures: Sequence[Failure]) -> list[dict[str, str]]:
    return [{name: redact(text) for name, text in each.items()} for each in failures]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Elsewhere than where it was meant to go, nothing is sent."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _request(url: str) -> Callable[[bytes], urllib.request.Request]:
    """From a message's bytes to the request that sends them."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        parts, port, host = None, None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise BadInput(
            "--notify: not an address (it is not repeated here: it may hold a secret); "
            "give http://... or https://..."
        )
    headers = {"Content-Type": "application/json", "User-Agent": "apollo-sweeps"}
    if parts.username is not None:
        told = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(told.encode()).decode()}"
    place = f"[{host}]" if ":" in host else host
    place = f"{place}:{port}" if port else place
    bare = urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))

    def request(data: bytes) -> urllib.request.Request:
        return urllib.request.Request(bare, data=data, headers=headers, method="POST")

    return request
