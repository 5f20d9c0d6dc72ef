"""What carries the agreement of one pair of scales: blocks, levels, single designs, bad designs."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.decomposition import (
    Decomposition,
    Groups,
    LeftOut,
    Partial,
    Range,
    decompose,
    partial_correlation,
    range_of,
    upper_parts,
    without,
)
from analysis.statistics.robustness import decision_range
from analysis.statistics.scores import Scores
from analysis.table.table import BASE, ScoreTable

# A column with more levels than this names designs rather than grouping them.
MANY_LEVELS = 40


@dataclass(frozen=True)
class Decisions:
    """Ranges of decision accuracy over parts left out, as `Breakdown` has them of R²."""

    levels: dict[str, Range]
    axes: Range
    designs: Range


@dataclass(frozen=True)
class Breakdown:
    """Agreement taken apart; field names are those of report.json.

    `columns` decomposes it by every axis and block column. `partial` holds all block columns fixed
    (None without blocks). `without_level` leaves out the designs of each level in turn, `levels`
    sums that up per column; `without_axis` leaves out the designs that an axis changed from base;
    `without_worst` keeps the better designs, as seen at the small scale. `axes` and `designs` are
    the ranges of R² over the axes and single designs left out, `decisions` the same of decision
    accuracy.
    """

    columns: dict[str, Decomposition]
    partial: Partial | None
    without_level: dict[str, tuple[LeftOut, ...]]
    levels: dict[str, Range]
    without_axis: tuple[LeftOut, ...]
    axes: Range
    designs: Range
    without_worst: tuple[LeftOut, ...]
    decisions: Decisions


def break_down(
    table: ScoreTable, designs: pd.DataFrame, small: Scores, large: Scores, *, direction: float
) -> Breakdown | None:
    """Take the agreement of two scales apart; None for fewer than two designs.

    Args:
        designs: the rows of `table.designs` that both scales have, in the order of the scores.
        small, large: their scores, shape (n,).
        direction: 1 where higher scores are better, -1 where lower ones are.
    """
    n = len(designs)
    if n < 2:
        return None
    blocks = {name: codes(designs, name) for name in table.blocks}
    columns = {
        name: codes(designs, name)
        for name in dict.fromkeys((*table.axes, *table.blocks))
        if 1 < designs[name].nunique() <= min(MANY_LEVELS, n - 1)
    }
    by_level = {
        name: tuple(
            without(small, large, (designs[name] != level).to_numpy(), blocks, level)
            for level in designs[name].unique()
        )
        for name in columns
    }
    by_axis = tuple(
        without(small, large, (designs[axis] == BASE).to_numpy(), blocks, axis)
        for axis in table.axes
        if (designs[axis] == BASE).any() and (designs[axis] != BASE).any()
    )
    one_less = [
        without(small, large, np.arange(n) != i, {}, str(name))
        for i, name in enumerate(designs.index)
    ]
    return Breakdown(
        columns={name: decompose(small, large, code) for name, code in columns.items()},
        partial=partial_correlation(small, large, blocks) if blocks else None,
        without_level=by_level,
        levels={name: range_of(parts) for name, parts in by_level.items()},
        without_axis=by_axis,
        axes=range_of(by_axis),
        designs=range_of(one_less),
        without_worst=tuple(
            without(small, large, kept, blocks, name)
            for name, kept in upper_parts(direction * small).items()
        ),
        decisions=_decisions(table, designs, tuple(columns), small, large),
    )


def _decisions(
    table: ScoreTable, designs: pd.DataFrame, columns: tuple[str, ...], small: Scores, large: Scores
) -> Decisions:
    single = np.eye(len(designs), dtype=bool)
    changed = {axis: (designs[axis] != BASE).to_numpy() for axis in table.axes}
    some = {axis: out for axis, out in changed.items() if out.any() and not out.all()}
    return Decisions(
        levels={
            name: decision_range(
                small,
                large,
                {level: (designs[name] == level).to_numpy() for level in designs[name].unique()},
            )
            for name in columns
        },
        axes=decision_range(small, large, some),
        designs=decision_range(small, large, dict(zip(designs.index, single, strict=True))),
    )


def codes(designs: pd.DataFrame, column: str) -> Groups:
    """Number the levels of a column from 0, in the order they come."""
    return np.asarray(pd.factorize(designs[column])[0], dtype=np.intp)
