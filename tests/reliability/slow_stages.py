"""Stages of a second that keep checkpoints and write down each step: for faults in the midst.

A stage's result depends on every step of it and on its parents, so one that went on from the wrong
place would show.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from tiny_study import Study

from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import StageIdentity

STEPS = 12
STEP_SECONDS = 0.1


def slow_stage(identity: StageIdentity, context: StageContext) -> None:
    """Hash along, step by step, from the checkpoint if there is one."""
    assert context.checkpoints
    state = context.checkpoints / "state.json"
    step, digest = 0, hashlib.sha256(identity.model_dump_json().encode()).hexdigest()
    for role in sorted(context.parents):
        digest = _next(digest, (context.parents[role] / "digest.txt").read_text())
    if state.exists():
        step, digest = json.loads(state.read_text())
    while step < STEPS:
        step, digest = step + 1, _next(digest, str(step))
        time.sleep(STEP_SECONDS)
        # Noted first: what was kept was noted then, wherever it is killed.
        _note(identity, context, step)
        _save(state, step, digest)
        context.report({"step": step, "steps": STEPS, "loss": 1 / step})
    (context.out / "digest.txt").write_text(digest)
    if identity.kind == "evaluate":
        _answer(identity.regimes, context, digest)


def slow_gang_stage(identity: StageIdentity, context: StageContext) -> None:
    """The same by several processes, of which the first does all there is to do."""
    if context.seat.rank == 0:
        slow_stage(identity, context)


def hungry_gang_stage(identity: StageIdentity, context: StageContext) -> None:
    """At the first micro-batch the second of two processes takes memory until the kernel ends it.

    It joins the group of processes whose file is named by `TEST_GROUP`.
    """
    if context.execution.micro_batch == "auto":
        if context.seat.rank == 1:
            Path(os.environ["TEST_GROUP"]).write_text("0")
            eat()
        time.sleep(60)
    (context.out / "x").write_text("")


def eat() -> None:
    """Take memory without an end."""
    kept: list[bytearray] = []
    while True:
        kept.append(bytearray(8 << 20))


def steps(study: Study) -> list[dict]:
    """What was done so far, in order: key, label, step, pid, node."""
    path = study.store.root.parent / "steps.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def of_stage(study: Study, key: str) -> list[int]:
    """The steps of one stage, those that were done again included."""
    return [each["step"] for each in steps(study) if each["key"] == key]


def went_on(done: list[int]) -> bool:
    """Whether no step was done twice, but for one whose checkpoint was not written yet."""
    return sorted(set(done)) == list(range(1, STEPS + 1)) and len(done) <= STEPS + 1


def _note(identity: StageIdentity, context: StageContext, step: int) -> None:
    key = context.out.parent.parent.name
    told = {"key": key, "label": label_of(identity), "step": step, "pid": os.getpid()}
    told["node"] = os.environ.get("TEST_NODE", "")
    path = context.out.parents[4] / "steps.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(told) + "\n")


def _save(state: Path, step: int, digest: str) -> None:
    state.parent.mkdir(exist_ok=True)
    beside = state.with_suffix(".new")
    beside.write_text(json.dumps([step, digest]))
    beside.rename(state)


def _answer(regimes: tuple[str, ...], context: StageContext, digest: str) -> None:
    rows = [
        {
            "regime": regime,
            "video": "v.mp4",
            "item": f"q{index}",
            "category": "spatial",
            "choice": "A" if int(digest[index], 16) % 2 else "B",
            "answer": "A",
            "correct": int(digest[index], 16) % 2 == 1,
            "n_options": 4,
        }
        for regime in regimes
        for index in range(16)
    ]
    (context.out / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _next(digest: str, word: str) -> str:
    return hashlib.sha256(f"{digest} {word}".encode()).hexdigest()


def label_of(identity: StageIdentity) -> str:
    """`align` is what trains the connector alone."""
    if identity.kind != "train":
        return identity.kind
    return "sft" if identity.lr.llm else "align"
