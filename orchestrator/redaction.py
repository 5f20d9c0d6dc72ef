"""Credentials never reach a log, a parameter or a stored message."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/@\s]+@", re.IGNORECASE)
_SECRET_FIELD = re.compile(
    r"(?P<name>[?&;](?:[\w-]*(?:token|password|passwd|secret|key|signature|credential)[\w-]*)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return `text` with user names, passwords and tokens in its URIs replaced by `***`."""
    text = _USER_INFO.sub(r"\g<scheme>***@", text)
    return _SECRET_FIELD.sub(r"\g<name>***", text)
