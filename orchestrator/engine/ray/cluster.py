"""Connecting to a cluster that runs, or starting one on this machine for the time of a run."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apollo_core.errors import ApolloError, BadInput
from apollo_core.redaction import redact
from orchestrator.engine.ray.gpu_memory import gpu_bytes
from orchestrator.engine.ray.shipping import runtime_environment
from orchestrator.engine.room import Capacity, Node
from orchestrator.store import failures

# Stages exchange files, not objects, so the shared memory stays close to Ray's least (75 MiB).
_OBJECT_STORE_BYTES = 128 << 20

_SHUTTING_DOWN = threading.Lock()

# Said before Ray is imported: it reads them once.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    # Every end of a worker is told to us: we count, not Tune.
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000000",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S_AUTOSCALER": "1000000000",
}


@contextlib.contextmanager
def cluster(
    address: str | None, cpus: int | None, temporary: Path, *, ship: bool = True
) -> Iterator[None]:
    """Be connected to the cluster at `address`, else to a new one on this machine, meanwhile.

    Args:
        address: of a running cluster.
        cpus: of a new one; None takes the machine's.
        temporary: folder of a new one's sockets and logs, and of the code for a running one.
        ship: send our code to a running one.
    """
    _set_environment(_QUIET if address else {**_QUIET, **_own_token()})
    import ray

    if ray.is_initialized():  # the caller's cluster, and the caller's to stop
        yield
        return
    try:
        with _own_signals():
            _connect(address, cpus, temporary, ship=ship)
        yield
    finally:
        shut_down()


def shut_down() -> None:
    """Leave the cluster, and end it where it is our own. Returns when that is done, by whomever."""
    import ray

    # A second thread would find nothing left to do and end this process amidst the first one's.
    with _SHUTTING_DOWN:
        ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's handlers: Ray's own end a driver at SIGTERM by abort, leases and all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _own_token() -> dict[str, str]:
    # Nobody else on the machine can submit work to the workers of a cluster that we start.
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _set_environment(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _connect(address: str | None, cpus: int | None, temporary: Path, *, ship: bool) -> None:
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is not None:
        try:
            ray.init(
                address=address, runtime_env=runtime_environment(temporary, ship=ship), **quiet
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadInput(f"--address {redact(address)}: {failures.one_line(error)}") from error
        return
    try:
        # "local": without it Ray joins whatever cluster the last process here left behind.
        ray.init(
            address="local",
            num_cpus=cpus or os.cpu_count(),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=str(temporary),
            **quiet,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ApolloError(failures.one_line(error)) from error


def cluster_capacity(gpu_memory: float | None = None, *, with_memory: bool = False) -> Capacity:
    """The connected cluster's machines, without those that are about to be taken back.

    Args:
        gpu_memory: bytes of each GPU; None asks the machines.
        with_memory: whether anybody wants to know it.
    """
    import ray
    from ray._private.state import state

    leaving = state.get_draining_nodes()
    return Capacity.of(
        Node(
            name=told["NodeID"],
            cpus=told["Resources"].get("CPU", 0.0),
            gpus=told["Resources"].get("GPU", 0.0),
            gpu_bytes=_gpu_memory(told, gpu_memory) if with_memory else 0.0,
        )
        for told in ray.nodes()
        if told["Alive"] and told["NodeID"] not in leaving
    )


def _gpu_memory(told: Mapping[str, Any], given: float | None) -> float:
    if not told["Resources"].get("GPU"):
        return 0.0
    return gpu_bytes(told["NodeID"]) if given is None else given
