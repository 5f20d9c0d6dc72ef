"""FFmpeg for TorchCodec, out of PyAV's wheel, so that none has to be installed on the system.

TorchCodec looks for `libavcodec.so.62` and its like; PyAV's wheel has them under names of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

# libavcodec-5e6b81c2.so.62.28.102: what programs ask for is `libavcodec.so.62`.
WHEEL_NAME = re.compile(r"(lib(?:av|sw)[a-z]+)-[0-9a-f]+(\.so\.\d+)[.\d]*")


def library_path(folder: Path) -> dict[str, str]:
    """The environment in which PyAV's FFmpeg is found, by links in `folder`.

    The links are needed until a process has loaded the libraries. Behind them stands what the
    environment says already; empty where PyAV was built against the system's own FFmpeg.
    """
    spec = importlib.util.find_spec("av")
    bundled = Path(spec.origin).parent.parent / "av.libs" if spec and spec.origin else None
    if bundled is None or not bundled.is_dir():
        return {}
    for library in bundled.iterdir():
        if named := WHEEL_NAME.fullmatch(library.name):
            (folder / "".join(named.groups())).symlink_to(library)
    places = [str(folder), str(bundled), os.environ.get("LD_LIBRARY_PATH", "")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, places))}
