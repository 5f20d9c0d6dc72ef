"""`apollo pull`: finished stages from an object store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apollo_core.errors import BadInput
from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath
from orchestrator.commands.push import BucketUrl, OnlyThese, Workers

if TYPE_CHECKING:
    from orchestrator.exchange.bucket import Bucket
    from orchestrator.store.store import Store
    from orchestrator.store.sweep_record import SweepRecord

PushedSweep = Annotated[
    Path, typer.Argument(metavar="SWEEP", help="a sweep file, or the name of one that was pushed")
]


def pull(
    sweep: PushedSweep,
    url: BucketUrl,
    *,
    only: OnlyThese = None,
    workers: Workers = 8,
    as_json: AsJson = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Bring a sweep's finished stages from a bucket; what is here is left. Again goes on."""
    from orchestrator.commands.exchanged import asked_for, tell
    from orchestrator.exchange.bucket import Bucket
    from orchestrator.exchange.pull import pull as bring
    from orchestrator.exchange.pull import pull_records
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store
    from orchestrator.watching.progress import make_progress

    opened = open_store(store)
    bucket = Bucket(url)
    bucket.require()
    name = _name(sweep)
    if not _is_file(sweep):
        _require_sweep(name, opened, bucket)
    opened.prepare()
    pull_records(name, opened, bucket)
    record = known_sweep(sweep, opened)
    keys = asked_for(record, only)
    with make_progress().counting(f"pulling from {bucket.name}, stages") as count:
        report = bring(keys, opened, bucket, workers=workers, on_progress=count)
    _remember(sweep, record, opened)
    tell(report, record, bucket, done="pulled", as_json=as_json)


def _name(sweep: Path) -> str:
    """Name of the sweep that the argument means: a file, or the name itself."""
    from orchestrator.spec.sweep_file import load_sweep

    if _is_file(sweep):
        return load_sweep(sweep).name
    if sweep.name != str(sweep) or sweep.name.startswith("."):
        raise BadInput(f"{sweep}: neither a sweep file (.yaml) nor the name of a sweep")
    return sweep.name


def _is_file(sweep: Path) -> bool:
    return sweep.is_file() or sweep.suffix in (".yaml", ".yml")


def _require_sweep(name: str, store: Store, bucket: Bucket) -> None:
    """Refuse a name that stands for no sweep, neither there nor here."""
    from orchestrator.spec.problems import nearest
    from orchestrator.store.sweep_record import sweep_folder

    if sweep_folder(store, name).is_dir() or bucket.records(name):
        return
    pushed = nearest(name, bucket.sweeps())
    raise BadInput(f"{bucket.name}: no sweep {name!r} was pushed there{pushed}.")


def _remember(sweep: Path, record: SweepRecord, store: Store) -> None:
    """Keep a sweep whose stages came and that no sweep here refers to: `gc` would list them."""
    from orchestrator.store.references import references
    from orchestrator.store.sweep_record import register

    known = {key for each in references(store).wanted for key in each.stages}
    if sweep.is_file() and not known.issuperset(record.stages):
        register(store, record, sweep.read_text(encoding="utf-8"))
