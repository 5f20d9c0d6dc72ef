"""A sweep on a running Ray with a token, data behind a token: all of it works, and none is told."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apollo_command import SWEEP
from s3_server import SECRET as S3_SECRET
from s3_server import s3_server

from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.world import generate

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

BIN = Path(sys.executable).parent
TOKENS = {
    name: f"s3cret-{name}-{secrets.token_hex(12)}"
    for name in ("data", "tracking", "webhook", "hub", "password")
}
RAY_TOKEN = secrets.token_hex(32)
WORLD = SWEEP[SWEEP.index("  microworld:") : SWEEP.index("  sets:")]


class OnlyWithToken(SimpleHTTPRequestHandler):
    """The data's server: files for those who bring the token."""

    def do_GET(self):
        if f"token={TOKENS['data']}" not in self.path:
            self.send_error(403)
            return
        super().do_GET()

    def do_HEAD(self):
        if f"token={TOKENS['data']}" not in self.path:
            self.send_error(403)
            return
        super().do_HEAD()

    def log_message(self, format, *args):
        """Say nothing."""


@contextmanager
def files_server(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(OnlyWithToken, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}?token={TOKENS['data']}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def two_nodes(environment, folder):
    """A head that only directs and a worker, as `ray start` makes them; yields the address."""
    port = free_port()
    here = ("--disable-usage-stats", "--block")
    head = ("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
    started = [ray_start(*head, f"--temp-dir={folder}", *here, environment=environment)]
    address = f"127.0.0.1:{port}"
    try:
        check = [BIN / "ray", "health-check", "--address", address]
        until = time.monotonic() + 60
        while subprocess.run(check, env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < until
        started.append(
            ray_start(f"--address={address}", "--num-cpus=2", *here, environment=environment)
        )
        yield address
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def ray_start(*words, environment):
    command = [str(word) for word in (BIN / "ray", "start", *words)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Short: Ray's sockets lie below it."""
    made = Path("/tmp") / f"as-{secrets.token_hex(3)}"
    made.mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def sweep_on(folder):
    text = SWEEP.replace(WORLD, '  root: "${APOLLO_DATA}"\n')
    for long in ("samples: 256", "samples: 160", "samples: 64"):
        text = text.replace(long, "samples: 8")
    path = folder / "secret.yaml"
    path.write_text(text)
    return path


def test_a_sweep_runs_on_a_cluster_and_no_credential_is_written_anywhere(folder):
    data = folder / "data"
    generate(
        WorldSpec(
            train_videos=4,
            bench_videos=2,
            images=4,
            multi_images=0,
            texts=4,
            corpus=8,
            max_seconds=4,
        ),
        data,
    )
    sweep, store = sweep_on(folder), folder / "store"
    with files_server(data) as root, s3_server() as s3:
        s3.files().mkdir("results")
        environment = {
            **os.environ,
            "APOLLO_DATA": root,
            "APOLLO_STORE": str(store),
            "APOLLO_SCRATCH": str(folder / "scratch"),
            "APOLLO_WEBHOOK": f"http://127.0.0.1:9/hooks/{TOKENS['webhook']}",
            "HF_TOKEN": TOKENS["hub"],
            "MLFLOW_TRACKING_PASSWORD": TOKENS["password"],
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": RAY_TOKEN,
            "TMPDIR": str(folder),
            "AWS_ENDPOINT_URL": s3.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        }

        def apollo(*words):
            command = [str(word) for word in (BIN / "apollo", *words)]
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=250, check=False
            )

        with two_nodes(environment, folder / "ray") as address:
            only = ("--only", "base@xs#0")
            ran = apollo("run", sweep, *only, "--address", address)
        assert ran.returncode == 0, ran.stderr
        away = f"http://me:{TOKENS['tracking']}@127.0.0.1:9"
        bucket = f"s3://somebody:{S3_SECRET}@results/of/the/lab"
        said = [
            ran,
            apollo("sync", sweep, "--tracking-uri", away),
            apollo("report", sweep, "--out", folder / "report", "--tracking-uri", away),
            apollo("push", sweep, bucket, *only),
        ]
    assert said[1].returncode != 0  # a server that is away
    assert said[3].returncode == 0, said[3].stderr
    assert (folder / "store" / "mlflow.db").is_file()
    assert list((folder / "scratch").rglob("*.mp4"))
    for name, secret in {**TOKENS, "s3": S3_SECRET, "ray": RAY_TOKEN}.items():
        told = [run.args[1] for run in said if secret in run.stdout + run.stderr]
        assert (name, told) == (name, [])
        written = [path for path in folder.rglob("*") if holds(path, secret)]
        assert (name, written) == (name, [])


def holds(path, secret):
    return path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes()
