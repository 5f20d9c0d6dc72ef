"""`apollo pull`: finished stages from an object store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from apollo_core.errors import BadInput
from orchestrator.commands.options import DEFAULT_STORE, AsJson, KnownSweep, StorePath
from orchestrator.commands.push import BucketUrl, OnlyThese, Workers

if TYPE_CHECKING:
    from orchestrator.store.store import Store
    from orchestrator.store.sweep_record import SweepRecord


def pull(
    sweep: KnownSweep,
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
    opened.prepare()
    pull_records(_name(sweep), opened, bucket)
    record = known_sweep(sweep, opened)
    keys = asked_for(record, only)
    with make_progress().counting(f"pulling from {bucket.name}, stages") as count:
        report = bring(keys, opened, bucket, workers=workers, on_progress=count)
    _remember(sweep, record, opened)
    tell(report, record, bucket, done="pulled", as_json=as_json)


def _name(sweep: Path) -> str:
    """Name of the sweep that the argument means: a file, or the name itself."""
    from orchestrator.spec.sweep_file import load_sweep

    if sweep.is_file() or sweep.suffix in (".yaml", ".yml"):
        return load_sweep(sweep).name
    if sweep.name != str(sweep) or sweep.name.startswith("."):
        raise BadInput(f"{sweep}: neither a sweep file (.yaml) nor the name of a sweep")
    return sweep.name


def _remember(sweep: Path, record: SweepRecord, store: Store) -> None:
    """Keep a sweep whose stages came and that no sweep here refers to: `gc` would list them."""
    from orchestrator.store.references import references
    from orchestrator.store.sweep_record import register

    known = {key for each in references(store).wanted for key in each.stages}
    if sweep.is_file() and not known.issuperset(record.stages):
        register(store, record, sweep.read_text(encoding="utf-8"))
