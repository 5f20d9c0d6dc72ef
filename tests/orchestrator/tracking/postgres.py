"""A real PostgreSQL server of a test's own, from Debian's packages, on a socket of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
BIN = _BINARIES[-1].parent if _BINARIES else None

# It keeps what it says for a test only: no need to survive a power cut.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB")


@contextmanager
def postgres(folder: Path, *, password: str) -> Iterator[str]:
    """Run a server; yield its address for SQLAlchemy, `password` included.

    Args:
        folder: short enough for a socket's path; belongs to the server's user meanwhile.
        password: of its only user.
    """
    assert BIN
    data, secret = folder / "data", folder / "secret"
    secret.write_text(password)
    user = _unprivileged(folder)
    _run(BIN / "initdb", "-D", data, "-U", "apollo", f"--pwfile={secret}", "-A", "scram-sha-256",
         "--no-sync", "-E", "UTF8", user=user)  # fmt: skip
    port = _free_port()
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
    options += [word for setting in _FAST for word in ("-c", setting)]
    # pg_ctl waits until the server answers, and until it has ended.
    at_work = ("-D", data, "-w", "-l", folder / "log")
    _run(BIN / "pg_ctl", "start", *at_work, "-o", " ".join(options), user=user)
    try:
        yield f"postgresql+pg8000://apollo:{password}@127.0.0.1:{port}/postgres"
    finally:
        _run(BIN / "pg_ctl", "stop", "-D", data, "-w", "-m", "immediate", user=user)


def _unprivileged(folder: Path) -> str | None:
    """PostgreSQL refuses to be root: the user that Debian made for it then, who gets the folder."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return user.pw_name


def _run(*command: object, user: str | None) -> None:
    # Its own output would keep a pipe open for as long as the server runs.
    subprocess.run(
        [str(word) for word in command],
        check=True,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_there() -> bool:
    """Whether a server can be started here."""
    if BIN is None or shutil.which("bash") is None:
        return False
    try:
        return os.geteuid() != 0 or bool(pwd.getpwnam("postgres"))
    except KeyError:
        return False
