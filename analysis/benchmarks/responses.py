"""Item-level responses of several models, read from a wide or a long table.

Wide: a row per item, a column per model. Long: a row per answer, as the item table that the
evaluation writes (`design, scale, seed, regime, item, category, correct, n_options`).
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import TableError
from analysis.statistics.scores import Scores
from analysis.table.reading import read_rows
from analysis.table.tidy import numbers, require
from analysis.table.truths import truths

# Regimes in which the video, or nearly all of it, is withheld.
BLIND = ("text", "center_frame")
_NAMES = ("benchmark", "video", "question", "answer", "regime", "n_options", "duration_group")
_FEWEST_ITEMS = 20


@dataclass(frozen=True)
class ResponseColumns:
    """Which columns hold what; a model column is any other of a wide table, or those named."""

    item: str | None = None
    category: str | None = None
    seconds: str | None = None
    guess: str | None = None
    models: tuple[str, ...] = ()
    regime: str = "video"


@dataclass(frozen=True)
class Responses:
    """Who got which item right.

    Attributes:
        items, categories: names, one an item; a table without categories has one, "all".
        models, scales: names, one a model; scales are "" where the table has none.
        right: share of a model's seeds that were right, in [0, 1], shape (items, models).
        seconds: cost of evaluating each item, shape (items,), all above 0.
        guess: what guessing gets on each item, NaN where unknown, shape (items,).
        blind: regime without video -> right, same shape, NaN where not asked.
        warnings: what of the table is not used.
    """

    items: tuple[str, ...]
    categories: NDArray[np.str_]
    models: tuple[str, ...]
    scales: tuple[str, ...]
    right: Scores
    seconds: Scores
    guess: Scores
    blind: Mapping[str, Scores] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def without(self, dropped: NDArray[np.bool_]) -> Responses:
        """Leave items out."""
        kept = ~dropped
        return Responses(
            items=tuple(np.array(self.items)[kept].tolist()),
            categories=self.categories[kept],
            models=self.models,
            scales=self.scales,
            right=self.right[kept],
            seconds=self.seconds[kept],
            guess=self.guess[kept],
            blind={name: right[kept] for name, right in self.blind.items()},
            warnings=self.warnings,
        )


def read_responses(path: Path, columns: ResponseColumns) -> Responses:
    """Read responses (CSV, also gzipped, or Parquet).

    Raises:
        TableError: a column is missing, an answer is no truth value, an item or an answer is there
            twice, a cost is not above 0, or fewer than 2 models or 20 items are left; it is named.
    """
    rows = read_rows(Path(path))
    wide = "correct" not in rows.columns
    found = _wide(rows, columns) if wide else _long(rows, columns)
    if len(found.models) < 2:
        raise TableError(
            f"{path}: responses of {len(found.models)} model; curation compares models, so it"
            " needs the answers of several to the same items."
        )
    if len(found.items) < _FEWEST_ITEMS:
        raise TableError(
            f"{path}: {len(found.items)} items were answered by every model; give {_FEWEST_ITEMS}"
            " or more."
        )
    return found


def _wide(rows: pd.DataFrame, columns: ResponseColumns) -> Responses:
    item = columns.item or _first(rows, ("item", "question_id", "id"), "--item")
    named = tuple(c for c in (columns.category, columns.seconds, columns.guess) if c)
    require(rows, (item, *named), option="--item, --category, --seconds or --guess")
    require(rows, columns.models, option="--model")
    category = columns.category or ("category" if "category" in rows.columns else None)
    other = {item, category, *named, *_NAMES}
    models = columns.models or tuple(c for c in rows.columns if c not in other)
    _refuse_nameless(rows[item], item)
    twice = rows[item].duplicated().to_numpy()
    if twice.any():
        at = int(np.argmax(twice))
        first = rows.index[(rows[item] == rows[item].iloc[at]).to_numpy()][0]
        raise TableError(
            f"rows {first} and {rows.index[at]}: item {rows[item].iloc[at]!r} stands twice; keep"
            " one of them, or name the column that tells items apart with --item."
        )
    right = np.column_stack([_truths(rows[model], model) for model in models] or [np.empty(0)])
    return _complete(rows, rows[item], category, columns, models, ("",) * len(models), right, {})


def _long(rows: pd.DataFrame, columns: ResponseColumns) -> Responses:
    item = columns.item or _first(rows, ("item", "question_id", "id"), "--item")
    model = _first(rows, (*columns.models, "model", "design"), "--model")
    named = tuple(c for c in (columns.category, columns.seconds, columns.guess) if c)
    require(rows, (item, *named), option="--item, --category, --seconds or --guess")
    category = columns.category or ("category" if "category" in rows.columns else None)
    _refuse_nameless(rows[item], item)
    _refuse_nameless(rows[model], model)
    scale = rows["scale"] if "scale" in rows.columns else pd.Series("", index=rows.index)
    tidy = pd.DataFrame(
        {
            "item": rows["video"] + "/" + rows[item] if "video" in rows.columns else rows[item],
            "model": rows[model].where(scale == "", rows[model] + "@" + scale),
            "scale": scale,
            "seed": rows["seed"] if "seed" in rows.columns else "",
            "regime": rows["regime"] if "regime" in rows.columns else columns.regime,
            "right": _truths(rows["correct"], "correct"),
        }
    )
    if "benchmark" in rows.columns and rows["benchmark"].nunique() > 1:
        tidy["item"] = rows["benchmark"] + "/" + tidy["item"]
    twice = tidy.duplicated(["item", "model", "seed", "regime"]).to_numpy()
    if twice.any():
        at = int(np.argmax(twice))
        raise TableError(
            f"row {tidy.index[at]}: the same answer twice (model {tidy['model'].iloc[at]}, item"
            f" {tidy['item'].iloc[at]}); keep one of them."
        )
    regimes = tuple(dict.fromkeys(tidy["regime"]))
    if columns.regime not in regimes:
        raise TableError(
            f"--regime: no answers in regime {columns.regime!r}; the table has"
            f" {', '.join(regimes)}."
        )
    first = ~tidy["item"].duplicated()
    items = tidy.loc[first, "item"]
    scored = tidy[tidy["regime"] == columns.regime]
    models = tuple(dict.fromkeys(scored["model"]))
    scales = tuple(scored.drop_duplicates("model")["scale"])
    grids = {name: _grid(tidy, name, items, models) for name in (columns.regime, *BLIND)}
    blind = {name: grids[name] for name in BLIND if name in regimes and name != columns.regime}
    if category:
        _refuse_two_categories(tidy["item"], rows[category])
    own = rows[first.to_numpy()]
    return _complete(own, items, category, columns, models, scales, grids[columns.regime], blind)


def _refuse_two_categories(items: pd.Series, category: pd.Series) -> None:
    """An item's category is taken from one of its rows, so all have to agree."""
    pairs = pd.DataFrame({"item": items, "category": category}).drop_duplicates()
    again = pairs["item"].duplicated(keep=False).to_numpy()
    if again.any():
        two = pairs[pairs["item"] == pairs["item"].iloc[int(np.argmax(again))]].iloc[:2]
        raise TableError(
            f"rows {two.index[0]} and {two.index[1]}: item {two['item'].iloc[0]!r} has two"
            f" categories, {two['category'].iloc[0]!r} and {two['category'].iloc[1]!r}; it must"
            " have one."
        )


def _refuse_nameless(names: pd.Series, column: str) -> None:
    empty = (names == "").to_numpy()
    if empty.any():
        raise TableError(
            f"row {names.index[int(np.argmax(empty))]}: the {column} is empty; every row needs one."
        )


def _grid(
    tidy: pd.DataFrame, regime: str, items: pd.Series, models: tuple[str, ...]
) -> NDArray[np.float64]:
    part = tidy[tidy["regime"] == regime]
    mean = part.groupby(["item", "model"])["right"].mean().unstack()
    return mean.reindex(index=items.to_numpy(), columns=list(models)).to_numpy(dtype=float)


def _complete(
    rows: pd.DataFrame,
    items: pd.Series,
    category: str | None,
    columns: ResponseColumns,
    models: tuple[str, ...],
    scales: tuple[str, ...],
    right: Scores,
    blind: Mapping[str, Scores],
) -> Responses:
    """Attach costs and guess rates; leave out items that a model did not answer."""
    seconds = np.ones(len(rows))
    if columns.seconds:
        seconds = _above_zero(rows, columns.seconds)
    guess = np.full(len(rows), np.nan)
    if columns.guess:
        guess = numbers(rows, columns.guess, required=True).to_numpy()
    elif "n_options" in rows.columns:
        guess = 1.0 / numbers(rows, "n_options", required=False).to_numpy()
    wrong = (guess <= 0) | (guess >= 1)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TableError(
            f"row {rows.index[at]}: guessing gets {guess[at]:g}; a guess rate is a share between"
            " 0 and 1, and n_options is 2 or more."
        )
    missing = ~np.isfinite(right).all(axis=1)
    told = (
        (f"{missing.sum()} of {len(rows)} items were not answered by every model; left out",)
        if missing.any()
        else ()
    )
    whole = Responses(
        items=tuple(items),
        categories=(rows[category].to_numpy(dtype=str) if category else np.full(len(rows), "all")),
        models=models,
        scales=scales,
        right=right,
        seconds=seconds,
        guess=guess,
        blind=blind,
        warnings=told,
    )
    return whole.without(missing)


def _above_zero(rows: pd.DataFrame, column: str) -> Scores:
    seconds = numbers(rows, column, required=True).to_numpy()
    if (seconds <= 0).any():
        at = int(np.argmax(seconds <= 0))
        raise TableError(
            f"row {rows.index[at]}: {column!r} holds {seconds[at]:g}; an item's seconds of"
            " evaluation must be above 0."
        )
    return seconds


def _truths(written: pd.Series, column: str) -> Scores:
    def told(place: object, holds: str) -> str:
        return (
            f"row {place}: {column!r} holds {holds!r}; an answer is 0 or 1, false or true (empty:"
            " not asked). If it is no model's answers, name the model columns with --model."
        )

    return truths(written, told, empty=True).to_numpy()


def _first(rows: pd.DataFrame, names: tuple[str, ...], option: str) -> str:
    found = next((name for name in names if name in rows.columns), None)
    if found is None:
        raise TableError(
            f"no column {' or '.join(repr(n) for n in names)}; name it with {option}. The table"
            f" has: {', '.join(list(rows.columns)[:12])}."
        )
    return found
