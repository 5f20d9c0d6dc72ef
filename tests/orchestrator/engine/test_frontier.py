import random

from tiny_stages import key_of, tiny_task

from orchestrator.engine.frontier import Frontier, remaining_paths
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.room import Capacity, Node


def done(name):
    return StageOutcome(key_of(name), "done")


def failed(name):
    return StageOutcome(key_of(name), "failed", failure_class="error", message="m")


def task(name, **options):
    return tiny_task("store", name, **options)


def next_label(frontier, capacity=None):
    found = frontier.next(capacity)
    return found.label if found else None


def handed_out(frontier, capacity):
    found = frontier.next(capacity)
    assert found is not None
    return found


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
    now = 0.0
    frontier = Frontier(
        [*small, *first, task("gang", gpus=8, seconds=100), task("cpu only")], clock=lambda: now
    )
    started = [next_label(frontier, capacity) for _ in range(3)]
    now = 995.0
    while found := frontier.next(capacity):
        started.append(found.label)
    # The gang keeps the five free GPUs until three more are free: in 5 s, too soon for a small one.
    assert sorted(filter(None, started)) == ["cpu only", "first 0", "first 1", "first 2"]
    for index in range(3):
        frontier.end(done(f"first {index}"))
    assert next_label(frontier, capacity) == "gang"
    assert frontier.next(capacity) is None


def test_what_ends_before_a_gangs_turn_uses_the_room_that_is_kept_for_it():
    capacity = Capacity(cpus=64, gpus=8)
    now = 0.0
    frontier = Frontier(
        [
            task("first", gpus=4, seconds=1000),
            task("gang", gpus=8, seconds=900),
            task("too long", gpus=4, seconds=800),
            *(task(f"short {index}", gpus=4, seconds=300 - index) for index in range(3)),
        ],
        clock=lambda: now,
    )
    assert next_label(frontier, capacity) == "first"
    now = 250.0
    assert next_label(frontier, capacity) == "short 0"  # the gang's turn is in 750 s
    now = 550.0
    frontier.end(StageOutcome(key_of("short 0"), "done", seconds=300))
    assert next_label(frontier, capacity) == "short 1"
    now = 850.0
    frontier.end(StageOutcome(key_of("short 1"), "done", seconds=300))
    assert frontier.next(capacity) is None  # 150 s are left
    frontier.end(StageOutcome(key_of("first"), "done", seconds=850))
    assert next_label(frontier, capacity) == "gang"


def test_stages_that_take_longer_than_planned_use_no_room_of_a_gang():
    capacity = Capacity(cpus=64, gpus=8)
    now = 0.0
    frontier = Frontier(
        [
            task("known", gpus=8, seconds=2000),
            task("first", gpus=4, seconds=100),
            task("gang", gpus=8, seconds=90),
            task("short", gpus=4, seconds=30),
        ],
        clock=lambda: now,
    )
    assert next_label(frontier, capacity) == "known"
    frontier.end(StageOutcome(key_of("known"), "done", seconds=8000))  # four times as long
    assert next_label(frontier, capacity) == "first"
    now = 300.0
    # 100 s are left of the first, and the short one is going to take 120.
    assert frontier.next(capacity) is None


def test_a_stage_larger_than_everything_is_asked_for_and_keeps_nothing_from_the_others():
    frontier = Frontier([task("huge", gpus=16), task("small", gpus=1)])
    assert next_label(frontier, Capacity(cpus=8, gpus=8)) == "huge"
    assert frontier.place(key_of("huge")) == ()
    assert next_label(frontier, Capacity(cpus=8, gpus=8)) == "small"


def test_machines_that_come_later_are_for_the_stage_that_asked_for_them_first():
    cluster = Capacity.of([Node("a", cpus=8, gpus=4)])
    frontier = Frontier(
        [
            task("huge", gpus=8, seconds=3),
            task("next", gpus=5, seconds=2),
            task("small", gpus=4),
        ]
    )
    assert [next_label(frontier, cluster) for _ in range(3)] == ["huge", "next", "small"]
    grown = Capacity.of([*cluster.nodes, Node("b", cpus=8, gpus=8)])
    assert frontier.next(grown) is None
    assert [share.node for share in frontier.place(key_of("huge"))] == ["b"]
    assert frontier.place(key_of("next")) == ()


def test_a_gang_waits_for_one_machine_and_is_not_kept_apart_by_small_stages_on_many():
    cluster = Capacity.of([Node("a", cpus=8, gpus=4), Node("b", cpus=8, gpus=4)])
    first = [task(f"first {index}", gpus=1, seconds=1000) for index in range(6)]
    small = [task(f"small {index}", gpus=1, seconds=10) for index in range(40)]
    now = 0.0
    frontier = Frontier([*first, *small, task("gang", gpus=4, seconds=100)], clock=lambda: now)
    for _ in range(6):
        assert (next_label(frontier, cluster) or "").startswith("first")
    now = 995.0
    # Two GPUs are free on the second machine; they are kept for the gang.
    assert frontier.next(cluster) is None
    on = {index: frontier.place(key_of(f"first {index}"))[0].node for index in range(6)}
    on_b = [index for index, node in on.items() if node == "b"]
    for index in (on_b[0], next(index for index, node in on.items() if node == "a")):
        frontier.end(done(f"first {index}"))
    # The GPU that is free on the first machine is of no use to it.
    assert (next_label(frontier, cluster) or "").startswith("small")
    assert frontier.next(cluster) is None
    frontier.end(done(f"first {on_b[1]}"))
    assert next_label(frontier, cluster) == "gang"
    (share,) = frontier.place(key_of("gang"))
    assert (share.node, share.count, share.gpu) == ("b", 4, 1.0)


def test_a_gang_larger_than_any_machine_is_spread_over_several():
    cluster = Capacity.of([Node(name, cpus=16, gpus=4) for name in "abc"])
    frontier = Frontier([task("gang", gpus=8, cpus=8), task("small", gpus=1, seconds=1)])
    assert next_label(frontier, cluster) == "gang"
    assert [(share.count, share.cpus) for share in frontier.place(key_of("gang"))] == [(4, 1.0)] * 2
    assert next_label(frontier, cluster) == "small"


def test_small_stages_share_the_fullest_gpu_so_that_whole_ones_stay_free():
    cluster = Capacity.of([Node("a", cpus=8, gpus=2), Node("b", cpus=8, gpus=2)])
    quarters = [task(f"quarter {index}", gpus=0.25, seconds=9, cpus=0.5) for index in range(4)]
    frontier = Frontier([*quarters, task("two", gpus=2, seconds=1), task("one", gpus=1, seconds=1)])
    started = []
    while found := frontier.next(cluster):
        started.append(found.label)
    assert {frontier.place(found.key)[0].node for found in quarters} == {"a"}
    assert sorted(started[4:]) == ["one", "two"]


def test_half_a_gpu_on_each_of_two_is_no_gpu():
    cluster = Capacity.of([Node("a", cpus=8, gpus=2)])
    frontier = Frontier([task(f"{index}", gpus=0.6, seconds=9) for index in range(3)])
    assert frontier.next(cluster)
    assert frontier.next(cluster)
    assert frontier.next(cluster) is None


def test_stages_share_a_gpu_only_as_far_as_its_memory_goes():
    cluster = Capacity.of([Node("a", cpus=8, gpus=1, gpu_bytes=80e9)])
    frontier = Frontier([task(f"{index}", gpus=0.25, memory=30e9) for index in range(3)])
    assert [bool(frontier.next(cluster)) for _ in range(3)] == [True, True, False]
    share = frontier.place(frontier.unfinished()[0].key) or frontier.place(key_of("0"))
    assert share[0].gpu == 30 / 80


def test_memory_that_is_not_known_is_left_to_the_fraction():
    cluster = Capacity.of([Node("a", cpus=8, gpus=1)])
    frontier = Frontier([task(f"{index}", gpus=0.25, memory=30e9) for index in range(4)])
    assert all(frontier.next(cluster) for _ in range(4))


def test_stages_without_gpus_go_to_machines_without():
    cluster = Capacity.of([Node("gpus", cpus=8, gpus=8), Node("none", cpus=2)])
    frontier = Frontier([task(f"{index}") for index in range(3)])
    places = [frontier.place(handed_out(frontier, cluster).key)[0].node for _ in range(3)]
    assert places == ["none", "none", "gpus"]


def test_a_stage_that_lost_its_worker_is_ready_again_wherever_there_is_room():
    both = Capacity.of([Node("a", cpus=1), Node("b", cpus=1)])
    frontier = Frontier([task("x"), task("y")])
    lost = handed_out(frontier, both)
    frontier.next(both)
    gone = frontier.place(lost.key)[0].node
    frontier.put_back(lost.key)
    assert frontier.next(Capacity.of([node for node in both.nodes if node.name != gone])) is None
    again = handed_out(frontier, both)
    assert (again, frontier.place(again.key)[0].node) == (lost, gone)


def test_any_mix_of_stages_on_any_machines_comes_to_its_end():
    rng = random.Random(0)
    for _ in range(12):
        nodes = [Node(f"n{n}", rng.choice([2, 8]), rng.choice([0, 1, 4, 8])) for n in range(4)]
        cluster = Capacity.of([*nodes, Node("last", 8, 8)])
        sizes = [0, 0.25, 0.5, 0.7, 1, 2, 4, 8, 8, 12]
        tasks = [
            task(f"{n}", gpus=gpus, cpus=max(1, gpus / 4), seconds=rng.random())
            for n, gpus in enumerate(rng.choices(sizes, k=40))
        ]
        assert run_to_the_end(Frontier(tasks), cluster, rng) == 40


def run_to_the_end(frontier, cluster, rng):
    """How many stages ended; no device is ever given out twice."""
    ended = 0
    running = []
    while not frontier.is_finished:
        while found := frontier.next(cluster):
            running.append(found)
        shares = [share for found in running for share in frontier.place(found.key)]
        for node in cluster.nodes:
            here = [share for share in shares if share.node == node.name]
            assert sum(share.gpu * share.count for share in here) <= node.gpus + 1e-5
            assert sum(share.cpus * share.count for share in here) <= node.cpus + 1e-5
        found = running.pop(rng.randrange(len(running)))
        frontier.end(done(found.label))
        ended += 1
    return ended
