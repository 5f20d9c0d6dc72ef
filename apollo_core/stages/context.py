"""What a stage function is given beside its identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from apollo_core.execution import Execution
from apollo_core.features.feature_cache import FeatureCache
from apollo_core.stages.seat import ALONE, Seat

Event = Mapping[str, float | int | str]


@dataclass(frozen=True)
class StageContext:
    """Inputs and outputs of one stage, as places.

    Attributes:
        out: an empty folder; every file left in it is the stage's result.
        parents: role -> folder of a finished parent. Roles: `llm` and `encoder:N` (pretrained
            microworld parts, N the position in the design), `previous` (the stage before).
        chain: folders of all earlier training stages of this variant, oldest first (the last one
            is `parents["previous"]`); each holds only what it trained.
        locations: fingerprint -> where it lies (a manifest path; a hub id with `@COMMIT`; a folder
            of weights; `micro:NAME`).
        media_root: folder that media paths in manifests are relative to.
        execution: where and how fast.
        report: takes one metrics event (`step`, `steps`, `loss`, ...); raises `LeaseLost` when the
            stage is no longer ours, so a stage calls it at least once a second while it works.
        checkpoints: a folder of the stage's own that outlives an attempt, for the state that a
            later attempt goes on from; it may not exist yet. None = nothing is to be kept.
        seat: which of the processes that run this stage together this is. Only the first writes
            into `out` and `checkpoints`, and only its reports are heard.
        features: what may be kept of frozen encoders' features; None = nothing.
    """

    out: Path
    parents: Mapping[str, Path]
    chain: tuple[Path, ...]
    locations: Mapping[str, str]
    media_root: Path
    execution: Execution
    report: Callable[[Event], None]
    checkpoints: Path | None = None
    seat: Seat = ALONE
    features: FeatureCache | None = None
