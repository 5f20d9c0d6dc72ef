"""Whether a text can be a tracking server's address at all, said before there is work to lose."""

from __future__ import annotations

from urllib.parse import urlsplit

from apollo_core.errors import BadInput
from apollo_core.redaction import redact

# What MLflow keeps its runs in (mlflow.store.db.db_types.DATABASE_ENGINES).
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_KNOWN = "http://HOST:PORT, https://..., sqlite:///FILE, postgresql+pg8000://..., mysql://..."


def require_tracking_uri(uri: str | None) -> None:
    """Raise `BadInput` for what no server can be at; nothing is asked, one that is down will do."""
    if uri is None:
        return
    scheme = uri.partition(":")[0].partition("+")[0].lower()
    if scheme in ("http", "https"):
        _require_host(uri)
    elif scheme in _DATABASES:
        _require_database(uri)
    else:
        raise _refused(uri, "no address of a tracking server")


def _require_host(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole:
        raise _refused(uri, "names no host, or no port that there can be")


def _require_database(uri: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except ImportError as error:
        raise _refused(uri, f"{error.name} cannot be imported here") from None
    except (ArgumentError, ValueError) as error:  # its own words repeat no address
        raise _refused(uri, str(error)) from None


def _refused(uri: str, why: str) -> BadInput:
    return BadInput(f"--tracking-uri {redact(uri)}: {why}; give one of {_KNOWN}, or leave it out")
