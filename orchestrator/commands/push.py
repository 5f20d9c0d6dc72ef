"""`apollo push`: finished stages to an object store."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, KnownSweep, StorePath

BucketUrl = Annotated[
    str, typer.Argument(metavar="URL", help="s3://BUCKET/FOLDER, or any other URL of fsspec")
]
OnlyThese = Annotated[
    list[str] | None, typer.Option("--only", metavar="ID", help="this replicate; repeatable")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="stages at a time")]


def push(
    sweep: KnownSweep,
    url: BucketUrl,
    *,
    only: OnlyThese = None,
    workers: Workers = 8,
    as_json: AsJson = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Copy a sweep's finished stages to a bucket; what is there is left. Again goes on."""
    from apollo_core.errors import BadInput
    from orchestrator.commands.exchanged import asked_for, tell
    from orchestrator.exchange.bucket import Bucket
    from orchestrator.exchange.push import push as send
    from orchestrator.exchange.push import push_records
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store
    from orchestrator.watching.progress import make_progress

    opened = open_store(store)
    record = known_sweep(sweep, opened)
    bucket = Bucket(url)
    keys = asked_for(record, only)
    if not any(opened.is_done(key) for key in keys):
        raise BadInput(
            f"nothing to push: none of {len(keys)} stages of {record.name} is finished in "
            f"{opened.root}; run the sweep first, or check --store"
        )
    bucket.prepare()
    with make_progress().counting(f"pushing to {bucket.name}, stages") as count:
        report = send(keys, opened, bucket, workers=workers, on_progress=count)
    push_records(record.name, opened, bucket)
    tell(report, record, bucket, done="pushed", as_json=as_json)
