"""The estimate on made-up sweeps, and on the recorded durations of a real one."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.watching.estimates import Places
from orchestrator.watching.screen import left_words
from orchestrator.watching.time_left import TimeLeft, Work, corrected, time_left

RECORDED = Path(__file__).parent / "demo_durations.json"
TWO = Places(cpus=2)


def stage(label="sft", planned=10.0, **told):
    return Work(label=label, planned=planned, **told)


def test_before_anything_ran_it_is_the_plans_and_says_so():
    left = time_left({"a": stage(), "b": stage(), "c": stage()}, TWO)
    assert (left.seconds, left.measured) == (20.0, False)


def test_a_plan_that_is_wrong_by_a_factor_is_corrected_by_the_first_steps():
    works = {f"s{index}": stage(planned=1.0) for index in range(20)}
    works["s0"] = stage(planned=1.0, state="running", spent=9.0, share=0.05, left=95.0)
    left = time_left(works, TWO)
    assert left.measured
    assert left.seconds == pytest.approx(1000, rel=0.05)


def test_each_label_of_stages_has_a_pace_of_its_own():
    works = {f"t{i}": stage("train", state="done", spent=20.0) for i in range(4)}
    works |= {f"e{i}": stage("evaluate", state="done", spent=5.0) for i in range(4)}
    known = corrected({**works, "t": stage("train"), "e": stage("evaluate"), "n": stage("new")})
    assert known["t"] == pytest.approx(20, rel=0.1)
    assert known["e"] == pytest.approx(5, rel=0.3)
    assert known["n"] == pytest.approx(12.5, rel=0.1)


def test_a_chain_cannot_be_hurried_by_free_places():
    works = {"a": stage(), "b": stage(parents=("a",)), "c": stage(parents=("b",))}
    assert time_left(works, Places(cpus=64)).seconds == pytest.approx(30)


def test_places_and_gangs_are_counted():
    works = {f"gang{index}": stage(gpus=8.0) for index in range(4)}
    assert time_left(works, Places(cpus=64, gpus=16)).seconds == pytest.approx(20)
    assert time_left(works, Places(cpus=64, gpus=8)).seconds == pytest.approx(40)
    # Larger than all there is: a cluster that grows will have it.
    assert time_left(works, Places(cpus=64, gpus=4)).seconds == pytest.approx(40)


def test_without_known_places_it_is_as_wide_as_what_runs():
    works = {f"s{index}": stage() for index in range(4)}
    works |= {f"r{i}": stage(state="running", spent=5.0, share=0.5, left=5.0) for i in range(2)}
    assert time_left(works, None).seconds == pytest.approx(25, rel=0.1)


def test_what_failed_and_what_it_blocks_takes_no_time():
    works = {"a": stage(state="failed"), "b": stage(state="blocked", parents=("a",)), "c": stage()}
    assert time_left(works, TWO).seconds == pytest.approx(10)


def test_a_stage_that_takes_longer_than_it_should_still_needs_some_time():
    works = {"a": stage(state="done", spent=10.0), "b": stage(state="running", spent=99.0)}
    assert 0 < time_left(works, TWO).seconds < 5


def test_a_parent_that_is_not_in_the_run_is_done():
    assert time_left({"a": stage(parents=("elsewhere",))}, TWO).seconds == pytest.approx(10)


def test_a_thousand_variants_take_no_longer_to_estimate_than_to_draw():
    generator = random.Random(0)
    works = {}
    for index in range(1000):
        works[f"a{index}"] = stage("align", gpus=generator.choice([1.0, 8.0]))
        works[f"s{index}"] = stage("sft", gpus=8.0, parents=(f"a{index}",))
        works[f"e{index}"] = stage("evaluate", gpus=1.0, parents=(f"s{index}",))
    left = time_left(works, Places(cpus=512, gpus=64))
    work = sum(each.planned * each.gpus for each in works.values()) / 64
    assert work <= left.seconds < 1.1 * work


@pytest.mark.parametrize("wrong", [0.1, 1.0, 30.0])
def test_on_a_recorded_sweep_it_is_sane_from_the_first_minute_on(wrong):
    """The real demo's stages replayed on two places, under a plan that is wrong by a factor."""
    recorded = json.loads(RECORDED.read_text())
    works = {
        key: Work(
            label=each["label"],
            planned=wrong * each["planned"],
            parents=tuple(each["parents"]),
            spent=each["seconds"],
        )
        for key, each in recorded.items()
    }
    spans = replayed(works)
    end = max(ended for _, ended in spans.values())
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        now = share * end
        told = time_left({key: at(works[key], spans[key], now) for key in works}, TWO)
        assert told.measured
        assert told.seconds == pytest.approx(end - now, rel=0.4 if share < 0.2 else 0.25), share


def replayed(works):
    """Start and end of each stage, in the order in which the frontier would start them."""
    spans, free = {}, [0.0, 0.0]
    while len(spans) < len(works):
        ready = [
            (max((spans[each][1] for each in work.parents if each in works), default=0.0), key)
            for key, work in works.items()
            if key not in spans and all(each in spans or each not in works for each in work.parents)
        ]
        place = free.index(min(free))
        begin, key = min(ready, key=lambda each: (max(each[0], free[place]), each[1]))
        begin = max(begin, free[place])
        free[place] = begin + works[key].spent
        spans[key] = (begin, free[place])
    return spans


def at(work, span, now):
    began, ended = span
    if now >= ended:
        return replace(work, state="done")
    if now < began:
        return replace(work, state="waiting", spent=0.0)
    share = (now - began) / (ended - began)
    known = {"share": share, "left": ended - now} if share > 0.1 else {}
    return replace(work, state="running", spent=now - began, **known)


def test_the_replay_keeps_parents_before_children():
    works = {"a": stage(spent=1.0), "b": stage(spent=2.0, parents=("a",))}
    assert replayed(works) == {"a": (0.0, 1.0), "b": (1.0, 3.0)}
    assert math.isclose(replayed(works)["b"][1], 3.0)


def test_no_time_is_told_where_nothing_is_known_of_it():
    assert left_words(TimeLeft(0.0, measured=False)) == ""
    assert left_words(TimeLeft(0.5, measured=True)) == "a moment left"
