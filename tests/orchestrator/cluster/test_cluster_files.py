"""What docs/cluster ships parses, has the fields that matter, and keeps the doors shut."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[3] / "docs"
FILES = DOCS / "cluster"


@pytest.fixture(scope="module")
def job():
    return next(iter(yaml.safe_load_all((FILES / "rayjob.yaml").read_text())))


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_rayjob_has_the_fields_of_kuberays_api(job):
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    known = {
        "entrypoint",
        "backoffLimit",
        "shutdownAfterJobFinishes",
        "ttlSecondsAfterFinished",
        "rayClusterSpec",
    }
    assert set(job["spec"]) <= known
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["autoscalerOptions"]["version"] in ("v1", "v2")
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(type(value) is str for value in group["rayStartParams"].values())


def test_every_pod_sees_the_store_at_one_place_and_has_shared_memory(job):
    for pod in pods(job):
        (container,) = pod["containers"]
        mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert mounted["store"] == "/store"
        assert mounted["shm"] == "/dev/shm"
        assert {volume["name"] for volume in pod["volumes"]} == set(mounted)
        stores = [each["value"] for each in container["env"] if each["name"] == "APOLLO_STORE"]
        assert stores == ["/store"]


def test_the_image_and_the_cluster_name_the_ray_that_is_tested(job):
    pinned = (DOCS.parent / "constraints.txt").read_text()
    version = re.search(r"^ray==(.+)$", pinned, re.MULTILINE)
    assert version
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version[1]
    assert f"ray[default]=={version[1]}" in (FILES / "autoscaler.yaml").read_text()


def test_the_slurm_script_parses_and_starts_ray_shut():
    script = FILES / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True, timeout=20)
    text = script.read_text()
    assert "RAY_AUTH_MODE=token" in text
    assert "--dashboard-host=127.0.0.1" in text
    # On a command line every user of the machine would see it.
    assert not re.search(r"^[^#]*\$\{?RAY_AUTH_TOKEN", text, re.MULTILINE)


# What the script calls, for a job of one node: each says so in a file, and `apollo run` waits.
COMMANDS = {
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "scontrol": '[ "$1" = show ] && echo node || echo "$*" >> called',
    "ray": '[ "$1" = start ] && exec sleep 60; true',
    "hostname": "echo 127.0.0.1",
    "apollo": 'echo "apollo $1" >> called; [ "$1" = run ] || exit 0\n'
    'trap "echo stopped >> called; exit 130" TERM; sleep 60 & touch waits; wait',
}


@pytest.fixture
def slurm_job(tmp_path):
    """The script as Slurm runs it, at `apollo run`; what it called is in `called`."""
    (tmp_path / "bin").mkdir()
    for name, does in COMMANDS.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{does}\n")
        path.chmod(0o755)
    told = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "APOLLO_STORE": str(tmp_path)}
    slurm = {"JOB_ID": "7", "JOB_NODELIST": "node", "JOB_NUM_NODES": "1", "CPUS_PER_TASK": "1"}
    job = subprocess.Popen(
        ["bash", FILES / "slurm.sh", "my.yaml"],
        cwd=tmp_path,
        env=told | {f"SLURM_{name}": value for name, value in slurm.items()},
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 20
        while not (tmp_path / "waits").exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield job, tmp_path / "called"
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()


@pytest.mark.parametrize(
    ("signal_sent", "last"), [(signal.SIGUSR1, ["requeue 7"]), (signal.SIGTERM, [])]
)
def test_a_slurm_job_stops_cleanly_and_goes_back_into_the_queue_at_its_time_limit_only(
    slurm_job, signal_sent, last
):
    job, called = slurm_job
    job.send_signal(signal_sent)
    assert job.wait(20) != 0
    assert called.read_text().splitlines() == ["apollo doctor", "apollo run", "stopped", *last]
    assert "#SBATCH --signal=B:USR1@" in (FILES / "slurm.sh").read_text()


def test_the_autoscalers_file_passes_rays_own_schema():
    from ray.autoscaler._private.util import fillout_defaults, validate_config

    content = yaml.safe_load((FILES / "autoscaler.yaml").read_text())
    validate_config(fillout_defaults(content))
    commands = content["head_start_ray_commands"] + content["worker_start_ray_commands"]
    starts = [command for command in commands if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]


def test_the_commands_in_the_files_are_ours():
    from typer.main import get_command

    from orchestrator.cli import app

    known = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    for path in (*FILES.iterdir(), DOCS / "cluster.md"):
        for command, rest in re.findall(
            r"^[^#|]*?\bapollo ([a-z]+)( .*)?$", path.read_text(), re.M
        ):
            if command not in known:
                continue
            options = {name for option in known[command].params for name in option.opts}
            options |= {name for option in known[command].params for name in option.secondary_opts}
            assert {each for each in re.findall(r"--[a-z-]+", rest) if each not in options} == set()
