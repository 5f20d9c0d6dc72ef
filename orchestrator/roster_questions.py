"""What a roster asks: every model on every benchmark, as stages that need no parents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from apollo_core.errors import BadInput
from apollo_core.stages.identity import ExternalIdentity, Part
from orchestrator.engine.task import StageTask
from orchestrator.plan.data_sets import Manifest, find_manifest
from orchestrator.plan.graph import REGIMES
from orchestrator.plan.plan import stage_key
from orchestrator.plan.weights import Weights, local_weights
from orchestrator.spec.roster_types import Roster, RosterModel
from orchestrator.spec.sweep_checks import EVALUATE
from orchestrator.spec.sweep_types import Evaluation
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import StageRecord, SweepRecord, VariantRecord
from orchestrator.weights_header import parameters_of, require_whole

# Scale of every model of a roster, in score and item tables.
SCALE = "external"
FAMILY = "image-text-to-text"


@dataclass(frozen=True)
class Question:
    """One model on one benchmark.

    Attributes:
        name: of the model.
        metric: first part of its metrics' names.
        task: the stage.
        data: the benchmark's file, as the roster names it.
    """

    name: str
    metric: str
    task: StageTask
    data: str


def questions_of(roster: Roster, store: Store) -> tuple[Question, ...]:
    """Every model of a roster with every benchmark; reads weights' bytes and manifests.

    Raises:
        BadInput: weights or data are not there.
    """
    data = roster.data.as_of_sweep
    folder = data.folder(store.root)
    found = {
        entry.metric: find_manifest(data, entry.manifest, folder, entry.format)
        for entry in roster.evaluation
    }
    for entry in roster.evaluation:
        if found[entry.metric].provisional:
            lacks = found[entry.metric].lacks or f"{folder / entry.manifest} is not there"
            raise BadInput(f"evaluation {entry.metric}: {lacks}")
    weights = {name: _weights(name, model) for name, model in roster.models.items()}
    return tuple(
        Question(
            name,
            entry.metric,
            _task(roster, model, weights[name], entry, found[entry.metric], store),
            entry.manifest,
        )
        for name, model in roster.models.items()
        for entry in roster.evaluation
    )


def record_of_roster(roster: Roster, questions: tuple[Question, ...]) -> SweepRecord:
    """What the store remembers of a roster: its models as the variants of a sweep."""
    return SweepRecord(
        name=roster.name,
        variants=tuple(
            VariantRecord(
                id=name,
                design=name,
                levels={},
                scale=SCALE,
                scale_size=model.size or parameters(model.folder) / 1e9,
                seed=roster.seed,
                resolved={},
                stages=tuple(dict.fromkeys(each.task.key for each in own)),
                evaluations={each.metric: each.task.key for each in own},
                llm=model.source,
            )
            for name, model in roster.models.items()
            for own in [[each for each in questions if each.name == name]]
        ),
        stages={each.task.key: _stage_record(each) for each in questions},
        data="" if roster.data.root is not None else _world(roster, questions[0].task),
    )


def parameters(folder: Path) -> int:
    """Numbers in a folder's safetensors files, by their headers. Raises `BadInput`."""
    return sum(map(parameters_of, sorted(folder.glob("*.safetensors"))))


def _weights(name: str, model: RosterModel) -> Weights:
    try:
        require_whole(model.folder)
    except BadInput as error:
        raise BadInput(f"models.{name}.source: {error}") from None
    weights = local_weights(model.source, FAMILY)
    if weights.provisional or not any(model.folder.glob("*.safetensors")):
        raise BadInput(
            f"models.{name}.source: {model.folder} holds no model: a folder with config.json and "
            "*.safetensors is needed, as save_pretrained of transformers leaves it"
        )
    return weights


def _task(
    roster: Roster,
    model: RosterModel,
    weights: Weights,
    entry: Evaluation,
    manifest: Manifest,
    store: Store,
) -> StageTask:
    identity = ExternalIdentity(
        model=Part(family=FAMILY, fingerprint=weights.fingerprint),
        seed=roster.seed,
        sampling=(model.frames or roster.frames).sampling,
        frames_as=model.frames_as,
        frame_side=model.frame_side,
        benchmark=manifest.fingerprint,
        regimes=tuple(each for each in REGIMES if each in entry.regimes),
        scoring=entry.scoring,
        prompt=entry.full_prompt,
        rotations=entry.rotations,
        bad_media=roster.data.bad_media,
        precision=roster.execution.precision,
        format=manifest.form,
        decoder=roster.data.decoder,
    )
    key = stage_key(identity, {})
    ranks = model.resources.ranks
    return StageTask(
        key=key,
        label=EVALUATE,
        identity=identity,
        parents={},
        locations={
            weights.fingerprint: weights.location,
            manifest.fingerprint: manifest.location,
        },
        execution=roster.execution.execution,
        media_root=str(roster.data.as_of_sweep.folder(store.root)),
        store=str(store.root),
        cpus=max(model.resources.cpus, ranks),
        gpus=model.resources.gpus,
        processes=ranks,
        failures_before=len(store.failures(key)),
    )


def _stage_record(question: Question) -> StageRecord:
    identity = question.task.identity
    assert isinstance(identity, ExternalIdentity)
    told: dict[str, JsonValue] = identity.model_dump(
        mode="json", exclude={"kind", "model", "seed", "benchmark"}
    )
    return StageRecord(
        kind=identity.kind,
        label=question.task.label,
        parents={},
        regimes=identity.regimes,
        settings={**told, "data": question.data},
    )


def _world(roster: Roster, task: StageTask) -> str:
    folder = Path(task.media_root)
    return f"{folder.parent.name}/{folder.name}" if roster.data.microworld is not None else ""
