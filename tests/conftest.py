"""The environment of every test: offline, one thread, plain output.

It is set here, before torch, transformers or matplotlib can be imported. Shapes are checked in the
whole run: `--jaxtyping-packages` in pyproject.toml puts its import hook in place before this file.
"""

from __future__ import annotations

import os

os.environ |= {
    "CI": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",  # the last digit of a sum depends on it
    "TOKENIZERS_PARALLELISM": "false",
}
