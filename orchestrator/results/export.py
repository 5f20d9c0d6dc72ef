"""`apollo export`: a finished variant, put together from its chain of stages, as a folder."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import cast

from pydantic import JsonValue

from apollo_core.design import Sampling
from apollo_core.errors import ApolloError, BadInput
from apollo_core.execution import Execution
from apollo_core.places import MICRO
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import EvaluateIdentity, ModelIdentity, TrainIdentity
from orchestrator.files import read_json_lines
from orchestrator.plan.graph import build_plan
from orchestrator.results.model_card import Stage, model_card
from orchestrator.results.score_table import ITEMS, Score, scores_of_items
from orchestrator.spec.problems import nearest
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.damage import damage_of
from orchestrator.store.stage_states import stage_state
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, VariantRecord

CARD = "README.md"
HUB = "hub:"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def export(
    record: SweepRecord, identifier: str, folder: Path, store: Store, *, sweep: Path, shard: int
) -> Path:
    """Write the variant into `folder`, which is new or empty; it appears whole or not at all.

    Args:
        record: the sweep's.
        identifier: of the variant.
        folder: where to.
        store: with its finished stages.
        sweep: as the user named it.
        shard: bytes of the largest file of weights.

    Raises:
        BadInput: no such variant, one that is not finished, a folder that is not empty or cannot be
            written; a language model or encoder that lies nowhere here.
        ApolloError: a stage's files have changed; the disk is full.
    """
    from apollo_core.exported.writing import write_folder
    from apollo_core.stages.assembly import assemble

    variant = _variant(record, identifier)
    _require_done(record, variant, store, sweep)
    target = _target(folder)
    trained = _training(variant, record)
    last = TrainIdentity.model_validate(_identity(store, trained))
    with _beside(target) as out:
        context = _context(store, trained, last.model, out, sweep)
        write_folder(
            *assemble(last.model, last.seed, context),
            last.model,
            out,
            sampling=_sampling(variant, store, otherwise=last.sampling),
            precision=last.precision,
            shard_size=shard,
            decoder=last.decoder,
        )
        card = _card(record, variant, store, last.model)
        (out / CARD).write_text(card, encoding="utf-8")
    return target


def _variant(record: SweepRecord, identifier: str) -> VariantRecord:
    known = {variant.id: variant for variant in record.variants}
    if identifier not in known:
        raise BadInput(f"export: unknown variant {identifier!r}{nearest(identifier, [*known])}.")
    return known[identifier]


def _require_done(record: SweepRecord, variant: VariantRecord, store: Store, sweep: Path) -> None:
    """Every stage, the evaluations too: a card without scores would say nothing."""
    states = {key: stage_state(store, key) for key in variant.stages}
    missing = [
        f"  {_called(record, variant, key)} ({state.state}{': ' if state.message else ''}"
        f"{shorten(state.message.partition(chr(10))[0], 120, placeholder=' ...')})"
        for key, state in states.items()
        if state.state != "done"
    ]
    file = shlex.quote(str(sweep)) if sweep.is_file() else f"THE-FILE-OF-{record.name}"
    again = f"apollo run {file} --only {shlex.quote(variant.id)}"
    if missing:
        raise BadInput(
            f"export: {variant.id} is not finished in the store {store.root}; of its "
            f"{len(states)} stages these are not done:\n" + "\n".join(missing) + f"\nRun: {again}"
        )
    damaged = [problem for key in variant.stages for problem in damage_of(store, key)]
    if damaged:
        raise ApolloError(
            f"export: {variant.id}: results are damaged: {damaged[0]}"
            f"{f' and {len(damaged) - 1} more' if len(damaged) > 1 else ''}. To mend: {again}"
        )


def _called(record: SweepRecord, variant: VariantRecord, key: str) -> str:
    """A stage's name within its variant: with the part that it makes, or what it evaluates."""
    stage = record.stages[key]
    benchmarks = [name for name, each in variant.evaluations.items() if each == key]
    return " ".join([stage.label, *([stage.part] if stage.part else []), *benchmarks])


def _target(folder: Path) -> Path:
    """The absolute place, once it is known that a folder can be made there."""
    target = folder.absolute()
    if target.is_dir() and any(_listed(target)):
        raise BadInput(f"export: the folder {folder} is not empty; name a new one")
    if target.exists() and not target.is_dir():
        raise BadInput(f"export: {folder} is a file; name a new folder")
    return target


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BadInput(f"export: {folder} cannot be read ({error.strerror})") from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` at the end of the block, or is removed."""
    work = target.with_name(f".{target.name}.{os.getpid()}.exporting")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
    except OSError as error:
        raise BadInput(
            f"export: {target} cannot be written ({error.strerror}); choose another folder"
        ) from error
    try:
        yield work
        work.replace(target)
    except OSError as error:
        full = error.errno in _FULL or "No space left" in str(error)
        what = "the disk is full" if full else str(error)
        raise ApolloError(f"export: {target}: {what}; nothing was exported") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _identity(store: Store, key: str) -> JsonValue:
    return (store.identity(key) or {})["identity"]


def _training(variant: VariantRecord, record: SweepRecord) -> str:
    """The last training stage: the one that every evaluation starts from."""
    return [key for key in variant.stages if record.stages[key].kind == "train"][-1]


def _sampling(variant: VariantRecord, store: Store, *, otherwise: Sampling) -> Sampling:
    """That of the first evaluation: what a user's video is shown by, too."""
    for key in variant.evaluations.values():
        return EvaluateIdentity.model_validate(_identity(store, key)).sampling
    return otherwise


def _context(
    store: Store, trained: str, model: ModelIdentity, out: Path, sweep: Path
) -> StageContext:
    """What `assemble` needs to put the model together as an evaluation would find it."""
    parents = cast(dict[str, str], (store.identity(trained) or {})["parents"])
    return StageContext(
        out=out,
        parents={role: store.result(key) for role, key in parents.items()},
        chain=store.chain(trained),
        locations=_locations(model, store, sweep),
        media_root=out,
        execution=Execution(device="cpu"),
        report=lambda event: None,
    )


def _locations(model: ModelIdentity, store: Store, sweep: Path) -> dict[str, str]:
    """Where the parts lie: those of the hub and of the microworld say it themselves."""
    found: dict[str, str] = {}
    for part in (*model.encoders, model.llm):
        name = part.fingerprint
        if name.startswith(HUB):
            found[name] = name.removeprefix(HUB)
        elif name.startswith(MICRO):
            found[name] = name.rpartition("@")[0]
        else:
            found |= _local(name, store, sweep)
    return found


def _local(name: str, store: Store, sweep: Path) -> dict[str, str]:
    """The place of weights on this machine, which only the sweep file knows."""
    plan = build_plan(load_sweep(sweep), store=store.root) if sweep.is_file() else None
    nodes = plan.stages.values() if plan else ()
    place = next((node.locations[name] for node in nodes if name in node.locations), None)
    if place is None:
        raise BadInput(
            f"export: weights of the sha256 {name.rpartition(':')[2][:12]} are not where {sweep} "
            "says, or have changed; export with the sweep's file, where they lie unchanged"
        )
    return {name: place}


def _card(record: SweepRecord, variant: VariantRecord, store: Store, model: ModelIdentity) -> str:
    parts = {f"encoder {number}": each for number, each in enumerate(model.encoders, start=1)}
    return model_card(
        variant.id,
        sweep=record.name,
        design=variant.resolved,
        parts={
            role: f"{part.family} {part.fingerprint}"
            for role, part in {**parts, "language model": model.llm}.items()
        },
        scores=_scores(variant, store),
        stages=[
            Stage(
                _called(record, variant, key),
                key,
                record.stages[key].settings,
                store.provenance(key) or {},
            )
            for key in variant.stages
        ],
    )


def _scores(variant: VariantRecord, store: Store) -> list[Score]:
    return [
        score
        for name, key in variant.evaluations.items()
        for score in scores_of_items(name, read_json_lines(store.stage_folder(key) / ITEMS))
    ]
