"""One contract, two engines."""

import json
import threading

import pytest
from ray_machines import Machines
from tiny_stages import digest_stage, key_of, runs, tiny_task

from apollo_core.errors import BadInput
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.engine.ray.trial import placement
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store


@pytest.fixture(scope="module")
def cluster():
    """One Ray for the module: starting it takes seconds."""
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        yield machines.address


@pytest.fixture(params=["local", "ray"])
def engine(request):
    if request.param == "local":
        return LocalEngine()
    return RayEngine(address=request.getfixturevalue("cluster"), ship=False)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()
    return store


def run(engine, tasks, failed=None):
    """Outcomes by label, in order of their ends."""
    frontier = Frontier(tasks, failed)
    outcomes = []
    lock = threading.Lock()  # what a display holds can't be pickled

    def on_outcome(outcome):
        with lock:
            outcomes.append(outcome)

    engine.run(frontier, run_stage=digest_stage, on_outcome=on_outcome)
    assert frontier.is_finished
    return {frontier.task(outcome.key).label: outcome for outcome in outcomes}


def test_every_stage_runs_once_after_its_parents(engine, store, tmp_path):
    def task(name, *parents):
        return tiny_task(store.root, name, parents=parents, where=tmp_path)

    tasks = [task("d", "b", "c"), task("c", "a"), task("b", "a"), task("a"), task("e")]
    outcomes = run(engine, tasks)
    assert {outcome.status for outcome in outcomes.values()} == {"done"}
    assert sorted(runs(tmp_path)) == ["a", "b", "c", "d", "e"]
    order = list(outcomes)
    assert order.index("a") < order.index("b") < order.index("d")
    assert all(store.verify(found.key) == [] for found in tasks)


def test_a_failing_stage_blocks_its_descendants_only(engine, store, tmp_path):
    def task(name, *parents):
        return tiny_task(store.root, name, parents=parents, where=tmp_path)

    tasks = [task("diverges"), task("after", "diverges"), task("later", "after"), task("other")]
    outcomes = run(engine, tasks)
    assert outcomes["diverges"].failure_class == "diverged"
    assert outcomes["other"].status == "done"
    assert sorted(runs(tmp_path)) == ["diverges", "other"]


def test_a_stage_that_is_done_already_is_not_run(engine, store, tmp_path):
    tasks = [tiny_task(store.root, "a", where=tmp_path)]
    run(engine, tasks)
    again = run(engine, tasks)
    assert not again["a"].ran
    assert runs(tmp_path) == ["a"]


def test_both_engines_leave_the_same_bytes(store, tmp_path, cluster):
    results = []
    for name, engine in (("one", LocalEngine()), ("two", RayEngine(address=cluster, ship=False))):
        root = tmp_path / name
        Store(root).prepare()
        run(engine, [tiny_task(root, "a"), tiny_task(root, "b", parents=("a",))])
        results.append((Store(root).result(key_of("b")) / "digest.txt").read_bytes())
    assert results[0] == results[1]


def test_a_killed_worker_is_replaced_and_the_stage_tried_again(store, tmp_path, cluster):
    tasks = [
        tiny_task(store.root, "killed once", where=tmp_path),
        tiny_task(store.root, "after", parents=("killed once",), where=tmp_path),
    ]
    outcomes = run(RayEngine(address=cluster, ship=False), tasks)
    assert outcomes["after"].status == "done"
    assert runs(tmp_path) == ["killed once", "killed once", "after"]
    (failure,) = store.failures(key_of("killed once"))
    assert failure.failure_class == "infra"


def test_a_worker_that_is_always_killed_ends_as_an_infra_failure(store, tmp_path, cluster):
    outcomes = run(
        RayEngine(address=cluster, ship=False),
        [tiny_task(store.root, "killed always", where=tmp_path)],
    )
    assert outcomes["killed always"].failure_class == "infra"
    assert len(runs(tmp_path)) == 4
    assert len(store.failures(key_of("killed always"))) == 4


@pytest.mark.parametrize(
    ("gpus", "bundles"),
    [
        (0, [{"CPU": 4}]),
        (0.25, [{"CPU": 4, "GPU": 0.25}]),
        (2, [{"CPU": 2, "GPU": 1}, {"CPU": 2, "GPU": 1}]),
    ],
)
def test_a_stage_of_several_gpus_holds_one_bundle_for_each(gpus, bundles):
    task = tiny_task("store", "a", cpus=4, gpus=gpus)
    held = placement({"task": task.model_dump_json(), "place": "[]"})
    assert held.bundles == bundles
    assert held.strategy == "PACK"


@pytest.mark.parametrize(
    ("over", "strategy", "on"), [((2,), "STRICT_PACK", "n0"), ((1, 1), "PACK", None)]
)
def test_a_stage_is_placed_on_the_machine_that_was_chosen_or_over_several(over, strategy, on):
    place = [
        {"node": f"n{n}", "count": count, "cpus": 2.0, "gpu": 1.0} for n, count in enumerate(over)
    ]
    task = tiny_task("store", "a", cpus=4, gpus=2)
    held = placement({"task": task.model_dump_json(), "place": json.dumps(place)})
    assert held.bundles == [{"CPU": 2, "GPU": 1}] * 2
    assert held.strategy == strategy
    assert held._bound.kwargs.get("_soft_target_node_id") == on


def test_a_stage_larger_than_this_machine_is_refused_before_anything_runs(store):
    with pytest.raises(BadInput, match="--address"):
        run(RayEngine(), [tiny_task(store.root, "a", gpus=64)])


def test_a_stage_function_that_workers_cannot_import_is_refused_before_anything_runs(store):
    def of_this_test(identity, context):
        raise AssertionError

    for stage in (of_this_test, lambda identity, context: None):
        with pytest.raises(BadInput, match=r"stage function .*top level of a module"):
            RayEngine().run(
                Frontier([tiny_task(store.root, "a")]), run_stage=stage, on_outcome=print
            )
    assert not store.attempts_folder(key_of("a")).exists()
