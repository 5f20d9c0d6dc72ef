"""Why a tracking server does not answer, in a few words."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import TypeGuard

from orchestrator.store.failures import one_line


def why_unreachable(error: BaseException) -> str:
    """What the network said, where that is at the bottom; else the error in one line.

    An HTTP client or a database driver wraps "Connection refused" in some 400 characters.
    """
    last = next((each for each in reversed(list(_chain(error))) if _is_networks(each)), None)
    if last is None:
        return one_line(error)
    if isinstance(last, TimeoutError):
        return "it does not answer in time"
    if isinstance(last, socket.gaierror):
        return f"its name cannot be resolved ({last.strerror})"
    return last.strerror or one_line(last)


def _is_networks(error: BaseException) -> TypeGuard[OSError]:
    """Whether the system said it, and of a connection; packages derive from these, too."""
    if type(error).__module__ not in ("builtins", "socket") or not isinstance(error, OSError):
        return False
    unreached = error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return unreached or isinstance(error, ConnectionError | TimeoutError | socket.gaierror)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
