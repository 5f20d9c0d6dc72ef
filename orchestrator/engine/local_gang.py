"""The ranks of a stage as processes on this machine, without Ray.

Plain subprocesses that talk over a socket pair, which nobody else can connect to. A second pipe is
their lifeline: when the process that started them is gone, however it went, they end themselves; on
Linux the kernel ends them, whatever they are at.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from apollo_core.stages.context import Event
from orchestrator.engine.gang import Ended, Gone, Job, Message, Told, run_job
from orchestrator.store.cause_of_death import KilledForMemory

_SERVE = "from orchestrator.engine.local_gang import serve; serve({talk}, {lifeline})"
_LEAVE_S = 5.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class LocalGangs:
    """Keeps the last gang for the next stage of its size: its processes have imported torch.

    Use as a context manager: the processes end with it.
    """

    def __init__(self) -> None:
        self._gang: LocalGang | None = None

    def __enter__(self) -> LocalGangs:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gang:
            self._gang.close()

    def of(self, size: int, *, own_gpu: bool) -> LocalGang:
        """One of this size whose processes are alive."""
        gang = self._gang
        if gang and gang.size == size and gang.own_gpu == own_gpu and gang.is_alive:
            return gang
        if gang:
            gang.close()
        self._gang = LocalGang(size, own_gpu=own_gpu)
        return self._gang


class LocalGang:
    """Processes of this machine.

    Args:
        size: how many.
        own_gpu: give each a GPU of its own, in the order in which they are visible here.
    """

    def __init__(self, size: int, *, own_gpu: bool = False) -> None:
        self.size = size
        self.own_gpu = own_gpu
        end, self._lifeline = os.pipe()
        try:
            started = [_start(rank, end, own_gpu=own_gpu) for rank in range(size)]
        finally:
            os.close(end)
        self._processes = [process for process, _ in started]
        self._talks = [talk for _, talk in started]
        self._busy: set[int] = set()
        self._killed = KilledForMemory()
        self._waits: int | None = None  # the rank whose report was given last

    @property
    def is_alive(self) -> bool:
        """Whether every process is there."""
        return all(process.poll() is None for process in self._processes)

    def start(self, jobs: Sequence[Job]) -> None:
        """Give each rank its part."""
        for talk, job in zip(self._talks, jobs, strict=True):
            talk.send(job)
        self._busy = set(range(self.size))
        self._killed = KilledForMemory()

    def next(self, timeout: float | None) -> tuple[int, Message] | None:
        """See `Gang.next`."""
        if self._waits is not None:
            waits, self._waits = self._waits, None
            self._go_on(waits)
        ranks = {self._talks[rank]: rank for rank in self._busy}
        ready = wait(list(ranks), timeout)
        if not ready:
            return None
        rank = min(ranks[talk] for talk in ready if isinstance(talk, Connection))
        message = self._receive(rank)
        if isinstance(message, Told):
            self._waits = rank
        else:
            self._busy.discard(rank)
        return rank, message

    def stop(self) -> None:
        """Kill every process, and wait until it is gone."""
        for process in self._processes:
            process.kill()
        self.close()

    def close(self) -> None:
        """Let go of the processes, which end."""
        for talk in self._talks:
            talk.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        for process in self._processes:
            try:
                process.wait(_LEAVE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _go_on(self, rank: int) -> None:
        with contextlib.suppress(OSError):  # it is gone, which its next message says
            self._talks[rank].send(None)

    def _receive(self, rank: int) -> Message:
        try:
            return self._talks[rank].recv()
        except (EOFError, OSError):
            gone = Gone(self._end_of(rank))
            return gone.or_memory(self._killed) if gone.how == "SIGKILL" else gone

    def _end_of(self, rank: int) -> str:
        try:
            status = self._processes[rank].wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            return "it no longer answers"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def serve(talk: int, lifeline: int) -> None:
    """Be a rank: do one job after another until there is none. Runs in the rank's process.

    Args:
        talk: descriptor of the socket on which jobs come and messages go.
        lifeline: descriptor that is closed on the other side when the rank is to end.
    """
    _end_with_parent()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    connection = Connection(talk)

    def report(event: Event) -> None:
        connection.send(Told(event))
        connection.recv()

    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        message = run_job(job, report)
        connection.send(message)
        if not isinstance(message, Ended):
            # What a failed stage leaves in torch is not for the next; who started us says when.
            threading.Event().wait()


def _end_with_parent() -> None:
    """Let the kernel end this process when the thread that started it is gone.

    It needs no interpreter lock, which a rank that hangs in native code may never give back.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def _start(
    rank: int, lifeline: int, *, own_gpu: bool
) -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE.format(talk=theirs.fileno(), lifeline=lifeline)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # ours belongs to the command's result
            env=_environment(rank, own_gpu=own_gpu),
            pass_fds=[theirs.fileno(), lifeline],
            # Ctrl-C is for the process that started them, which ends them in its own way.
            start_new_session=True,
        )
    return process, Connection(ours.detach())


def _environment(rank: int, *, own_gpu: bool) -> dict[str, str]:
    """Ours; modules are found where we find them, and ranks talk over the loopback only."""
    found = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found["GLOO_SOCKET_IFNAME"] = "lo"
    if own_gpu:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        found["CUDA_VISIBLE_DEVICES"] = visible.split(",")[rank] if visible else str(rank)
    return found
