"""Item tables as arrays: of each benchmark, who answered what to which item, in which regime."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import TableError
from analysis.statistics.scores import Scores
from analysis.table.answers import tidy_answers
from analysis.table.options import TableOptions
from analysis.table.reading import read_rows
from analysis.table.tidy import require

# Columns that group items wherever a table has them.
GROUPS = ("category", "question_type", "task_type", "duration_group", "duration")
_DETAILS = ("choice", "answer", "n_options")
# A column with more groups than this names single items, which tells of nothing.
MOST_GROUPS = 60


@dataclass(frozen=True)
class AnswerSheet:
    """All answers to one benchmark.

    A model is a design at a scale; its replicates are the seeds it was trained with.

    Attributes:
        benchmark: its name.
        models: the models of the whole audit, also those that lack this benchmark.
        replicates: names of the rows; `of_model` says which model each is of.
        items: names of the columns, as in the table.
        videos: the video of each item, from 0.
        groups: grouping column -> each item's group, "" for none. The first is `category`.
        options: how many options each item has, 0 = unknown; `guess` what guessing gets, or NaN.
        answers: the right letter of each item, "" = unknown.
        right: regime -> 1 right, 0 wrong, NaN not asked, shape (replicates, items).
        choices: regime -> the letter chosen, "" where none could be read; empty without choices.
    """

    benchmark: str
    models: tuple[str, ...]
    replicates: tuple[str, ...]
    of_model: NDArray[np.intp]
    items: tuple[str, ...]
    videos: NDArray[np.intp]
    groups: Mapping[str, NDArray[np.str_]]
    options: NDArray[np.intp]
    guess: Scores
    answers: NDArray[np.str_]
    right: Mapping[str, Scores]
    choices: Mapping[str, NDArray[np.str_]]

    def by_model(self, regime: str) -> Scores:
        """Share of a model's replicates that were right, NaN where not asked: (models, items)."""
        right = self.right[regime]
        member = (self.of_model == np.arange(len(self.models))[:, None]).astype(float)
        asked = member @ np.isfinite(right)
        with np.errstate(invalid="ignore"):
            return (member @ np.nan_to_num(right)) / asked


@dataclass(frozen=True)
class AnswerSheets:
    """The benchmarks of an audit; `warnings` says what is missing or odd in the tables."""

    sheets: tuple[AnswerSheet, ...]
    models: tuple[str, ...]
    warnings: tuple[str, ...]


def read_sheets(
    paths: Sequence[Path], options: TableOptions, *, group_by: Sequence[str] = ()
) -> AnswerSheets:
    """Read item tables (CSV or Parquet), which may each hold any part of the answers.

    Args:
        options: which columns name design, scale and seed; `chance` gives, by benchmark, the share
            that guessing gets where the table has no `n_options`.
        group_by: columns to group items by; () = those of `GROUPS` that the tables have.

    Raises:
        TableError: a column is missing, a name is empty, an answer is there twice, an item has two
            categories or two answers, a number of options is none; the row is named.
    """
    rows = _together(paths)
    _require_named(rows, options)
    require(rows, group_by, option="--group")
    columns = ("category", *(c for c in (group_by or GROUPS) if c != "category"))
    columns = tuple(column for column in columns if column in rows.columns)
    for column in rows.columns.intersection(["benchmark", "regime", "item"]):
        _refuse_empty(rows, column)
    tidy = tidy_answers(rows, options, keep=(*_DETAILS, *columns[1:]), one_scale=True)
    _refuse_empty(tidy, "design")
    tidy["choice"] = tidy["choice"].str.upper() if "choice" in tidy else ""
    tidy["answer"] = tidy["answer"].str.upper() if "answer" in tidy else ""
    tidy["n_options"] = _counts(tidy["n_options"]) if "n_options" in tidy else 0
    model = tidy["design"].where(tidy["scale"] == "", tidy["design"] + "@" + tidy["scale"])
    tidy["model"] = model
    tidy["replicate"] = model.where(tidy["seed"] == "", model + "#" + tidy["seed"])
    models = tuple(dict.fromkeys(tidy["model"]))
    chance = _known_chance(options.chance, set(tidy["benchmark"]))
    sheets = tuple(
        _sheet(str(name), part, models, columns, chance.get(str(name)))
        for name, part in tidy.groupby("benchmark", sort=False)
    )
    return AnswerSheets(sheets, models, tuple(_odd(tidy, sheets)))


def _together(paths: Sequence[Path]) -> pd.DataFrame:
    parts = [read_rows(Path(path)) for path in paths]
    if len(parts) == 1:
        return parts[0]
    for path, part in zip(paths, parts, strict=True):
        part.index = pd.Index([f"{line} of {Path(path).name}" for line in part.index])
    return pd.concat(parts).fillna("")


def _require_named(rows: pd.DataFrame, options: TableOptions) -> None:
    """Refuse an option that names a column which the tables lack; a scale may be absent."""
    require(rows, options.design, option="--design")
    require(rows, () if options.scale == "scale" else (options.scale,), option="--scale")
    require(rows, () if options.seed is None else (options.seed,), option="--seed")


def _refuse_empty(tidy: pd.DataFrame, column: str) -> None:
    empty = (tidy[column].str.strip() == "").to_numpy()
    if empty.any():
        raise TableError(
            f"item table, row {tidy.index[int(np.argmax(empty))]}: the {column} is empty;"
            " every answer needs one."
        )


def _counts(text: pd.Series) -> pd.Series:
    """Parse numbers of options; empty gives 0."""
    numbers = pd.to_numeric(text.replace("", "0"), errors="coerce")
    wrong = (numbers.isna() | (numbers % 1 != 0) | ((numbers < 2) & (text != ""))).to_numpy()
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TableError(
            f"item table, row {text.index[at]}: 'n_options' holds {text.iloc[at]!r};"
            " it must be a whole number from 2 on, or empty."
        )
    return numbers.astype(int)


def _known_chance(chance: Mapping[str, float], benchmarks: set[str]) -> Mapping[str, float]:
    for name, share in chance.items():
        if name not in benchmarks:
            known = ", ".join(sorted(benchmarks))
            raise TableError(f"--chance: no benchmark {name!r} in the table. It has: {known}.")
        if not 0 < share < 1:
            raise TableError(f"--chance: {name}={share:g} must be a share between 0 and 1.")
    return chance


def _sheet(
    name: str,
    part: pd.DataFrame,
    models: tuple[str, ...],
    columns: Sequence[str],
    chance: float | None,
) -> AnswerSheet:
    details = ["item", "video", "answer", "n_options", *columns]
    items = part[details].drop_duplicates()
    _refuse_two(items, name)
    items = items.set_index("item")
    replicates = part[["replicate", "model"]].drop_duplicates()
    row = pd.Index(replicates["replicate"]).get_indexer(part["replicate"])
    column = items.index.get_indexer(part["item"])
    shape = (len(replicates), len(items))
    right: dict[str, Scores] = {}
    choices: dict[str, NDArray[np.str_]] = {}
    for regime in dict.fromkeys(part["regime"]):
        of = (part["regime"] == regime).to_numpy()
        right[regime] = np.full(shape, np.nan)
        right[regime][row[of], column[of]] = part["correct"].to_numpy()[of]
        given = part["choice"].to_numpy(dtype=str)[of]
        if (given != "").any():
            choices[regime] = np.full(shape, "", dtype=given.dtype)
            choices[regime][row[of], column[of]] = given
    options = items["n_options"].to_numpy(dtype=np.intp)
    with np.errstate(divide="ignore"):
        guess = np.where(options > 0, 1.0 / options, np.nan if chance is None else chance)
    return AnswerSheet(
        benchmark=name,
        models=models,
        replicates=tuple(replicates["replicate"]),
        of_model=pd.Index(models).get_indexer(replicates["model"]),
        items=tuple(text.replace("\n", " ").strip() for text in items.index),
        videos=pd.factorize(items["video"])[0].astype(np.intp),
        groups={each: items[each].to_numpy(dtype=str) for each in columns},
        options=options,
        guess=guess,
        answers=items["answer"].to_numpy(dtype=str),
        right=right,
        choices=choices,
    )


def _refuse_two(items: pd.DataFrame, benchmark: str) -> None:
    """Refuse an item that has two answers, numbers of options, categories or other groups."""
    again = items["item"].duplicated(keep=False)
    if not again.any():
        return
    two = items[items["item"] == items.loc[again, "item"].iloc[0]].iloc[:2]
    column = next(c for c in items.columns if two[c].iloc[0] != two[c].iloc[1])
    raise TableError(
        f"item table, rows {two.index[0]} and {two.index[1]}: item"
        f" {two['item'].iloc[0].split(chr(10))[-1]!r} of {benchmark} has two values of {column!r},"
        f" {two[column].iloc[0]!r} and {two[column].iloc[1]!r}; it must have one."
    )


def _odd(tidy: pd.DataFrame, sheets: Sequence[AnswerSheet]) -> list[str]:
    """Say what is missing, or contradicts itself, without being an error."""
    told: list[str] = []
    both = (tidy["choice"] != "") & (tidy["answer"] != "")
    wrong = both & ((tidy["choice"] == tidy["answer"]) != (tidy["correct"] == 1))
    if wrong.any():
        told.append(
            f"in {int(wrong.sum())} of {int(both.sum())} rows 'correct' is not what choice and"
            f" answer say (first: row {tidy.index[int(np.argmax(wrong.to_numpy()))]}); 'correct' is"
            " believed"
        )
    for sheet in sheets:
        if np.isnan(sheet.guess).any():
            told.append(
                f"{sheet.benchmark}: what guessing gets is not known of"
                f" {int(np.isnan(sheet.guess).sum())} items (no n_options; or give"
                f" --chance {sheet.benchmark}=0.25); nothing is said against chance"
            )
        absent = set(sheet.models) - {sheet.models[place] for place in sheet.of_model}
        if absent:
            told.append(
                f"{sheet.benchmark}: no answers of {len(absent)} of {len(sheet.models)} models"
                f" ({', '.join(sorted(absent)[:3])}{', …' if len(absent) > 3 else ''})"
            )
        for column, groups in sheet.groups.items():
            if len(set(groups)) > MOST_GROUPS:
                told.append(
                    f"{sheet.benchmark}: {column} has {len(set(groups))} groups, more than"
                    f" {MOST_GROUPS}; they are not told apart"
                )
    return told
