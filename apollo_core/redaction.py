"""Credentials never reach a log, a parameter or a stored message."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

# A password may hold a `/` or an `@` that nobody escaped (secret keys of S3 often do), so it is
# taken to reach to the last `@`; without a `:` the name ends before the first `/`.
_USER_INFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?:[^\s/@:'\"]*:[^\s'\"]+|[^\s/'\"]+)@", re.IGNORECASE
)
_FIELDS = "token|password|passwd|secret|key|signature|credential|apikey|auth"
_SECRET_FIELD = re.compile(
    rf"(?P<name>[?&;](?:[\w-]*(?:{_FIELDS})[\w-]*|sig)=)[^&;\s'\"]+", re.IGNORECASE
)
_HEADER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
# Tokens that are known by their form: of the Hugging Face hub, and key ids of AWS.
_FORMS = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")
_SECRET_VARIABLE = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|ACCESS_KEY|API_KEY|APIKEY|CREDENTIALS?"
    r"|WEBHOOK)(?:$|_)",
    re.IGNORECASE,
)
# A shorter value ("true", "none") is a word of ordinary text too.
_LEAST = 8


def redact(text: str) -> str:
    """Return `text` without credentials, `***` in their places.

    Those are: user names and passwords in URIs, secret fields of their queries, authorization
    headers, tokens known by their form, and the values of environment variables named as secrets.
    """
    for value in _environment_secrets():
        text = text.replace(value, "***")
    text = _USER_INFO.sub(r"\g<scheme>***@", text)
    text = _SECRET_FIELD.sub(r"\g<name>***", text)
    text = _HEADER.sub(r"\g<name>***", text)
    return _FORMS.sub("***", text)


def has_credentials(uri: str) -> bool:
    """Whether `uri` itself spells out a credential."""
    found = _USER_INFO.search(uri), _SECRET_FIELD.search(uri), _FORMS.search(uri)
    return any(found)


def _environment_secrets() -> Iterator[str]:
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= _LEAST and _SECRET_VARIABLE.search(name) and not value.startswith("/")
    }
    # The longest first: one may be a part of another.
    yield from sorted(values, key=len, reverse=True)
