"""Stages whose ranks fail, die or wait as their names say; no torch, so they take milliseconds."""

import os
import re
import signal
import time
from pathlib import Path

from tiny_stages import CORPUS, name_of

from apollo_core.errors import Diverged


def ranked_stage(identity, context):
    """The last rank does what the stage's name says, and meanwhile the others wait for it.

    The first keeps a checkpoint, reports four steps and leaves how many ranks there were.
    """
    name, seat = name_of(identity), context.seat
    note_who_is_left(context, name)
    if seat.rank == 0 and context.checkpoints:
        context.checkpoints.mkdir(exist_ok=True)
        (context.checkpoints / "state").touch()
    attempt = note_rank(context, name)
    if seat.rank == seat.size - 1:
        fail(name, attempt)
    elif any(word in name for word in ("memory", "killed", "diverges", "hangs")):
        time.sleep(600 if "once" not in name or attempt == 1 else 0)
    for step in range(1, 5):
        context.report({"step": step, "steps": 4, "rank": seat.rank})
    if seat.rank == 0:
        (context.out / "ranks.txt").write_text(str(seat.size))


def fail(name, attempt):
    if "memory" in name:
        raise MemoryError("no room for 3 TiB")
    if "diverges" in name:
        raise Diverged("loss is NaN at step 4")
    if "hangs" in name:
        hang_in_native_code()
    if "killed always" in name or ("killed once" in name and attempt == 1):
        os.kill(os.getpid(), signal.SIGKILL)


def hang_in_native_code():
    """Hold the interpreter's lock for ever."""
    re.match("(a+)+$", "a" * 64 + "b")


def note_who_is_left(context, name):
    """Leave a trace if a rank of an earlier attempt is still there: it may hold what this needs."""
    folder = Path(context.locations[CORPUS])
    earlier = {int(path.suffix[1:]) for path in folder.glob(f"{name}.{context.seat.rank}.*")}
    if any(Path(f"/proc/{pid}").exists() for pid in earlier - {os.getpid()}):
        (folder / f"left {name}").touch()


def note_rank(context, name):
    """Leave a trace of this process, and wait for the others'; how often the stage has been run."""
    folder, seat = Path(context.locations[CORPUS]), context.seat
    before = len(list(folder.glob(f"{name}.{seat.rank}.*")))
    (folder / f"{name}.{seat.rank}.{before}.{os.getpid()}").touch()
    while not all(list(folder.glob(f"{name}.{rank}.{before}.*")) for rank in range(seat.size)):
        time.sleep(0.01)
    return before + 1


def pids(folder, name=""):
    """Processes that ran ranks so far."""
    return {int(path.suffix[1:]) for path in Path(folder).glob(f"{name}*.*.*")}
