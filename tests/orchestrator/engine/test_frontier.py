from tiny_stages import key_of, tiny_task

from orchestrator.engine.frontier import Capacity, Frontier, remaining_paths
from orchestrator.engine.outcome import StageOutcome


def done(name):
    return StageOutcome(key_of(name), "done")


def failed(name):
    return StageOutcome(key_of(name), "failed", failure_class="error", message="m")


def task(name, **options):
    return tiny_task("store", name, **options)


def next_label(frontier, capacity=None):
    found = frontier.next(capacity)
    return found.label if found else None


def labels(tasks):
    return [found.label for found in tasks]


def test_a_stage_is_ready_when_all_its_parents_are_done():
    frontier = Frontier([task("a"), task("b"), task("c", parents=("a", "b"))])
    assert {next_label(frontier), next_label(frontier)} == {"a", "b"}
    assert frontier.next() is None
    frontier.end(done("a"))
    assert frontier.next() is None
    frontier.end(done("b"))
    assert next_label(frontier) == "c"
    assert not frontier.is_finished
    frontier.end(done("c"))
    assert frontier.is_finished


def test_a_parent_outside_the_run_counts_as_done():
    assert next_label(Frontier([task("b", parents=("done before",))])) == "b"


def test_the_longest_remaining_path_goes_first():
    tasks = [
        task("short", seconds=5),
        task("root", seconds=1),
        task("long", seconds=9, parents=("root",)),
    ]
    assert labels(Frontier(tasks).ready()) == ["root", "short"]
    paths = remaining_paths({found.key: found for found in tasks})
    assert paths[key_of("root")] == 10


def test_a_failure_blocks_its_descendants_and_nothing_else():
    tasks = [task("a"), task("b", parents=("a",)), task("c", parents=("b",)), task("other")]
    frontier = Frontier(tasks)
    while started := frontier.next():
        frontier.end(failed("a") if started.label == "a" else done(started.label))
    assert frontier.blocked == {key_of("b"): key_of("a"), key_of("c"): key_of("a")}
    assert frontier.is_finished


def test_a_stage_that_stays_failed_is_not_handed_out():
    frontier = Frontier([task("a"), task("b", parents=("a",))], {key_of("a"): "diverged"})
    assert frontier.next() is None
    assert frontier.is_finished
    assert key_of("b") in frontier.blocked


def test_no_more_is_handed_out_than_fits():
    frontier = Frontier([task("a"), task("b"), task("c")])
    assert frontier.next(Capacity(cpus=2))
    assert frontier.next(Capacity(cpus=2))
    assert frontier.next(Capacity(cpus=2)) is None


def test_a_gang_of_gpus_is_not_starved_by_small_stages():
    capacity = Capacity(cpus=64, gpus=8)
    small = [task(f"small {index}", gpus=1, seconds=10) for index in range(20)]
    first = [task(f"first {index}", gpus=1, seconds=1000) for index in range(3)]
    frontier = Frontier([*small, *first, task("gang", gpus=8, seconds=100), task("cpu only")])
    started = []
    while found := frontier.next(capacity):
        started.append(found.label)
    # The gang comes before the small ones and keeps the five free GPUs until three more are free.
    assert sorted(started) == ["cpu only", "first 0", "first 1", "first 2"]
    for index in range(3):
        frontier.end(done(f"first {index}"))
    assert next_label(frontier, capacity) == "gang"
    assert frontier.next(capacity) is None


def test_a_stage_larger_than_everything_is_handed_out_alone():
    frontier = Frontier([task("huge", gpus=16), task("small", gpus=1)])
    assert next_label(frontier, Capacity(cpus=8, gpus=8)) == "huge"
    assert frontier.next(Capacity(cpus=8, gpus=8)) is None
