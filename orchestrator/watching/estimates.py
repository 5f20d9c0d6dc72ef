"""What was planned of each stage of a sweep, kept beside its record so that any terminal can tell
how far a run has come.

`<store>/sweeps/<name>/estimates.json`; an estimate is no part of a result, and its file may go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from pydantic import JsonValue

from orchestrator.files import read_json, write_atomically
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import sweep_folder


@dataclass(frozen=True)
class Estimate:
    """One stage: planned seconds, FLOPs, and what it holds while it runs."""

    seconds: float = 0.0
    flops: float = 0.0
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Places:
    """CPUs and GPUs that a run can hand out in all."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Estimates:
    """A sweep's stages by key; `places` is None where only the running stages can tell."""

    stages: Mapping[str, Estimate] = field(default_factory=dict[str, Estimate])
    places: Places | None = None

    def of(self, key: str) -> Estimate:
        """A stage's; one without an estimate counts as short."""
        return self.stages.get(key, Estimate())


def keep_estimates(store: Store, name: str, estimates: Estimates) -> None:
    """Remember them for `apollo status`."""
    folder = sweep_folder(store, name)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "estimates.json", json.dumps(asdict(estimates)), durable=False)


def kept_estimates(store: Store, name: str) -> Estimates:
    """Those of the sweep's last run; none where they are absent or of an older form."""
    found = read_json(sweep_folder(store, name) / "estimates.json") or {}
    stages, places = found.get("stages"), found.get("places")
    try:
        return Estimates(
            {key: Estimate(**_numbers(told)) for key, told in _object(stages).items()},
            Places(**_numbers(places)) if places else None,
        )
    except TypeError:
        return Estimates()


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _numbers(value: JsonValue) -> dict[str, float]:
    return {
        name: float(number)
        for name, number in _object(value).items()
        if isinstance(number, int | float)
    }
