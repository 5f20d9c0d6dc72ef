"""The view on a terminal and in lines, of real stores and of moments that are hard to catch."""

import io
import json
import sys
import threading
from types import MappingProxyType

import pytest
from rich.console import Console
from tiny_sweeps import diverging_stage, plan_of, run_tiny, tiny_stage, tiny_store, write_sweep

from orchestrator.cli import main
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.run import RunOptions, run_sweep
from orchestrator.store.sweep_record import record_of
from orchestrator.watching.estimates import Estimate, Estimates, Places, keep_estimates
from orchestrator.watching.estimates import kept_estimates as kept
from orchestrator.watching.from_store import StoreWatch
from orchestrator.watching.lines import running_lines, status_lines
from orchestrator.watching.progress import Progress
from orchestrator.watching.screen import screen
from orchestrator.watching.sighting import Sighting
from orchestrator.watching.snapshot import Known, Sights
from orchestrator.watching.words import flops_in_words, in_words


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    sweep, store = write_sweep(folder), tiny_store(folder)
    plan = plan_of(sweep, store)
    run_tiny(
        sweep,
        store,
        run_stage=diverging_stage,
        seconds=dict.fromkeys(plan.stages, 10.0),
        flops=dict.fromkeys(plan.stages, 2e12),
    )
    return sweep, store, record_of(plan)


def drawn(snapshot, *, width=80, height=24):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(snapshot, height=height, width=width))
    return captured.get().splitlines()


def looked(record, store):
    sights = Sights(record, kept(store, record.name))
    return sights.snapshot(StoreWatch(record, store).look())


def test_any_terminal_sees_what_is_done_failed_blocked_and_saved(ran):
    _, store, record = ran
    snapshot = looked(record, store)
    assert snapshot.counts["failed"] == 4
    assert snapshot.counts["blocked"] == 4
    assert snapshot.counts["done"] + 8 == len(record.stages)
    assert snapshot.left is None
    # Eight replicates with one pretrained part each, of which two were made.
    assert snapshot.saved.stages == 8 - 2
    assert snapshot.saved.flops == 6 * 2e12
    text = "\n".join(status_lines(snapshot))
    assert "sharing saved so far: 6 stages not run again, 12 TFLOPs" in text
    assert "diverged, attempt 1: loss is NaN at step 7" in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_view_fits_the_terminal_whatever_its_width_and_height(ran, width):
    _, _, record = ran
    keys = list(record.stages)
    seen = Sighting(step=41, steps=150, loss=2.3141, left=14.0)
    known = dict.fromkeys(keys, Known(state="running", spent=5.0, sighting=seen))
    estimates = Estimates(dict.fromkeys(keys, Estimate(10.0)))
    lines = drawn(Sights(record, estimates).snapshot(known), width=width, height=20)
    assert len(lines) <= 20
    assert all(len(line) <= width for line in lines)
    assert lines[2] == "━" * width
    assert "41/150" in lines[-2]
    assert "loss 2.314" in lines[-2]
    assert "and" in lines[-1]
    assert "more" in lines[-1]


def test_a_gang_that_waits_for_gpus_is_named_with_what_is_free(ran):
    _, _, record = ran
    *others, gang = [key for key, stage in record.stages.items() if stage.kind == "train"]
    known = {key: Known(state="done") for key in record.stages}
    known |= {key: Known(state="running") for key in others[:3]} | {gang: Known(state="waiting")}
    stages = {key: Estimate(10.0, gpus=1.0) for key in record.stages}
    stages[gang] = Estimate(10.0, gpus=8.0)
    snapshot = Sights(record, Estimates(stages, Places(64, 8))).snapshot(known)
    assert snapshot.next_waiting.endswith("waits for 8 GPUs, 5 of 8 free")
    assert any("waits for 8 GPUs" in line for line in drawn(snapshot))


def test_a_cluster_of_unknown_size_is_taken_to_be_as_wide_as_it_once_was(ran):
    _, _, record = ran
    keys = list(record.stages)
    sights = Sights(record, Estimates(dict.fromkeys(keys, Estimate(10.0))))
    waiting = {key: Known(state="waiting") for key in keys}
    four = {key: Known(state="running", spent=1.0) for key in keys[:4]}
    wide, narrow = sights.snapshot(waiting | four), sights.snapshot(waiting)
    assert wide.left
    assert narrow.left
    assert narrow.left.seconds < 1.5 * wide.left.seconds
    alone = Sights(record, Estimates(dict.fromkeys(keys, Estimate(10.0)))).snapshot(waiting)
    assert alone.left
    assert alone.left.seconds == pytest.approx(10 * len(keys))


def test_a_stage_that_no_worker_has_begun_is_queued(ran):
    _, _, record = ran
    known = {key: Known(state="done") for key in record.stages}
    known[next(iter(known))] = Known(state="running", placed=False)
    lines = drawn(Sights(record, Estimates()).snapshot(known))
    assert "queued" in lines[-1]


def test_plain_lines_say_once_that_stages_are_queued_and_only_while_nothing_runs(ran):
    _, _, record = ran
    sights, queued = Sights(record, Estimates()), Known(state="running", placed=False)
    known = dict.fromkeys(record.stages, queued)
    (line,) = running_lines(sights.snapshot(known))
    assert line.endswith(f"  {len(known)} stages queued, no worker has begun yet")
    placed = Known(state="running", sighting=Sighting(step=1, steps=2))
    (line,) = running_lines(sights.snapshot(known | {next(iter(known)): placed}))
    assert line.endswith(": step 1 of 2")


def feature_stage(identity, context):
    """The tiny stage, and what a real one says of its features."""
    tiny_stage(identity, context)
    for hits in (700, 1500):
        context.report({"feature_hits": hits, "feature_misses": 500})


def test_what_kept_features_served_is_told_at_the_end_and_from_any_terminal(
    tmp_path, capsys, monkeypatch
):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    shard = store.features / "key" / "cpu" / "one.data"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(bytes(2_000_000))
    run_tiny(sweep, store, run_stage=feature_stage, only=("base@xs#0",))
    line = "kept features: 4,500 of 6,000 media found, 1,500 computed; 2.01 MB on disk"
    assert line in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["apollo", "status", str(sweep), "--store", str(store.root)])
    with pytest.raises(SystemExit):
        main()
    assert line in capsys.readouterr().out
    run_tiny(sweep, store, run_stage=feature_stage, only=("base@xs#0",))
    assert "kept features" not in capsys.readouterr().err


def test_estimates_are_kept_for_other_terminals_and_missed_by_none(tmp_path):
    store = tiny_store(tmp_path)
    assert kept(store, "x") == Estimates()
    told = Estimates({"k": Estimate(1.5, 2e9, 2.0, 0.5)}, Places(4, 1))
    keep_estimates(store, "x", told)
    assert kept(store, "x") == told
    (store.root / "sweeps" / "x" / "estimates.json").write_text('{"stages": {"k": {"age": 1}}}')
    assert kept(store, "x") == Estimates()


def test_a_terminal_shows_a_run_from_its_frontier(tmp_path):
    """A console that is a terminal, in a stage that waits until its own line was drawn."""
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    plan = plan_of(sweep, store)
    seen = threading.Event()
    screen_of = Screen(seen, "380/400")
    console = Console(file=screen_of, force_terminal=True, width=100, height=20)
    progress = Progress(console, live=True)

    def waiting(identity, context):
        if identity.kind == "train" and not seen.is_set():
            for step in (379, 380):
                context.report({"step": step, "steps": 400, "loss": 0.25})
            assert seen.wait(10)
        tiny_stage(identity, context)

    run_sweep(
        plan,
        store,
        source=sweep.read_text(),
        engine=LocalEngine(),
        options=RunOptions(run_stage=waiting, only=("base@xs#0",), one_at_a_time=True),
        progress=progress,
    )
    text = screen_of.getvalue()
    assert "1 of 3 stages done, 1 running" in text
    assert "loss 0.250" in text


class Screen(io.StringIO):
    """A terminal's other end: sets `seen` once `text` was written."""

    def __init__(self, seen, text):
        super().__init__()
        self._seen, self._text = seen, text

    def write(self, text):
        if self._text in text:
            self._seen.set()
        return super().write(text)


def test_watching_a_sweep_that_is_over_tells_it_and_ends(ran, monkeypatch, capsys):
    sweep, store, _ = ran
    words = ["apollo", "status", str(sweep), "--watch", "--store", str(store.root)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None)
    assert "4 failed, 4 blocked by them" in capsys.readouterr().out


def test_json_keeps_to_its_contract(ran, monkeypatch, capsys):
    sweep, store, record = ran
    words = ["apollo", "status", str(sweep), "--json", "--store", str(store.root)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["name", "stages", "failures"]
    assert list(document["stages"]) == ["done", "running", "waiting", "failed"]
    assert sum(document["stages"].values()) == len(record.stages)
    assert {tuple(each) for each in document["failures"]} == {
        ("key", "kind", "class", "attempts", "message", "variants")
    }


def test_amounts_are_told_in_short_words():
    said = MappingProxyType({40: "40 s", 720: "12 min", 12600: "3.5 h", 181440: "2.1 d"})
    assert {seconds: in_words(seconds) for seconds in said} == dict(said)
    assert flops_in_words(1.2e15) == "1.2 PFLOPs"
    assert flops_in_words(5) == "5 FLOPs"
