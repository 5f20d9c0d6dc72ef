"""Put a report's files into a folder, each whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.errors import TableError


def write_folder(out_dir: Path, files: Mapping[str, bytes], *, document: str) -> None:
    """Write every file beside its place, then rename them in order.

    Figures of an earlier report in the same folder that this one doesn't have are removed; other
    people's files are left.

    Args:
        files: path below `out_dir` -> content, in the order in which they appear.
        document: the JSON file whose `figures` lists the figures of its report.

    Raises:
        TableError: `out_dir` cannot be written.
    """
    try:
        stale = _earlier_figures(out_dir / document) - set(files)
        _write_all(out_dir, files)
        for name in stale:
            (out_dir / name).unlink(missing_ok=True)
    except OSError as error:
        raise TableError(
            f"{out_dir}: the report cannot be written there ({error.strerror}); give another."
        ) from error


def _earlier_figures(document: Path) -> set[str]:
    """Name the figures that an earlier report in this folder says are its own."""
    try:
        names = json.loads(document.read_text(encoding="utf-8"))["figures"]
        return {n for n in names if re.fullmatch(r"figures/[A-Za-z0-9._-]+\.(png|svg)", n)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # no earlier report, or not one of ours: nothing to tidy


def _write_all(out_dir: Path, files: Mapping[str, bytes]) -> None:
    out_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out_dir, prefix=".report-") as folder:
        for position, content in enumerate(files.values()):
            (Path(folder) / str(position)).write_bytes(content)
        for position, name in enumerate(files):
            (out_dir / name).parent.mkdir(exist_ok=True)
            (Path(folder) / str(position)).replace(out_dir / name)
