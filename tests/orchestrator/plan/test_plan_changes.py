"""What an edit of a sweep file runs again, and why: real edits, in both orders."""

import pytest
from small_sweep import planned, small

from orchestrator.plan.plan_changes import plan_changes

ALIGN, SFT = small()["schedules"]["two-stage"]
BENCH = small()["evaluation"][0]
UNIFORM = {"mode": "uniform", "frames": 8}
VISION = {**ALIGN, "stage": "vision", "lr": {"vision": 1e-4, "connector": 1e-4}}

ANYTHING_BEFORE, NEW_STEP = "an earlier stage", "a step that its variants did not have"


def changed(tmp_path, old, new):
    changes = plan_changes(planned(tmp_path, old), planned(tmp_path, new))
    reruns = {
        rerun.step: (len(rerun.keys), [each.field for each in rerun.because])
        for rerun in changes.reruns
    }
    return changes, reruns


GROWN = {
    "a level": (
        {"axes/sampling/uniform-16": {"sampling": {"mode": "uniform", "frames": 16}}},
        {"align": 1, "sft": 1, "evaluate bench": 1},
    ),
    "a level that agrees up to sft": (
        {"axes/mixture/pictures": {"mixture": {"image": 100, "video": 0}}},
        {"sft": 1, "evaluate bench": 1},
    ),
    "a scale": (
        {"scales/m": {"llm": "micro:qwen2-m", "size": 0.0002}},
        {"pretrain": 1, "align": 2, "sft": 3, "evaluate bench": 3},
    ),
    "a seed": ({"seeds": [0, 1]}, {"align": 2, "sft": 3, "evaluate bench": 3}),
}


@pytest.mark.parametrize("what", GROWN)
def test_what_is_added_runs_alone_and_what_is_removed_runs_nothing(tmp_path, what):
    edit, expected = GROWN[what]
    changes, reruns = changed(tmp_path, None, edit)
    assert reruns == {step: (count, []) for step, count in expected.items()}
    assert changes.added
    assert changes.kept == 9
    back, nothing = changed(tmp_path, edit, None)
    assert nothing == {}
    assert back.removed == changes.added


EDITED = {
    "a rate of the last stage": (
        {"schedules/two-stage/1/lr": {"connector": 1e-3, "llm": 2e-3}},
        {"sft": (3, ["lr.llm"]), "evaluate bench": (3, [ANYTHING_BEFORE])},
    ),
    "a rate of the first stage": (
        {"schedules/two-stage/0/lr": {"connector": 2e-3}},
        {
            "align": (2, ["lr.connector"]),
            "sft": (3, [ANYTHING_BEFORE]),
            "evaluate bench": (3, [ANYTHING_BEFORE]),
        },
    ),
    "how answers are scored": (
        {"evaluation/0/scoring": "letters"},
        {"evaluate bench": (3, ["scoring", "prompt"])},
    ),
    "the regimes asked": (
        {"evaluation/0/regimes": ["video"]},
        {"evaluate bench": (3, ["regimes.1"])},
    ),
    "the benchmark": (
        {"evaluation/0/manifest": "sft_video.jsonl"},
        {"evaluate bench": (3, ["benchmark"])},
    ),
    "the frames seen in the test": (
        {"evaluation/0/sampling": {"max_clips": 2}},
        {"evaluate bench": (2, ["sampling.max_clips"])},
    ),
}


@pytest.mark.parametrize("what", EDITED)
def test_an_edit_runs_again_what_depends_on_it_in_either_order(tmp_path, what):
    edit, expected = EDITED[what]
    for old, new in ((None, edit), (edit, None)):
        changes, reruns = changed(tmp_path, old, new)
        assert reruns == expected
        assert not changes.added
        assert not changes.removed
        assert set(changes.new).isdisjoint(planned(tmp_path, old).stages)


RENAMED = {
    "a benchmark": {"evaluation/0/name": "renamed"},
    "a level": {"axes/sampling": {"eight": {"sampling": UNIFORM}}},
    "a stage": {"schedules/two-stage/1/stage": "tune"},
    "a scale": {"scales": {"tiny": small()["scales"]["xs"]}},
    "where and how fast": {"execution": {"micro_batch": 2, "activation_checkpointing": True}},
}


@pytest.mark.parametrize("what", RENAMED)
def test_names_and_execution_run_nothing_again(tmp_path, what):
    for old, new in ((None, RENAMED[what]), (RENAMED[what], None)):
        changes, reruns = changed(tmp_path, old, new)
        assert reruns == {}
        assert changes.kept == 9


def test_a_further_way_to_ask_trains_nothing(tmp_path):
    again = {**BENCH, "name": "again", "sampling": {"max_clips": 1}}
    _, reruns = changed(tmp_path, None, {"evaluation": [BENCH, again]})
    # A design of uniform frames has no clips to bound: it is asked as before.
    assert reruns == {"evaluate again": (2, [NEW_STEP])}
    assert changed(tmp_path, {"evaluation": [BENCH, again]}, None)[1] == {}


def test_a_stage_put_in_between_is_new_and_those_behind_it_run_again(tmp_path):
    edit = {"schedules/two-stage": [ALIGN, VISION, SFT]}
    _, reruns = changed(tmp_path, None, edit)
    assert reruns == {
        "vision": (2, [NEW_STEP]),
        "sft": (3, [ANYTHING_BEFORE]),
        "evaluate bench": (3, [ANYTHING_BEFORE]),
    }


def test_reasons_come_in_the_order_of_the_stages(tmp_path):
    old = planned(tmp_path)
    new = planned(tmp_path, {"data/microworld": {"train_videos": 5, "bench_videos": 4}})
    found = [rerun.step for rerun in plan_changes(old, new).reruns]
    order = ["pretrain", "align", "sft", "evaluate bench"]
    assert found == sorted(found, key=order.index)
