"""Ray's own processes die under stages of several processes: another Ray goes on, in seconds."""

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import slow_stages
from slow_stages import of_stage, slow_gang_stage, slow_stage, steps, went_on
from test_processes import drivers, soon
from tiny_study import Study

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.ray.ray_engine import RayEngine

pytestmark = pytest.mark.slow

# Killed one after another, each under another stage. The last is ours, and talks to Ray.
VICTIMS = (
    ("RuntimeEnvAgent", "DashboardAgent"),
    ("gcs/gcs_server",),
    ("orchestrator.engine.ray.driver",),
)
# On a loaded machine; Ray by itself waits for ever.
AGAIN_WITHIN = 150


class Gangs:
    """A training stage for each victim and one more, none waiting for another.

    A worker may end its stage before it notices that its Ray is gone: there is more to do then.
    """

    def __init__(self, folder, *, processes):
        folder.mkdir()
        self.study = Study(folder)
        self.study.store.prepare()
        alone = {"parents": {}, "processes": processes, "cpus": 2.0}
        training = [task for task in self.study.tasks() if task.kind == "train"]
        self.tasks = [task.model_copy(update=alone) for task in training]
        assert len(self.tasks) > len(VICTIMS)

    def run(self, engine, run_stage):
        outcomes = []
        engine.run(Frontier(self.tasks), run_stage=run_stage, on_outcome=outcomes.append)
        return [outcome.status for outcome in outcomes]

    def digests(self):
        results = [self.study.store.result(task.key) for task in self.tasks]
        return [(result / "digest.txt").read_text() for result in results]


def kill(names):
    """Kill this run's processes whose command lines hold one of these names."""
    family = [each for child in drivers() for each in (child, *child.children(recursive=True))]
    doomed = [each for each in family if any(name in command_of(each) for name in names)]
    assert len(doomed) >= len(names), f"{names} are called otherwise now"
    for each in doomed:
        each.kill()


def command_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return ""


def under_way(study, met):
    """The stage, none of those met before, that is in the midst of its steps."""
    last = {each["key"]: each["step"] for each in steps(study) if each["key"] not in met}
    return next((key for key, step in last.items() if 2 <= step <= 6), None)


def pids(study):
    return {each["pid"] for each in steps(study)}


def test_rays_own_processes_may_die_under_a_gang(tmp_path, monkeypatch):
    gangs = Gangs(tmp_path / "gangs", processes=2)
    met = []

    def disturb():
        for names in VICTIMS:
            met.append(soon(lambda: under_way(gangs.study, met), f"a stage for {names}"))
            before = pids(gangs.study)
            kill(names)
            soon(lambda b=before: pids(gangs.study) - b, f"work after {names}", AGAIN_WITHIN)

    with ThreadPoolExecutor() as beside:
        disturbing = beside.submit(disturb)
        ended = gangs.run(RayEngine(cpus=2), slow_gang_stage)
    disturbing.result()
    assert len(met) == len(VICTIMS)
    assert ended == ["done"] * len(gangs.tasks)
    assert all(went_on(of_stage(gangs.study, key)) for key in met)
    assert drivers() == []

    monkeypatch.setattr(slow_stages, "STEP_SECONDS", 0)
    alone = Gangs(tmp_path / "alone", processes=1)
    alone.run(LocalEngine(), slow_stage)
    assert gangs.digests() == alone.digests()
