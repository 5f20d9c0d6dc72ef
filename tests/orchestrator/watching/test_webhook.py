import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_sweeps import SWEEP, diverging_stage, plan_of, run_tiny, tiny_store, write_sweep

from apollo_core.errors import BadInput
from orchestrator.cli import main
from orchestrator.engine.outcome import StageOutcome
from orchestrator.store.sweep_record import record_of
from orchestrator.watching.notices import Notices
from orchestrator.watching.webhook import Webhook, end_message, failed_message

SIXTY_FOUR_GPUS = "size: 0.000037, resources: {gpus: 64}}"
FAILURE = {"stage": "sft base@xs#0", "class": "diverged", "message": "loss is NaN at step 7"}


@pytest.fixture
def server():
    """A real server on this machine: its address, and what was posted to it."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(302 if "moved" in self.path else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"127.0.0.1:{serving.server_address[1]}", posted
        serving.shutdown()
        thread.join()


def test_a_failure_is_told_at_once_and_the_end_at_the_end(server):
    address, posted = server
    webhook = Webhook(f"http://me:p%40ss@{address}/services/T0/secret?token=abc")
    webhook.failed("demo", FAILURE)
    deadline = time.monotonic() + 5
    while not posted and time.monotonic() < deadline:
        time.sleep(0.02)
    path, headers, told = posted[0]
    assert (path, headers["Authorization"]) == (
        "/services/T0/secret?token=abc",
        "Basic bWU6cEBzcw==",
    )
    assert (told["event"], told["sweep"]) == ("failed", "demo")
    assert "sft base@xs#0: diverged: loss is NaN at step 7" in told["text"]
    assert (
        webhook.close(end_message("demo", {"done": 3, "failed": 1}, [FAILURE], seconds=9)) is None
    )
    assert posted[1][2]["text"].startswith("demo: 3 done, 1 failed\n- sft base@xs#0")
    assert posted[1][2]["stages"] == {"done": 3, "failed": 1}


def test_a_stage_whose_parents_are_made_again_in_the_same_run_is_no_news(server, tmp_path):
    address, posted = server
    record = record_of(plan_of(write_sweep(tmp_path), tiny_store(tmp_path)))
    notices = Notices(record, f"http://{address}/here")
    key, other, *_ = record.stages
    notices.take(StageOutcome(key, "failed", "damaged", "what it starts from has to be made again"))
    notices.take(StageOutcome(other, "failed", "diverged", "loss is NaN"))
    assert notices.close() is None
    assert [told["failures"][0]["class"] for _, _, told in posted] == ["diverged"]


def test_failures_in_droves_are_one_message(server):
    address, posted = server
    webhook = Webhook(f"http://{address}/")
    for _ in range(200):
        webhook.failed("demo", FAILURE)
    assert webhook.close(None) is None
    assert len(posted) <= 2
    assert sum(len(told["failures"]) for _, _, told in posted) == 200
    assert "and 195 more" in failed_message("demo", [FAILURE] * 200)["text"]


def test_a_secret_in_a_failure_is_not_passed_on():
    failure = {**FAILURE, "message": "cannot read s3://key:secret@host/bucket"}
    assert "secret" not in json.dumps(failed_message("demo", [failure]))


def test_an_address_that_redirects_is_not_followed(server):
    address, posted = server
    webhook = Webhook(f"http://{address}/moved")
    assert "302" in (webhook.close(end_message("demo", {}, [], seconds=1)) or "")
    assert [path for path, _, _ in posted] == ["/moved"]


def test_an_address_that_never_answers_holds_up_nothing_and_is_not_repeated(monkeypatch):
    from orchestrator.watching import webhook as module

    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        webhook = Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/services/hidden")
        began = time.monotonic()
        webhook.failed("demo", FAILURE)
        assert time.monotonic() - began < 0.1
        behind = webhook.close(None)
        assert time.monotonic() - began < 2
    assert behind == "no message could be sent to 127.0.0.1: it does not answer"


@pytest.mark.parametrize("url", ["ftp://host/x", "hidden-token", "http://", "http://h:port/hidden"])
def test_what_is_no_address_is_refused_without_being_repeated(url):
    with pytest.raises(BadInput) as raised:
        Webhook(url)
    assert "hidden" not in str(raised.value)


def test_a_run_tells_what_failed_and_how_it_ended_and_keeps_the_address_to_itself(
    server, tmp_path, monkeypatch, capsys
):
    address, posted = server
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    # Everything but what depends on the diverged trainings is done, so the command only sums up.
    run_tiny(sweep, store, run_stage=diverging_stage)
    words = [
        "--engine",
        "local",
        "--store",
        str(store.root),
        "--notify",
        f"http://{address}/hidden",
    ]
    monkeypatch.setattr(sys, "argv", ["apollo", "run", str(sweep), *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    told = posted[-1][2]
    assert told["event"] == "end"
    assert told["stages"] == {"done": 10, "failed": 4, "blocked": 4}
    assert {each["class"] for each in told["failures"]} == {"diverged"}
    assert "hidden" not in capsys.readouterr().err
    assert not list(_with("hidden", store.root))
    assert len(plan_of(sweep, store).stages) == 18


def test_a_run_that_an_error_ends_tells_the_error(server, tmp_path, monkeypatch, capsys):
    address, posted = server
    sweep = write_sweep(tmp_path, SWEEP.replace("size: 0.000037}", SIXTY_FOUR_GPUS))
    words = ["--engine", "local", "--store", str(tmp_path / "store")]
    monkeypatch.setattr(
        sys, "argv", ["apollo", "run", str(sweep), *words, "--notify", f"http://{address}/x"]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    ((_, _, told),) = posted
    assert (told["event"], told["sweep"]) == ("error", "tiny")
    assert told["text"] == f"tiny: ended by an error: {told['error']}"
    assert capsys.readouterr().err == f"apollo: {told['error']}\n"
    assert stopped.value.code == 2


def _with(text, folder):
    for path in folder.rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            yield path
