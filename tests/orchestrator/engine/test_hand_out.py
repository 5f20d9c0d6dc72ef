"""What Tune is told, without Ray."""

import threading

import pytest
from tiny_stages import key_of, tiny_task

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.ray.hand_out import HandOut, Stuck
from orchestrator.engine.ray.loss import Loss
from orchestrator.engine.room import Capacity
from orchestrator.store import lease
from orchestrator.store.cause_of_death import failure_of_holder
from orchestrator.store.store import Store


def hand_out(store, *names, begin_within, cpus=2, stopping=None):
    return HandOut(
        Frontier([tiny_task(store, name) for name in names]),
        lambda _: None,
        lambda: Capacity(cpus=cpus),
        patience=60.0,
        begin_within=begin_within,
        stopping=stopping,
    )


def test_a_stage_that_no_worker_begins_with_is_not_waited_for_for_ever(tmp_path):
    stages = hand_out(tmp_path, "a", "b", begin_within=0.0)
    assert stages.next("first")
    with pytest.raises(Stuck, match="no worker began with stage"):
        stages.next("second")


def test_a_stage_that_was_begun_may_take_as_long_as_it_takes(tmp_path):
    stages = hand_out(tmp_path, "a", begin_within=0.0)
    assert stages.next("first")
    held = lease.try_acquire(Store(tmp_path).attempts_folder(key_of("a")), lease.Watch())
    assert held is not None
    assert stages.next("second") is None
    held.release()
    assert stages.next("third") is None


def test_a_ray_of_our_own_that_lost_its_machine_is_not_waited_for(tmp_path):
    with pytest.raises(Stuck, match="counts this machine as dead"):
        hand_out(tmp_path, "a", begin_within=300, cpus=0).next("first")
    assert hand_out(tmp_path, "a", begin_within=None, cpus=0).next("asks for a machine")


def test_a_worker_that_goes_while_the_run_stops_costs_no_attempt(tmp_path):
    stopping = threading.Event()
    stages = hand_out(tmp_path, "a", begin_within=None, stopping=stopping)
    assert stages.next("first")
    attempts = Store(tmp_path).attempts_folder(key_of("a"))
    held = lease.try_acquire(attempts, lease.Watch())
    assert held
    stopping.set()
    stages.lost("first", Loss("", "its worker went away"))
    left = lease.read_lease(attempts)
    assert left
    assert failure_of_holder(attempts, left).failure_class == "preempted"
    assert stages.is_finished
    held.release()


def test_a_cluster_that_starts_machines_is_given_its_time(tmp_path):
    stages = hand_out(tmp_path, "a", begin_within=None)
    assert stages.next("first")
    assert stages.next("second") is None
