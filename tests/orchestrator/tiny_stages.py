"""Real stage functions that take milliseconds, and the graphs that the engine tests run them on."""

import hashlib
import os
import signal
import time
from pathlib import Path

from apollo_core.errors import Diverged
from apollo_core.execution import Execution
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import Part, PretrainIdentity, StageIdentity
from orchestrator.engine.task import StageTask

CORPUS = "corpus of the test"


def tiny_task(
    store, name, *, parents=(), seconds=1.0, cpus=1.0, gpus=0.0, memory=0.0, where="", previous=None
):
    """A stage called `name`; its key is derived from the name."""
    roles = {f"role {position}": key_of(parent) for position, parent in enumerate(parents)}
    if previous:
        roles["previous"] = key_of(previous)
    return StageTask(
        key=key_of(name),
        label=name,
        identity=PretrainIdentity(
            part=Part(family="causal-lm", fingerprint=name),
            corpus=CORPUS,
            seed=0,
            samples=4,
            batch_size=2,
            lr=0.1,
        ),
        parents=roles,
        locations={CORPUS: str(where)},
        execution=Execution(),
        media_root="",
        store=str(store),
        cpus=cpus,
        gpus=gpus,
        memory=memory,
        seconds=seconds,
    )


def key_of(name):
    return hashlib.sha256(name.encode()).hexdigest()


def name_of(identity: StageIdentity) -> str:
    assert isinstance(identity, PretrainIdentity)
    return identity.part.fingerprint


def digest_stage(identity: StageIdentity, context: StageContext) -> None:
    """Write a digest of the stage's name and its parents' results; diverge if told so.

    Names say what is special: `diverges`, `killed once`, `killed always`, `slow`.
    """
    name = name_of(identity)
    note_run(context, name)
    digest = hashlib.sha256(name.encode())
    for role in sorted(context.parents):
        digest.update((context.parents[role] / "digest.txt").read_bytes())
    for step in range(1, 5):
        context.report({"step": step, "steps": 4, "loss": 1 / step})
        if "slow" in name:
            time.sleep(0.1)
    if "diverges" in name:
        raise Diverged("loss is NaN at step 4")
    times = len(runs(Path(context.locations[CORPUS]), name))
    if "killed always" in name or ("killed once" in name and times == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    (context.out / "digest.txt").write_text(digest.hexdigest())


def note_run(context, name):
    """Leave a trace of this execution beside the store."""
    if context.locations[CORPUS]:
        with (Path(context.locations[CORPUS]) / "runs.txt").open("a") as file:
            file.write(f"{name}\n")


def runs(folder, name=None):
    """Names of the stages executed so far (only `name`'s, if given)."""
    path = Path(folder) / "runs.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if name in (None, line)]
