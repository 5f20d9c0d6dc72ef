"""From finished evaluate stages to the score table and the item table (design contract 4.6)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from apollo_core.errors import BadInput
from orchestrator.files import read_json_lines
from orchestrator.store.damage import damage_of
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, VariantRecord

ITEMS = "items.jsonl"
OVERALL = "overall"

Item = Mapping[str, JsonValue]
Row = dict[str, JsonValue]


@dataclass(frozen=True)
class Score:
    """One metric of one replicate.

    Attributes:
        metric: `benchmark/regime/category`, or `benchmark/regime/overall`.
        score: per cent of items answered correctly; overall = unweighted mean of the categories.
        n_items: items behind it.
        chance: what guessing would score, per cent: the mean of 1 / n_options.
    """

    metric: str
    score: float
    n_items: int
    chance: float


def scores_of_items(benchmark: str, items: Iterable[Item]) -> list[Score]:
    """Score one evaluate stage's items, by regime and category in the order they come."""
    cells: dict[str, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        cells[str(item["regime"])][str(item["category"])].append(item)
    return [
        score
        for regime, categories in cells.items()
        for score in _regime_scores(f"{benchmark}/{regime}", categories)
    ]


def score_rows(record: SweepRecord, store: Store) -> list[Row]:
    """Rows of the score table, for everything that was planned; empty where nothing is done.

    What is not done has an empty score for each metric of its benchmark: the overall ones, and the
    categories that a finished replicate met.
    """
    found = {
        (variant.id, benchmark): scores_of_items(benchmark, read_json_lines(folder / ITEMS))
        for variant, benchmark, folder in _finished(record, store)
    }
    if not found:
        return []
    planned = _planned_metrics(record, found)
    return [
        _row(variant, metric, scores.get(metric))
        for variant in record.variants
        for benchmark in variant.evaluations
        for scores in [{score.metric: score for score in found.get((variant.id, benchmark), ())}]
        for metric in scores or planned[benchmark]
    ]


def _planned_metrics(
    record: SweepRecord, found: Mapping[tuple[str, str], list[Score]]
) -> dict[str, list[str]]:
    """Benchmark -> its metrics, as far as sweep and finished replicates tell."""
    metrics: dict[str, dict[str, None]] = defaultdict(dict)
    for (_, benchmark), scores in found.items():
        metrics[benchmark].update(dict.fromkeys(score.metric for score in scores))
    for variant in record.variants:
        for benchmark, key in variant.evaluations.items():
            for regime in record.stages[key].regimes:
                metrics[benchmark][f"{benchmark}/{regime}/{OVERALL}"] = None
    return {benchmark: list(names) for benchmark, names in metrics.items()}


def _row(variant: VariantRecord, metric: str, score: Score | None) -> Row:
    return {
        "design": variant.design,
        "scale": variant.scale,
        "scale_size": variant.scale_size,
        "seed": variant.seed,
        "metric": metric,
        "score": score.score if score else None,
        **variant.levels,
        "n_items": score.n_items if score else None,
        "chance": score.chance if score else None,
    }


def item_rows(record: SweepRecord, store: Store) -> Iterator[Row]:
    """Rows of the item table: one per replicate, benchmark, regime and item."""
    columns = (
        "regime", "video", "item", "category", "choice", "answer", "correct", "n_options",
        "duration_group", "task_type",
    )  # fmt: skip
    for variant, benchmark, folder in _finished(record, store):
        for item in read_json_lines(folder / ITEMS):
            row: Row = {**_place(variant), "benchmark": benchmark}
            yield row | {column: item.get(column) for column in columns}


def write_scores(record: SweepRecord, store: Store, path: Path) -> int:
    """Write the score table as CSV; return its number of rows.

    Raises:
        BadInput: nothing has been evaluated yet.
    """
    import pandas as pd

    rows = score_rows(record, store)
    if not rows:
        raise BadInput(
            f"{record.name}: no evaluation is done in the store {store.root}; `apollo run` it first"
        )
    table = pd.DataFrame(rows).astype({"n_items": "Int64"})  # whole numbers, with gaps
    table.to_csv(path, index=False, lineterminator="\n")
    return len(rows)


def write_items(record: SweepRecord, store: Store, path: Path) -> int:
    """Write the item table: Parquet or CSV by its name, CSV compressed if that ends in .gz.

    Returns:
        Its rows.
    """
    import pandas as pd

    table = pd.DataFrame(item_rows(record, store))
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
        return len(table)
    # No time stamp in the archive: the same items give the same bytes.
    how = {"method": "gzip", "mtime": 0} if path.suffix == ".gz" else None
    table.to_csv(path, index=False, lineterminator="\n", compression=how)  # pyright: ignore[reportArgumentType]
    return len(table)


def _regime_scores(name: str, categories: Mapping[str, list[Item]]) -> list[Score]:
    found = [_score(f"{name}/{category}", items) for category, items in categories.items()]
    whole = Score(
        f"{name}/{OVERALL}",
        score=_mean(score.score for score in found),
        n_items=sum(score.n_items for score in found),
        chance=_mean(score.chance for score in found),
    )
    return [*found, whole]


def _score(metric: str, items: list[Item]) -> Score:
    return Score(
        metric,
        score=100 * _mean(float(bool(item["correct"])) for item in items),
        n_items=len(items),
        chance=100 * _mean(1 / float(str(item["n_options"])) for item in items),
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _place(variant: VariantRecord) -> Row:
    return {"design": variant.design, "scale": variant.scale, "seed": variant.seed}


def _finished(record: SweepRecord, store: Store) -> Iterator[tuple[VariantRecord, str, Path]]:
    for variant in record.variants:
        for benchmark, key in variant.evaluations.items():
            if not damage_of(store, key):
                yield variant, benchmark, store.stage_folder(key)
