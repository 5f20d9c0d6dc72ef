"""The pictures of `apollo audit` in docs/benchmarks.md: three simulated benchmarks, 20 models.

    python tests/benchmarks/audit_example.py DIR

`blind` is solved by its questions, `seeing` needs its videos and orders models as `blind` does,
`other` asks something else; one model's single-frame answers on `seeing` are copies of its video
ones. Writes the item table and its audit into DIR.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from audit_worlds import BLIND, SEES, answers, copied  # pyright: ignore[reportMissingImports]

from analysis.benchmarks.audit_report import audit_files
from analysis.table.options import TableOptions


def main(folder: Path) -> None:
    """Write items.csv and the audit of it."""
    rng = np.random.default_rng(0)
    one, two = 1.2 * rng.normal(size=(2, 20))
    # Half of what the video adds to one frame is in the order of its frames.
    ordered, unordered = {**SEES, "shuffled": 0.85}, {**BLIND, "shuffled": 1.0}
    seeing = answers(rng, benchmark="seeing", ability=one, sees=ordered, videos=100)
    table = pd.concat(
        [
            answers(rng, benchmark="blind", ability=one, sees=unordered, videos=100),
            copied(seeing, "m03", "center_frame"),
            answers(rng, benchmark="other", ability=two, sees=ordered, videos=100),
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "items.csv", index=False)
    report = audit_files([folder / "items.csv"], TableOptions(), folder / "audit")
    print("\n".join(report.summary))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
