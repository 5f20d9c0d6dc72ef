"""What a run talks to: Ray, and the tracking server."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from apollo_core.errors import ApolloError, BadInput
from apollo_core.media.video_file import DecoderName
from apollo_core.redaction import redact
from orchestrator.checkup.finding import Finding, broken, ok, warning
from orchestrator.checkup.ray_address import require_ray
from orchestrator.engine.places_needed import Place
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store

_MOST_SKEW = 5.0
_LEAST_SHM = 256 << 20
_TRACKING_TIMEOUT = 10.0


def ray_on_this_machine() -> Iterator[Finding]:
    """Start a cluster of one processor and end it, as a run does."""
    began = time.monotonic()
    try:
        with _connected(None, 1):
            pass
    except ApolloError as error:
        mend = "see the message; `apollo run --engine local` does without Ray"
        yield broken(redact(str(error)), mend)
        return
    yield ok(f"Ray starts on this machine ({time.monotonic() - began:.0f} s)")


def ray_cluster(
    address: str,
    store: Path,
    decoders: tuple[DecoderName, ...] = (),
    places: tuple[Place, ...] = (),
) -> Iterator[Finding]:
    """Ask every node of a running cluster whether stages can run there."""
    from orchestrator.engine.ray.nodes import ask_nodes

    try:
        require_ray(address, patience=0.0)
        with _connected(address, None):
            nodes = ask_nodes(store, decoders, places)
    except ApolloError as error:
        mend = "check the address, and RAY_AUTH_TOKEN if it asks for a token (docs/cluster.md)"
        yield broken(redact(str(error)), mend)
        return
    if not nodes:
        mend = "none is needed where an autoscaler brings them; else start workers"
        yield warning("the cluster has no node that runs stages", mend)
    for node in nodes:
        if not node.problems:
            yield ok(f"node {node.name}: {node.gpus:g} GPUs, sees the store, has what is needed")
        for problem in node.problems:
            what, _, mend = problem.partition("; ")
            yield broken(f"node {node.name}: {what}", mend)
        for package in node.differs:
            mend = "install one version everywhere: results may differ in their last digits"
            yield warning(f"node {node.name}: {package}", mend)
        if abs(node.skew) > _MOST_SKEW:
            text = f"node {node.name}: its clock is off by {node.skew:+.0f} s"
            yield warning(text, "set the clocks by NTP; times in logs and views are wrong")
        if node.free and node.free["/dev/shm"] < _LEAST_SHM:
            mend = "give its container more shared memory (--shm-size, emptyDir of medium Memory)"
            yield warning(f"node {node.name}: less than 256 MB shared memory free", mend)


@contextlib.contextmanager
def _connected(address: str | None, cpus: int | None) -> Iterator[None]:
    from orchestrator.engine.ray.cluster import cluster

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    with (
        scratch_folder(longest=42) as temporary,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # Ray's own greeting
        cluster(address, cpus, temporary),
    ):
        yield


def tracking(uri: str | None, store: Store) -> Finding:
    """The MLflow server, or the store's own database."""
    from orchestrator.tracking.tracking_database import damage, database
    from orchestrator.tracking.tracking_uri import require_tracking_uri
    from orchestrator.tracking.unreachable import why_unreachable

    if uri is None:
        path = database(store)
        wrong = damage(path) if path.exists() else ""
        if wrong:
            mend = "nothing is lost: the next run sets it aside, and `apollo sync` rebuilds it"
            return warning(f"{path}: {wrong}", mend)
        return ok("tracking: the store's own database")
    try:
        require_tracking_uri(uri)
    except BadInput as error:
        told, _, mend = str(error).partition("; ")
        return broken(told, mend)
    try:
        _ask_tracking(uri)
    except Exception as error:  # MLflow's, the network's or a database driver's
        mend = "a run goes on without it, and `apollo sync` catches up; check address and access"
        said = redact(why_unreachable(error))[:300]
        return warning(f"tracking {redact(uri)} cannot be reached: {said}", mend)
    return ok(f"tracking {redact(uri)} answers")


def _ask_tracking(uri: str) -> None:
    """Raise whatever keeps the server from answering; MLflow's own client would try for minutes."""
    import requests

    if not uri.startswith(("http://", "https://")):
        from orchestrator.tracking.mlflow_writer import open_client

        open_client(uri).search_experiments(max_results=1)
        return
    answer = requests.post(
        f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search",
        json={"max_results": 1},
        timeout=_TRACKING_TIMEOUT,
    )
    answer.raise_for_status()
