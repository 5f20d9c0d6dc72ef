"""The MLflow page of a sweep, opened as a person does."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from tiny_sweeps import plan_of, run_tiny, tiny_store, write_sweep

from orchestrator.store.sweep_record import record_of
from orchestrator.tracking.mlflow_ui import addresses
from orchestrator.tracking.tracking import sync

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]

APOLLO = Path(sys.executable).parent / "apollo"
EXPANDER = "document.querySelector('[col-id*=\"Run Name\"] button')"
LINES = "document.querySelectorAll('.js-plotly-plot .scatterlayer path.js-line')"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A finished sweep, and the address of its runs on a server that `apollo ui` started."""
    folder = tmp_path_factory.mktemp("page")
    sweep, store = write_sweep(folder), tiny_store(folder)
    run_tiny(sweep, store)
    record = record_of(plan_of(sweep, store))
    sync(record, store, None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [APOLLO, "ui", "--store", store.root, "--port", port]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([str(word) for word in command], stdout=quiet, stderr=quiet)
    try:
        _answers(f"http://127.0.0.1:{port}/health", server)
        yield record, addresses(store, port=port)["tiny"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def _answers(address, server):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def test_the_page_opens_on_the_sweep_with_its_replicates_nested_and_draws_their_curves(
    page, tmp_path
):
    record, address = page
    kept = Path(os.environ.get("APOLLO_SCREENSHOTS") or tmp_path)
    with Browser(tmp_path / "profile") as browser:
        browser.open(address)
        browser.wait(EXPANDER)
        browser.value("document.querySelector('[aria-label=Close]')?.click()")  # an assistant
        browser.value(f"{EXPANDER}.click()")
        for variant in record.variants:
            browser.wait(f"document.body.innerText.includes({variant.id!r})")
        browser.screenshot(kept / "runs.png")

        browser.open(f"{address}&compareRunsMode=CHART")
        browser.wait(f"{LINES}.length >= {len(record.variants)}")
        assert "align" in browser.text()
        browser.screenshot(kept / "curves.png")
    for name in ("runs.png", "curves.png"):
        assert (kept / name).stat().st_size > 20_000
