"""R² between two scales at each amount of training data: from when on does a small study tell?"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.statistics.consistency import pearson
from analysis.statistics.intervals import fisher_interval, square_interval
from analysis.table.options import TableOptions
from analysis.table.table import load_table


@dataclass(frozen=True)
class AtSize:
    """Agreement of designs trained on one amount of data.

    Attributes:
        samples: the amount.
        n: designs.
        r2: of their scores at the small scale with those at the large one, same amount.
        r2_ci: Fisher's 95 % interval of it.
        r2_with_most: of their scores at the small scale with those at the large one on the largest
            amount, which is what somebody who saves data wants to know.
        r2_with_most_ci: likewise.
    """

    samples: float
    n: int
    r2: float | None
    r2_ci: tuple[float, float] | None
    r2_with_most: float | None
    r2_with_most_ci: tuple[float, float] | None


def r2_by_data_size(scores: Path, metric: str, axis: str) -> list[AtSize]:
    """One entry for each amount, the least first.

    Args:
        scores: a score table in the tidy form, with at least two scales; first and last count.
        metric: of the table.
        axis: its column of amounts.

    Raises:
        TableError: the table cannot be read.
    """
    table = load_table(scores, TableOptions(data_size=axis))
    grid = table.grid(metric)
    small, large = table.scales[0], table.scales[-1]
    others = [name for name in table.axes if name != axis]
    cells = pd.DataFrame(
        {
            "samples": np.asarray(pd.to_numeric(table.designs[axis]), dtype=float),
            "others": table.designs[others].agg("/".join, axis=1),
            "small": grid[small],
            "large": grid[large],
        }
    )
    wide = cells.pivot_table(index="others", columns="samples", values=["small", "large"]).dropna()
    amounts = sorted(cells["samples"].unique())
    most = np.asarray(wide["large", amounts[-1]], dtype=float)
    found: list[AtSize] = []
    for samples in amounts:
        x, y = (np.asarray(wide[name, samples], dtype=float) for name in ("small", "large"))
        found.append(AtSize(float(samples), len(wide), *_r2(x, y), *_r2(x, most)))
    return found


def _r2(x: np.ndarray, y: np.ndarray) -> tuple[float | None, tuple[float, float] | None]:
    r = pearson(x, y)
    if r is None:
        return None, None
    ends = fisher_interval(r, len(x))
    return r * r, None if ends is None else square_interval(ends)
