"""What identifies a data set: its manifest's bytes, and its media by name and size."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from apollo_core.errors import BadInput, DataMissing
from apollo_core.manifest import media_of

NAMED = 5  # missing files that one message names


def media_fingerprint(manifest_path: str | Path, root: str | Path) -> dict[str, str]:
    """`{"manifest": sha256 of the file, "media": sha256 over its sorted (path, bytes on disk)}`.

    Media are not read, only looked up: a data set may hold terabytes. A file that was replaced by
    another of the same size goes unnoticed.

    Raises:
        DataMissing: there is no manifest.
        BadInput: a line of it is wrong, or media are missing (how many, and the first few).
    """
    names = sorted({name for _, name in media_of(manifest_path)})
    sizes: list[tuple[str, int]] = []
    missing: list[str] = []
    for name in names:
        try:
            sizes.append((name, (Path(root) / name).stat().st_size))
        except OSError:
            missing.append(name)
    if missing:
        raise _missing_media(Path(manifest_path), Path(root), missing, total=len(names))
    return {
        "manifest": hashlib.sha256(Path(manifest_path).read_bytes()).hexdigest(),
        "media": hashlib.sha256(json.dumps(sizes).encode()).hexdigest(),
    }


def _missing_media(manifest: Path, root: Path, missing: list[str], *, total: int) -> BadInput:
    if not root.is_dir():
        return DataMissing(f"{root}: the media root of {manifest} is not a folder; set data.root")
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return DataMissing(
        f"{manifest}: {len(missing)} of {total} media files are missing under {root}: "
        f"{', '.join(missing[:NAMED])}{more}. Check data.root, or run `apollo check-data`."
    )
