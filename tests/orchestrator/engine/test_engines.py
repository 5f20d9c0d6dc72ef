"""One contract, two engines."""

import json
import threading

import pytest
from ray.exceptions import ActorUnavailableError, RayActorError
from ray_machines import Machines
from tiny_stages import digest_stage, key_of, runs, tiny_task

from apollo_core.errors import BadInput
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.ray.loss import loss_of
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


@pytest.fixture(scope="module", params=["local", "ray"])
def engine(request):
    if request.param == "local":
        return LocalEngine()
    return RayEngine(address=request.getfixturevalue("cluster"), ship=False)


class Ran:
    """One run of an engine: its store, and what was told of its stages."""

    def __init__(self, engine, folder, names):
        self.folder = folder
        self.store = Store(folder / "store")
        self.store.prepare()
        self.tasks = [
            tiny_task(self.store.root, name, parents=parents, where=folder)
            for name, parents in names.items()
        ]
        self.outcomes = self.again(engine)

    def again(self, engine):
        """Outcomes by label, in order of their ends."""
        frontier = Frontier(self.tasks)
        outcomes = []
        lock = threading.Lock()  # what a display holds can't be pickled

        def on_outcome(outcome):
            with lock:
                outcomes.append(outcome)

        engine.run(frontier, run_stage=digest_stage, on_outcome=on_outcome)
        assert frontier.is_finished
        return {frontier.task(outcome.key).label: outcome for outcome in outcomes}


GRAPH = {
    **{"d": ("b", "c"), "c": ("a",), "b": ("a",), "a": (), "e": ()},
    **{"diverges": (), "after": ("diverges",), "later": ("after",)},
}


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory):
    return Ran(engine, tmp_path_factory.mktemp("ran"), GRAPH)


@pytest.fixture(scope="module")
def killed(cluster, tmp_path_factory):
    """Only an engine with workers of its own survives this."""
    graph = {"killed once": (), "after": ("killed once",), "killed always": ()}
    engine = RayEngine(address=cluster, ship=False)
    return Ran(engine, tmp_path_factory.mktemp("killed"), graph)


def test_every_stage_runs_once_after_its_parents(ran):
    done = [name for name, outcome in ran.outcomes.items() if outcome.status == "done"]
    assert sorted(done) == ["a", "b", "c", "d", "e"]
    assert sorted(runs(ran.folder)) == sorted([*done, "diverges"])
    assert done.index("a") < done.index("b") < done.index("d")
    assert all(ran.store.verify(key_of(name)) == [] for name in done)


def test_a_failing_stage_blocks_its_descendants_only(ran):
    assert ran.outcomes["diverges"].failure_class == "diverged"
    assert not {"after", "later"} & ran.outcomes.keys()
    assert ran.outcomes["e"].status == "done"


def test_engines_leave_the_same_bytes(ran, tmp_path):
    alone = Ran(LocalEngine(), tmp_path, GRAPH)
    results = [
        (each.store.result(key_of("d")) / "digest.txt").read_bytes() for each in (ran, alone)
    ]
    assert results[0] == results[1]


def test_a_stage_that_is_done_already_is_not_run(ran, engine):
    before = runs(ran.folder)
    outcomes = ran.again(engine)
    assert not outcomes["a"].ran
    assert [name for name in runs(ran.folder)[len(before) :] if name != "diverges"] == []


def test_a_killed_worker_is_replaced_and_the_stage_tried_again(killed):
    assert killed.outcomes["after"].status == "done"
    assert len(runs(killed.folder, "killed once")) == 2
    (failure,) = killed.store.failures(key_of("killed once"))
    assert failure.failure_class == "infra"


def test_a_worker_that_is_always_killed_ends_as_an_infra_failure(killed):
    assert killed.outcomes["killed always"].failure_class == "infra"
    assert len(runs(killed.folder, "killed always")) == 4
    assert len(killed.store.failures(key_of("killed always"))) == 4


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
    assert held._bound
    assert held._bound.kwargs.get("_soft_target_node_id") == on


def test_a_stage_larger_than_this_machine_is_refused_before_anything_runs(tmp_path):
    frontier = Frontier([tiny_task(tmp_path / "store", "a", gpus=64)])
    with pytest.raises(BadInput, match="--address"):
        RayEngine().run(frontier, run_stage=digest_stage, on_outcome=print)
    assert not (tmp_path / "store" / "attempts" / key_of("a")).exists()


def test_a_stage_function_that_workers_cannot_import_is_refused_before_anything_runs(tmp_path):
    def of_this_test(identity, context):
        raise AssertionError

    for stage in (of_this_test, lambda identity, context: None):
        with pytest.raises(BadInput, match=r"stage function .*top level of a module"):
            RayEngine().run(
                Frontier([tiny_task(tmp_path / "store", "a")]), run_stage=stage, on_outcome=print
            )
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("error", "expected", "counts"),
    [
        (RayActorError("", "The process receives a SIGTERM."), "preempted", False),
        (RayActorError("", "killed: the node was running low on memory"), "oom", True),
        (RayActorError("", "The actor is dead because its node has died."), "infra", True),
        (RayActorError("", "gone", preempted=True), "preempted", False),
        (ActorUnavailableError("gone", None), "", True),
        (None, "", True),
    ],
)
def test_what_ray_says_of_a_dead_worker_becomes_a_class(error, expected, counts):
    loss = loss_of(error)
    assert (loss.failure_class, loss.counts, loss.is_final) == (expected, counts, False)
