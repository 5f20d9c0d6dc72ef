"""How often each data set was seen in training, over the stages of a sweep that are done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from orchestrator.files import read_json
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord

# What a training stage leaves.
FED = "fed.json"


def training_data(record: SweepRecord, store: Store) -> list[dict[str, object]]:
    """An entry for each training stage that the sweep names, in the order of training.

    Each has `stage`, `trained` (how many stages of that name are done; one that replicates share
    counts once), `ended_early` (how many of them ended with their data), `skipped` (samples whose
    media cannot be read) and `sets`: of each data set its `size`, how many of the `stages` drew
    from it, samples `drawn` (skipped ones too), `epochs`, and `share` of the samples in per cent.
    What may differ from stage to stage is given as least, median and most.
    """
    fed: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for key, stage in record.stages.items():
        told = read_json(store.stage_folder(key) / FED) if stage.kind == "train" else None
        if told is not None and store.is_done(key):
            fed[stage.label].append(told)
    return [
        {
            "stage": label,
            "trained": len(found),
            "ended_early": sum(bool(told["ended_early"]) for told in found),
            "skipped": _spread([told["skipped"] for told in found]),
            "sets": _sets(found, record.sets),
        }
        for label, found in fed.items()
    ]


def _sets(fed: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, object]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for told in fed:
        total = max(1, told["drawn"])
        for own in told["sets"]:
            # A record of an older version has no names.
            name = names.get(own["set"], own["set"][:24])
            found[name].append({**own, "share": 100 * own["drawn"] / total})
    return [
        {
            "set": name,
            "size": max(own["size"] for own in drawn),
            "stages": len(drawn),
            **{
                column: _spread([own[column] for own in drawn])
                for column in ("drawn", "epochs", "share")
            },
        }
        for name, drawn in sorted(found.items())
    ]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"least": min(values), "median": median(values), "most": max(values)}
