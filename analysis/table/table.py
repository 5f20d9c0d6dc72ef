"""The score table, read, validated and averaged over seeds: what all statistics start from."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import TableError
from analysis.table.data_size import refuse_no_sizes
from analysis.table.design_columns import BASE, find_axes, refuse_varying
from analysis.table.known_chance import known_chance
from analysis.table.options import TableOptions
from analysis.table.reading import read_rows
from analysis.table.scale_order import costs_of, order_scales, refuse_unknown
from analysis.table.tidy import numbers, one_value_each, tidy_rows

__all__ = ["BASE", "MissingCell", "ScoreTable", "TableOptions", "load_table"]

# Two million pairs of designs, each compared in every way.
MOST_DESIGNS = 2_000


@dataclass(frozen=True)
class MissingCell:
    """A design that has no score for a metric at one scale though it has one elsewhere."""

    design: str
    scale: str
    metric: str
    reason: str


@dataclass(frozen=True)
class ScoreTable:
    """Scores of designs at scales, averaged over seeds; nothing in it is imputed.

    Attributes:
        cells: columns `metric`, `design`, `scale`, `score` (mean over seeds), `n_seeds`.
        designs: one row per design (the index, in the order of the file), a column per axis and
            block, all text.
        scales: from small to large.
        sizes: scale -> billions of parameters; None where the table does not say.
        costs: scale -> what a run costs, in the user's unit; None where nobody says.
        data_size: the column of `designs` that was said to hold amounts of data.
        metrics: those with a score, in the order of the file.
        axes, blocks: names of columns of `designs`.
        chance: metric -> score of a guesser, where known.
        lower_is_better: the metrics of which the lowest score is the best.
        tie_band: designs that differ by at most so many points count as tied where said so.
        missing: every cell that is not there.
        warnings: what a reader of any statistic from this table should know.
        rows: the tidy rows before averaging, in the column order of the score-table contract.
    """

    cells: pd.DataFrame
    designs: pd.DataFrame
    scales: tuple[str, ...]
    sizes: Mapping[str, float] | None
    costs: Mapping[str, float] | None
    data_size: str | None
    metrics: tuple[str, ...]
    axes: tuple[str, ...]
    blocks: tuple[str, ...]
    chance: Mapping[str, float]
    lower_is_better: frozenset[str]
    tie_band: float
    missing: tuple[MissingCell, ...]
    warnings: tuple[str, ...]
    rows: pd.DataFrame

    @property
    def names(self) -> tuple[str, ...]:
        """The designs in the order of their names, which no order of rows changes: for draws."""
        return tuple(sorted(self.designs.index))

    def direction(self, metric: str) -> float:
        """1 where higher scores are better, -1 where lower ones are."""
        return -1.0 if metric in self.lower_is_better else 1.0

    def grid(self, metric: str) -> pd.DataFrame:
        """Return the scores of one metric: a row per design, a column per scale, NaN if missing."""
        cells = self.cells[self.cells["metric"] == metric]
        grid = cells.pivot(index="design", columns="scale", values="score")
        return grid.reindex(index=self.designs.index, columns=list(self.scales))


def load_table(path: Path, options: TableOptions) -> ScoreTable:
    """Read and validate a CSV or Parquet score table.

    Raises:
        TableError: anything in the file or the options that stands in the way, with its row.
    """
    tidy = tidy_rows(read_rows(path), options)
    _refuse_too_many(tidy)
    scales, sizes, warnings = order_scales(tidy, options)
    listed = tuple(tidy["metric"].unique())
    metrics, unscored = _scored_metrics(tidy, listed)
    warnings += unscored
    chance, guessed = _with_known_chance(tidy, metrics, _chance(tidy, options, listed))
    warnings += guessed
    tidy = tidy.assign(
        scale_size=tidy["scale"].map(dict(sizes)) if sizes else np.nan,
        chance=tidy["metric"].map(dict(chance)),
    )
    axes = find_axes(tidy, options)
    blocks = options.blocks or tuple(c for c in tidy.columns if c.startswith("block"))
    sized = (options.data_size,) if options.data_size else ()
    attributes = tuple(dict.fromkeys((*axes, *blocks, *sized)))
    for column in attributes:
        refuse_varying(tidy, column)
    if options.data_size:
        refuse_no_sizes(tidy, options.data_size)
    designs = tidy.groupby("design", sort=False)[list(attributes)].first()
    cells = _average(tidy)
    return ScoreTable(
        cells=cells,
        designs=designs,
        scales=scales,
        sizes=sizes,
        costs=costs_of(options, scales),
        data_size=options.data_size,
        metrics=metrics,
        axes=axes,
        blocks=blocks,
        chance=chance,
        lower_is_better=_lower_is_better(options, listed),
        tie_band=options.tie_band,
        missing=_missing(tidy, cells, designs.index, scales, listed),
        warnings=(*warnings, *_seed_warnings(tidy, cells)),
        rows=_contract_columns(tidy, attributes, sized=sizes is not None),
    )


def _refuse_too_many(tidy: pd.DataFrame) -> None:
    count = tidy["design"].nunique()
    if count > MOST_DESIGNS:
        raise TableError(
            f"the table has {count:,} designs; every two of them are compared, and {MOST_DESIGNS:,}"
            " are the most. Does --design name the column of an id that differs in every row?"
        )


def _scored_metrics(
    tidy: pd.DataFrame, listed: tuple[str, ...]
) -> tuple[tuple[str, ...], list[str]]:
    """The metrics that have a score anywhere, and a warning for each that has none.

    Raises:
        TableError: no metric has a score.
    """
    filled = tidy.groupby("metric")["score"].count()
    scored = tuple(metric for metric in listed if filled[metric])
    if not scored:
        raise TableError("every score in the table is empty; a report needs some.")
    unscored = [metric for metric in listed if not filled[metric]]
    return scored, [f"{metric}: no design has a score at any scale" for metric in unscored]


def _chance(
    tidy: pd.DataFrame, options: TableOptions, metrics: tuple[str, ...]
) -> Mapping[str, float]:
    """Return the chance level per metric: the option's where given, else the column's."""
    refuse_unknown(options.chance, list(metrics), option="--chance")
    if "chance" not in tidy.columns:
        return dict(options.chance)
    column = numbers(tidy, "chance", required=False)
    return {**one_value_each(tidy, "metric", "chance", column), **options.chance}


def _lower_is_better(options: TableOptions, metrics: tuple[str, ...]) -> frozenset[str]:
    """The metrics of which less is better. Raises TableError on one that the table lacks."""
    if isinstance(options.lower_is_better, bool):
        return frozenset(metrics if options.lower_is_better else ())
    refuse_unknown(options.lower_is_better, list(metrics), option="--lower-is-better")
    return frozenset(options.lower_is_better)


def _with_known_chance(
    tidy: pd.DataFrame, metrics: Iterable[str], given: Mapping[str, float]
) -> tuple[Mapping[str, float], list[str]]:
    """Add the chance level of well-known benchmarks that the table leaves open, and say so."""
    chance, notes = dict(given), list[str]()
    for metric in metrics:
        scores = tidy.loc[tidy["metric"] == metric, "score"].dropna().to_numpy(dtype=float)
        known = None if metric in given else known_chance(metric, scores)
        if known is not None:
            chance[metric] = known
            notes.append(f"{metric}: guessing is taken to score {known:g}; --chance says otherwise")
    return chance, notes


def _average(tidy: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds; a cell whose every score is empty is no cell."""
    filled = tidy.dropna(subset=["score"])
    groups = filled.groupby(["metric", "design", "scale"], sort=False)["score"]
    return groups.agg(score="mean", n_seeds="count").reset_index()


def _missing(
    tidy: pd.DataFrame,
    cells: pd.DataFrame,
    designs: Iterable[str],
    scales: tuple[str, ...],
    metrics: tuple[str, ...],
) -> tuple[MissingCell, ...]:
    key = ["metric", "design", "scale"]
    present = set(cells[key].itertuples(index=False, name=None))
    listed = set(tidy[key].itertuples(index=False, name=None))
    return tuple(
        MissingCell(
            design, scale, metric, "empty" if (metric, design, scale) in listed else "no row"
        )
        for metric in metrics
        for design in designs
        for scale in scales
        if (metric, design, scale) not in present
    )


def _seed_warnings(tidy: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    notes: list[str] = []
    fewest, most = int(cells["n_seeds"].min()), int(cells["n_seeds"].max())
    if fewest != most:
        notes.append(f"cells average {fewest} to {most} seeds, so their noise differs")
    repeated = tidy.dropna(subset=["score"])
    repeated = repeated[repeated.duplicated(["design", "scale", "seed", "metric"])]
    if len(repeated):
        row = repeated.iloc[0]
        notes.append(
            f"{len(repeated)} scores repeat a seed (first: row {repeated.index[0]}, design"
            f" {row['design']}, scale {row['scale']}, seed {row['seed']}); they are taken as"
            " separate runs and averaged"
        )
    empty = int(tidy["score"].isna().sum())
    if empty:
        notes.append(f"{empty} score{'s are' if empty > 1 else ' is'} empty in the file")
    return notes


def _contract_columns(
    tidy: pd.DataFrame, attributes: tuple[str, ...], *, sized: bool
) -> pd.DataFrame:
    """Order the tidy columns as the score-table contract does, so that the copy reads back."""
    optional = [
        column
        for column in ("n_items", "chance")
        if column in tidy.columns and tidy[column].notna().any()
    ]
    size = ["scale_size"] if sized else []
    own = [c for c in attributes if c not in {"design", "scale"}]
    columns = ["design", "scale", *size, "seed", "metric", "score", *own, *optional]
    return tidy[columns].reset_index(drop=True)
