"""This machine: processors, GPUs, memory, shared memory, folder for temporary files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from orchestrator.checkup.finding import Finding, broken, ok, warning

_SHM = Path("/dev/shm")
# Ray's least for objects is 75 MiB; a data loader's batches pass through it too.
_LEAST_SHM = 256 << 20
_LEAST_TEMPORARY = 1 << 30
# Ray refuses to write where less than 5 % is free.
_RAY_FREE_SHARE = 0.05
_LEAST_FILES = 1024
_LEAST_MEMORY = 2 << 30


def machine() -> Iterator[Finding]:
    """Everything about this machine that a run depends on."""
    yield ok(f"{len(os.sched_getaffinity(0))} processors")
    yield from _gpus()
    yield _memory()
    yield _shared_memory()
    yield _temporary()
    yield _open_files()


def _gpus() -> Iterator[Finding]:
    found = gpu_lines()
    if not found:
        yield ok("no NVIDIA GPU: stages run on processors")
        return
    for line in found:
        yield ok(f"GPU {line}")
    build = _torch_version()
    if build.endswith("+cpu"):
        yield broken(
            f"torch {build} uses no GPU, and there are {len(found)}",
            "pip install torch --index-url of a CUDA build (pytorch.org says which)",
        )


def gpu_lines() -> list[str]:
    """Name, memory and its use of each NVIDIA GPU, as its driver tells."""
    return _asked_of_driver("name,memory.total,memory.used")


def least_gpu_bytes() -> float:
    """Memory of the smallest NVIDIA GPU here; 0 = there is none."""
    told = [line.split() for line in _asked_of_driver("memory.total")]
    return min((float(mib) * 2**20 for mib, *_ in told if mib.isdigit()), default=0.0)


def _asked_of_driver(fields: str) -> list[str]:
    """A line for each NVIDIA GPU."""
    try:
        said = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [" ".join(line.split()) for line in said.stdout.splitlines() if line.strip()]


def _torch_version() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _memory() -> Finding:
    total = _memory_limit()
    text = f"{total / 1e9:.1f} GB memory"
    if total < _LEAST_MEMORY:
        return warning(text, "give the machine or its container 2 GB or more")
    return ok(text)


def _memory_limit() -> int:
    """Bytes that this process may use: the machine's, or its container's if that is less."""
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            told = (Path("/sys/fs/cgroup") / place).read_text().strip()
        except OSError:
            continue
        if told.isdigit():
            limit = min(limit, int(told))
    return limit


def _shared_memory() -> Finding:
    if not _SHM.is_dir():
        return warning(f"no {_SHM}: Ray uses slower files", "mount a tmpfs there")
    total = shutil.disk_usage(_SHM).total
    text = f"shared memory {_SHM}: {total / 1e9:.2f} GB"
    if total < _LEAST_SHM:
        return warning(text, "start the container with --shm-size=2g (Kubernetes: an emptyDir)")
    return ok(text)


def _temporary() -> Finding:
    folder = tempfile.gettempdir()
    usage = shutil.disk_usage(folder)
    text = f"temporary files {folder}: {usage.free / 1e9:.1f} GB free"
    if usage.free < usage.total * _RAY_FREE_SHARE or usage.free < _LEAST_TEMPORARY:
        mend = (
            "Ray stops writing where less than 5 % is free: make room, or point $TMPDIR elsewhere"
        )
        return broken(text, mend)
    return ok(text)


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{soft} open files allowed"
    if soft < _LEAST_FILES:
        return warning(text, "ulimit -n 65536, before apollo and before `ray start`")
    return ok(text)
