"""Small shards and Parquet files for tests."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from PIL import Image

ASKED = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]
PLAIN = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def picture(shade: int = 0) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (24, 16), (shade, 40, 40)).save(held, "PNG")
    return held.getvalue()


def write_tar(path: Path, members: dict[str, bytes | dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
    return path


def asked(text: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": text}, {"from": "gpt", "value": "Yes."}]
