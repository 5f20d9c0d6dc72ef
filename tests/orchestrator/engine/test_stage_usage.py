import json
import subprocess
import sys
import time

import pytest
from tiny_stages import digest_stage, tiny_task

from orchestrator.engine.stage_usage import StageUsage
from orchestrator.engine.worker import run_task
from orchestrator.store.store import Store
from orchestrator.tracking.tracked_points import stage_metric, thinned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")

BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


# In a process of its own, as a stage is: this one may have children of other tests to wait for.
CHARGED = """
import json, subprocess, sys, time
from orchestrator.engine.stage_usage import StageUsage

usage = StageUsage(every=0.0)

def used(seconds):
    time.sleep(seconds)
    return usage.beside({"step": 1, "steps": 4})

asleep = used(0.4)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
used(0.2)
busy = used(1.0)
child.kill()
child.wait()
print(json.dumps([asleep, busy]))
"""


def test_a_stage_is_charged_with_its_children_and_not_with_the_host():
    told = subprocess.run(
        [sys.executable, "-c", CHARGED, BUSY], capture_output=True, text=True, check=True
    )
    asleep, busy = json.loads(told.stdout)
    assert asleep["system/cpu_cores"] < 0.1
    # Other processes may leave it less than a core, and no amount of them makes it more.
    assert 0.1 < busy["system/cpu_cores"] < 1.2
    assert busy["system/rss_mib"] > asleep["system/rss_mib"] + 2
    assert not any("gpu" in name for name in busy)


def test_it_is_told_at_a_low_rate_and_only_where_it_is_shown():
    usage = StageUsage(every=0.2)
    told = []
    for step in range(1, 4001):
        told.append(usage.beside({"step": step, "steps": 4000}))
        time.sleep(0.0001)
    with_usage = [event for event in told if "system/cpu_cores" in event]
    assert 0 < len(with_usage) <= 20
    shown = [point for point in thinned(told) if point.name == "system/cpu_cores"]
    assert len(shown) == len(with_usage)


def test_a_stages_events_carry_what_it_uses(tmp_path):
    def steps(identity, context):
        for step in range(1, 4):
            context.report({"step": step, "steps": 3, "loss": 0.5})
            time.sleep(1.1)
        digest_stage(identity, context)

    store = Store(tmp_path)
    store.prepare()
    task = tiny_task(tmp_path, "a", where=tmp_path)
    outcome = run_task(task, run_stage=steps)
    assert outcome.status == "done", outcome.message
    found = [event for event in store.metrics(task.key) if "system/rss_mib" in event]
    assert found
    assert found[0]["loss"] == 0.5


def test_the_view_keeps_them_where_its_page_looks_for_them():
    assert stage_metric("align", "system/rss_mib") == "system/align/rss_mib"
    assert stage_metric("align", "loss") == "align/loss"
