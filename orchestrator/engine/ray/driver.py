"""The process that talks to Ray: a child of the command, so that no end of Ray is the command's.

Ray ends a driver's process by itself, without an exception: when it has lost the cluster's head,
and when any thread still touches an object after its shutdown. Here that costs a child, which the
engine starts again or reports. The child reads its job from stdin and tells what happens on
stdout. When stdin ends, the command is gone or wants to stop: workers are asked to stop, which
gives their leases back, and the child ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from apollo_core.errors import ApolloError, BadInput
from orchestrator.engine.decoders_needed import decoders_of
from orchestrator.engine.engine import refuse_what_never_fits
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.places_needed import places_of_tasks
from orchestrator.engine.ray.cluster import cluster, cluster_capacity, shut_down
from orchestrator.engine.ray.hand_out import HandOut, Stuck, Tell
from orchestrator.engine.ray.job import STOP_WITHIN, Job
from orchestrator.engine.ray.nodes import require_nodes
from orchestrator.engine.ray.searcher import loss_listener, searcher
from orchestrator.engine.ray.stopping import leave_words, stop_workers
from orchestrator.engine.ray.trial import placement, trainable
from orchestrator.engine.ray.vital_signs import watched
from orchestrator.store.lease import read_lease
from orchestrator.store.scratch import keep_in_use
from orchestrator.store.store import Store

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

_MANY = 10_000
# On a cluster of our own every machine is there: a process starts in seconds, however loaded.
_BEGIN_WITHIN = 300.0
# After its last trial Tune writes down a few words.
_TUNE_ENDS_WITHIN = 2.0


def main() -> None:
    """Do the job on stdin."""
    channel = _own_stdout()
    one_at_a_time = threading.Lock()

    def tell(message: tuple[Any, ...]) -> None:
        with one_at_a_time:
            pickle.dump(message, channel)
            channel.flush()

    job: Job = pickle.load(sys.stdin.buffer)
    stopping, stopped = threading.Event(), threading.Event()
    stop = partial(_stop_with_parent, job, stopping, stopped)
    threading.Thread(target=stop, daemon=True).start()
    code = 0
    try:
        # Its parent may be killed, and the next run is not to clear away what is still written to.
        with keep_in_use(job.temporary):
            _do(job, tell, stopping, stopped)
    except Exception:
        traceback.print_exc()
        code = 1
    # What Ray leaves to the end of the interpreter may not come to one.
    os._exit(code)


def _do(job: Job, tell: Tell, stopping: threading.Event, stopped: threading.Event) -> None:
    connected = False
    try:
        with cluster(job.address, job.cpus, job.temporary):
            connected = True
            tell(("connected",))
            try:
                with _watched(job, tell, stopping):
                    drive(job, tell, stopping)
                tell(("finished",))
            except Stuck as error:
                # Told at once: the end of such a Ray may be long in coming.
                tell(("no ray", str(error)))
            finally:
                # Ray ends what is left of a job's workers, in the midst of giving leases back.
                if stopping.is_set():
                    stopped.wait(STOP_WITHIN)
    except BadInput as error:
        tell(("refused", str(error)))
    except ApolloError as error:
        # A Ray that does not start at once may at the next try.
        tell(("failed" if connected else "no ray", str(error)))


def _watched(
    job: Job, tell: Tell, stopping: threading.Event
) -> contextlib.AbstractContextManager[None]:
    """Of a cluster that others started, others know the processes."""
    if job.address is not None:
        return contextlib.nullcontext()
    return watched(
        lambda lost: tell(("no ray", lost)),
        at_work=lambda: _at_work(job.frontier.running, job.frontier),
        stopping=stopping,
    )


def _at_work(keys: Iterable[str], frontier: Frontier) -> bool:
    """Whether any lease of these stages is held."""
    tasks = [frontier.task(key) for key in tuple(keys)]
    leases = [read_lease(Store(Path(task.store)).attempts_folder(task.key)) for task in tasks]
    return any(lease is not None and lease.held for lease in leases)


def drive(job: Job, tell: Tell, stopping: threading.Event | None = None) -> None:
    """Run everything that can be run on the connected cluster.

    Args:
        job: what there is to do.
        tell: takes what happens.
        stopping: once it is set, nothing more is begun.
    """
    if stopping is not None and stopping.is_set():
        return
    from ray import tune

    store = Store(Path(job.frontier.unfinished()[0].store))
    store.prepare()
    if job.address is None:
        refuse_what_never_fits(job.frontier.unfinished(), cluster_capacity())
    else:
        tasks = job.frontier.unfinished()
        require_nodes(store.root, decoders_of(tasks), places_of_tasks(tasks, store.root))
    with_memory = any(task.memory for task in job.frontier.unfinished())
    stages = HandOut(
        job.frontier,
        tell,
        lambda: cluster_capacity(job.gpu_bytes, with_memory=with_memory),
        patience=job.patience,
        begin_within=_BEGIN_WITHIN if job.address is None else None,
        stopping=stopping,
    )
    for name in ("ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tune.Tuner(
        tune.with_resources(trainable(job.run_stage), placement),
        tune_config=tune.TuneConfig(
            search_alg=searcher(stages),
            num_samples=-1,
            # Without it Tune prepares one trial at a time; the frontier decides what fits.
            max_concurrent_trials=_MANY,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="stages",
            storage_path=str(job.temporary / "tune"),
            verbose=0,
            callbacks=[loss_listener(stages)],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()


def _trial_name(trial: Trial) -> str:
    return trial.trial_id  # the default spells out the whole config, beyond what a path can hold


def _own_stdout() -> BinaryIO:
    """The pipe to the parent; what Ray and Tune print goes nowhere."""
    channel = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return channel


def _stop_with_parent(job: Job, stopping: threading.Event, stopped: threading.Event) -> None:
    sys.stdin.buffer.read()
    handed_out = tuple(job.frontier.running)
    stopping.set()
    # Whatever hangs: a cluster without its head answers nothing.
    threading.Timer(STOP_WITHIN, os._exit, (1,)).start()
    with contextlib.suppress(Exception):
        # Once they are gone, Tune has nothing left to do and this process ends by itself.
        at_work = partial(_at_work, handed_out, job.frontier)
        stop_workers(within=STOP_WITHIN * 2 / 3, at_work=at_work)
        leave_words(job.frontier)
        stopped.set()
        time.sleep(_TUNE_ENDS_WITHIN)
        shut_down()
        os._exit(1)


if __name__ == "__main__":
    main()
