"""A group of processes that the kernel gives little memory: a cgroup, of either version."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NAME = f"apollo-test-{os.getpid()}"


@contextmanager
def memory_group(limit: int, *, root: Path = _ROOT) -> Iterator[Path]:
    """The file that a process writes 0 to in order to join; the group goes when all have ended.

    Args:
        limit: bytes that all of its processes may take together.
        root: where cgroups are mounted.

    Raises:
        OSError: no such group can be made here, in version 1 or 2.
    """
    with ExitStack() as undo:
        folder = _version_1(limit, root) or _version_2(limit, root, undo)
        if folder is None:
            raise OSError("no cgroup with a memory limit can be made here")
        undo.callback(_remove, folder)
        yield folder / "cgroup.procs"


def _version_1(limit: int, root: Path) -> Path | None:
    return _made(root / "memory" / _NAME, "memory.limit_in_bytes", limit)


def _version_2(limit: int, root: Path, undo: ExitStack) -> Path | None:
    """Beside our own group or further up: one that has processes can hand out no memory."""
    own = _own_group(root)
    for parent in (own, *own.parents):
        control = parent / "cgroup.subtree_control"
        if not control.is_file():
            break
        with suppress(OSError):
            if "memory" not in control.read_text().split():
                control.write_text("+memory")
                undo.callback(_write, control, "-memory")
            if found := _made(parent / _NAME, "memory.max", limit):
                _write(found / "memory.swap.max", "0")  # which a kernel without swap has not
                return found
    return None


def _own_group(root: Path) -> Path:
    """This process's group of version 2; where it is not told or not seen from here, the root."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if (number, controllers) == ("0", "") and (root / path.lstrip("/")).is_dir():
                return root / path.lstrip("/")
    return root


def _made(folder: Path, name: str, limit: int) -> Path | None:
    """Make the group; None, and nothing left, where it cannot be made, limited or joined."""
    try:
        folder.mkdir()
    except OSError:
        return None
    try:
        (folder / name).write_text(str(limit))
        join = ["sh", "-c", 'echo 0 > "$1"', "sh", str(folder / "cgroup.procs")]
        subprocess.run(join, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        _remove(folder)
        return None
    return folder


def _write(path: Path, text: str) -> None:
    with suppress(OSError):
        path.write_text(text)


def _remove(folder: Path) -> None:
    """The group of which all processes have ended, or are about to."""
    until = time.monotonic() + 5
    while folder.exists() and time.monotonic() < until:
        with suppress(OSError):  # while the dead are still in it
            folder.rmdir()
            return
        time.sleep(0.05)
