import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_stages import digest_stage, key_of, runs, tiny_task

from apollo_core.errors import LeaseLost
from orchestrator.engine.worker import run_task
from orchestrator.files import write_atomically
from orchestrator.store import lease
from orchestrator.store.lease import Watch, looks_alive, read_lease, try_acquire
from orchestrator.store.store import Store


def acquire(folder):
    held = try_acquire(folder, Watch())
    assert held is not None
    return held


def lease_in(folder):
    found = read_lease(folder)
    assert found is not None
    return found


HOLD = """
import sys, time
from pathlib import Path
from orchestrator.store.lease import Watch, try_acquire
held = try_acquire(Path(sys.argv[1]), Watch())
print(held.epoch, flush=True)
time.sleep(60)
"""


def holder(folder):
    """Another process that holds the lease on `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "1"
    return process


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def test_a_lease_has_one_holder_and_its_epoch_grows(tmp_path):
    first = acquire(tmp_path)
    assert first.epoch == 1
    assert try_acquire(tmp_path, Watch()) is None
    assert looks_alive(read_lease(tmp_path))
    first.release()
    assert not looks_alive(read_lease(tmp_path))
    second = acquire(tmp_path)
    assert second.epoch == 2
    assert second.taken_from is None
    second.release()


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path):
    process = holder(tmp_path)
    assert try_acquire(tmp_path, Watch()) is None
    end(process)
    held = acquire(tmp_path)
    assert held.epoch == 2
    assert held.taken_from is not None
    assert held.taken_from.pid == process.pid
    held.release()


def test_the_lease_of_a_process_that_nobody_buried_is_free_at_once(tmp_path):
    process = holder(tmp_path)
    process.send_signal(signal.SIGKILL)
    state = Path(f"/proc/{process.pid}/stat")
    while ") Z " not in state.read_text():
        time.sleep(0.01)
    held = acquire(tmp_path)
    assert held.epoch == 2
    held.release()
    end(process)


def test_a_heartbeat_that_stands_still_is_stale_on_the_watchers_clock(tmp_path):
    held = acquire(tmp_path)
    elsewhere = lease_in(tmp_path).__dict__ | {"machine": "elsewhere", "pid": 1, "time": 9e9}
    held._stop.set()
    frozen = lease.LeaseRecord(**elsewhere)
    watch = Watch(stale_after=0.2)
    assert not watch.is_free(frozen)
    time.sleep(0.25)
    assert watch.is_free(frozen)


def test_an_owner_whose_lease_was_taken_can_neither_report_nor_publish(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()
    folder = store.attempts_folder(key_of("a"))

    def robbed(identity, context):
        record = lease_in(folder)
        taken = {**record.__dict__, "owner": "another", "epoch": record.epoch + 1, "held": False}
        write_atomically(folder / "lease.json", lease.json.dumps(taken))
        digest_stage(identity, context)

    calls = []

    def first_robbed(identity, context):
        calls.append(1)
        (robbed if len(calls) == 1 else digest_stage)(identity, context)

    outcome = run_task(tiny_task(store.root, "a"), run_stage=first_robbed)
    # The first attempt published nothing; the stage was done under a newer epoch.
    assert outcome.status == "done"
    assert len(calls) == 2
    assert (store.provenance(key_of("a")) or {}).get("attempt") == 3
    assert store.failures(key_of("a")) == []


def test_a_lost_lease_stops_the_work_at_the_next_report(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "HEARTBEAT_EVERY", 0.05)
    held = acquire(tmp_path)
    held.check()
    record = {**lease_in(tmp_path).__dict__, "owner": "another", "epoch": 2}
    write_atomically(tmp_path / "lease.json", lease.json.dumps(record))
    time.sleep(0.3)
    with pytest.raises(LeaseLost, match="another driver"):
        held.check()
    held.release()
    assert lease_in(tmp_path).owner == "another"
    assert lease_in(tmp_path).held


RUN = """
import sys
sys.path.insert(0, sys.argv[3])
from tiny_stages import digest_stage, tiny_task
from orchestrator.engine.worker import run_task
outcome = run_task(tiny_task(sys.argv[1], "slow", where=sys.argv[2]), run_stage=digest_stage)
print(outcome.status, outcome.ran)
"""


def test_two_processes_that_want_one_stage_run_it_once(tmp_path):
    Store(tmp_path / "store").prepare()
    command = [sys.executable, "-c", RUN, str(tmp_path / "store"), str(tmp_path)]
    command.append(str(Path(__file__).parents[1]))
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["done False", "done True"]
    assert runs(tmp_path) == ["slow"]
