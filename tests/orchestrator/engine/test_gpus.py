"""GPUs that Ray is told to have, on machines that it is told are several."""

import pytest
from gpu_stages import NotingFrontier, gpu_stage, held
from ray_machines import Machines
from tiny_stages import tiny_task

from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store

pytestmark = pytest.mark.slow
# Many, so that on a slow machine the gang's two GPUs are free before the other one is through them.
SMALL = 24


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What stages of a quarter of a GPU and one of two GPUs held, on machines of two and of one."""
    folder = tmp_path_factory.mktemp("gpus")
    store = Store(folder / "store")
    store.prepare()

    def task(name, **options):
        return tiny_task(store.root, name, where=folder, **options)

    small = [
        task(f"small {n}", gpus=0.25, cpus=0.5, memory=30e9, seconds=50 if n < 4 else 0)
        for n in range(SMALL)
    ]
    tasks = [*small, task("gang", gpus=2, seconds=20)]
    outcomes = []
    with scratch_folder(longest=40) as temporary, Machines(temporary) as machines:
        machines.add(cpus=0)
        machines.add(cpus=4, gpus=2, TEST_NODE="a")
        machines.add(cpus=4, gpus=1, TEST_NODE="b")
        engine = RayEngine(address=machines.address, ship=False, gpu_bytes=80e9)
        frontier = NotingFrontier(tasks)
        engine.run(frontier, run_stage=gpu_stage, on_outcome=outcomes.append)
    assert {outcome.status for outcome in outcomes} == {"done"}
    return frontier.order, held(folder)


def beside(seen, one, gpus):
    """Stages that held one of these GPUs when this one began, itself included."""
    return [
        other["name"]
        for other in seen
        if other["node"] == one["node"]
        and set(gpus) & set(other["gpus"])
        and other["began"] <= one["began"] < other["ended"]
    ]


def test_a_gang_has_all_gpus_of_one_machine_and_is_not_starved_by_small_stages(ran):
    order, seen = ran
    (gang,) = [each for each in seen if each["name"] == "gang"]
    # Four small ones are more urgent; the gang comes before the others are through, of which nobody
    # knows how long they take.
    assert 4 <= order.index("gang") < SMALL
    assert beside(seen, gang, ["0", "1"]) == ["gang"]
    meanwhile = [
        each["name"]
        for each in seen
        if each["node"] == gang["node"] and gang["began"] <= each["began"] < gang["ended"]
    ]
    assert meanwhile == ["gang"]


def test_stages_that_share_a_gpu_fit_into_its_memory_together(ran):
    seen = ran[1]
    assert all(len(beside(seen, each, each["gpus"])) <= 2 for each in seen)  # 30 GB each, of 80
    assert len({(each["node"], *each["gpus"]) for each in seen if each["name"] != "gang"}) > 1
