"""What the statistics cost, on one core.

    .venv/bin/python tests/benchmarks/statistics_speed.py

Prints the wall time of 10,000 resamples of a 21 x 4 table (limit 1 s: every statistic of every pair
of scales), of 84 cells x 2,000 items (limit 60 s: noise, all parts, held-out halves, selection),
and of the report on the paper's 84 rows as a user runs it (limit 10 s, imports included).
"""

# pandas annotates what it returns as unions that no caller can narrow.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.findings.compare import compare_scales
from analysis.statistics import bootstrap
from analysis.table.item_table import ItemTable, load_items
from analysis.table.table import ScoreTable, TableOptions, load_table

TABLE = Path(__file__).parents[1] / "data" / "apollo_table14_15.csv"
DESIGNS, SCALES, ITEMS, VIDEOS, DRAWS = 21, 4, 2_000, 800, 10_000


def main() -> None:
    """Time each case once and print its limit beside it."""
    show("10,000 resamples of 21 designs x 4 scales", resample_table, limit=1.0)
    with tempfile.TemporaryDirectory() as folder:
        scores, items = write_answers(Path(folder))
        show("reading 84 cells x 2,000 items", lambda: read(scores, items))
        table, answers = read(scores, items)
        show(
            "84 cells x 2,000 items, 10,000 resamples",
            lambda: compare_scales(table, answers.metrics),
            limit=60.0,
        )
    show("apollo report on the paper's 84 rows", report, limit=10.0)


def show(name: str, work: Callable[[], object], *, limit: float | None = None) -> None:
    """Print how long the work takes."""
    start = time.perf_counter()
    work()
    told = f"  (limit {limit:g} s)" if limit else ""
    print(f"{name:45} {time.perf_counter() - start:7.2f} s{told}", flush=True)


def resample_table() -> None:
    """Every statistic of all six pairs of scales."""
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(DESIGNS, SCALES)) + rng.normal(size=(DESIGNS, 1))
    for small, large in combinations(range(SCALES), 2):
        bootstrap.design_bootstrap(grid[:, small], grid[:, large], np.random.default_rng(1), DRAWS)


def write_answers(folder: Path) -> tuple[Path, Path]:
    """Write the scores and the answers of 84 cells to six categories of items."""
    rng = np.random.default_rng(0)
    item = np.arange(ITEMS)
    hard = rng.normal(size=VIDEOS)[item % VIDEOS]
    rows: list[pd.DataFrame] = []
    for design in range(DESIGNS):
        for scale in range(SCALES):
            able = 0.3 * scale + 0.05 * design
            rows.append(
                pd.DataFrame(
                    {
                        "design": f"d{design:02}",
                        "scale": f"s{scale}",
                        "seed": 0,
                        "benchmark": "b",
                        "regime": "video",
                        "video": item % VIDEOS,
                        "item": item,
                        "category": [f"c{kind}" for kind in item % 6],
                        "correct": (rng.random(ITEMS) < 1 / (1 + np.exp(hard - able))).astype(int),
                    }
                )
            )
    items = pd.concat(rows)
    cell = ["design", "scale", "seed"]
    means = items.groupby([*cell, "category"], as_index=False)["correct"].mean()
    scores = means.groupby(cell, as_index=False)["correct"].mean()
    scores["score"], scores["metric"] = 100 * scores["correct"], "b/video/overall"
    items.to_csv(folder / "items.csv", index=False)
    scores.drop(columns="correct").to_csv(folder / "scores.csv", index=False)
    return folder / "scores.csv", folder / "items.csv"


def read(scores: Path, items: Path) -> tuple[ScoreTable, ItemTable]:
    """Read both tables."""
    options = TableOptions.parse(scale_order="s0,s1,s2,s3")
    table = load_table(scores, options)
    return table, load_items(items, options, table)


def report() -> None:
    """Run the command as a user does."""
    code = (
        "from pathlib import Path; from analysis.report import report_on_file as f;"
        "from analysis.table.table import TableOptions as T;"
        "o = T.parse(design='variant,data_mixture', scale='llm', score='average',"
        f" block='data_mixture'); import tempfile; f(Path({str(TABLE)!r}), o,"
        " Path(tempfile.mkdtemp()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main()
