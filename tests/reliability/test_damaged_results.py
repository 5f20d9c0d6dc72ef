"""A result that changes on disk is found by its checksum before it is used, and made again."""

import json

import pytest
from tiny_study import digests, flip

from apollo_core.errors import DamagedResult
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.worker import run_task
from orchestrator.run import RunOptions, run_sweep
from orchestrator.store.damage import damage_of, require_whole_parents, undo_damaged
from orchestrator.store.stage_states import stage_state
from orchestrator.watching.progress import make_progress

WEIGHTS = "weights.safetensors"


@pytest.fixture
def study(undisturbed, tmp_path):
    return undisturbed.copy(tmp_path)


def one(study, label):
    return study.keys(label)[0]


def by_key(study):
    return {task.key: task for task in study.tasks()}


def test_no_stage_trains_from_a_flipped_parent(study, undisturbed):
    align, sft = one(study, "align"), one(study, "sft")
    study.forget("sft", "evaluate")
    flip(study.store.stage_folder(align) / WEIGHTS)
    assert study.store.is_done(align)  # a glance does not see it
    outcome = run_task(by_key(study)[sft])
    assert (outcome.failure_class, outcome.status) == ("damaged", "failed")
    assert WEIGHTS in outcome.message
    assert stage_state(study.store, align).state == "waiting"

    assert {outcome.status for outcome in study.run()} == {"done"}
    assert digests(study.store.result(align)) == digests(undisturbed.store.result(align))
    assert digests(study.store.result(sft)) == digests(undisturbed.store.result(sft))
    assert study.scores() == undisturbed.scores()
    (note,) = study.store.failures(align)
    assert note.failure_class == "damaged"
    assert "its bytes have changed" in note.message


def test_a_truncated_result_is_made_again_with_a_note(study, undisturbed):
    align = one(study, "align")
    path = study.store.stage_folder(align) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    assert list(by_key(study)) == [align]
    assert [outcome.status for outcome in study.run()] == ["done"]
    assert digests(study.store.result(align)) == digests(undisturbed.store.result(align))
    assert [row.failure_class for row in study.store.failures(align)] == ["damaged"]


def test_flipped_answers_are_in_no_table_and_are_given_again(study, undisturbed):
    key = one(study, "evaluate")
    items = study.store.stage_folder(key) / "items.jsonl"
    items.write_text(items.read_text().replace('"correct": 0', '"correct": 1'))
    left_out = [row for row in study.scores() if row["score"] is None]
    assert 2 * len(left_out) == len(undisturbed.scores())
    assert undo_damaged(study.store, study.plan().stages) == [key]
    assert [outcome.status for outcome in study.run()] == ["done"]
    assert study.scores() == undisturbed.scores()


def test_checksums_are_compared_once_for_each_change_of_a_file(study, monkeypatch):
    align = one(study, "align")
    assert damage_of(study.store, align) == []
    read = []
    monkeypatch.setattr(study.store, "verify", lambda key: read.append(key) or [])
    assert damage_of(study.store, align) == []
    assert read == []
    (study.store.stage_folder(align) / WEIGHTS).touch()
    assert damage_of(study.store, align) == []
    assert read == [align]


def test_the_whole_chain_before_a_stage_is_verified(study):
    align, sft = one(study, "align"), one(study, "sft")
    flip(study.store.stage_folder(align) / WEIGHTS)
    assert damage_of(study.store, sft) == []
    with pytest.raises(DamagedResult, match=align):
        require_whole_parents(study.store, {"previous": sft})
    assert not study.store.is_done(align)
    assert study.store.is_done(sft)


def test_a_result_that_somebody_is_making_is_left_to_them(study):
    from orchestrator.store.lease import Watch, try_acquire

    align = one(study, "align")
    held = try_acquire(study.store.attempts_folder(align), Watch())
    assert held
    flip(study.store.stage_folder(align) / WEIGHTS)
    assert undo_damaged(study.store, [align]) == [align]
    assert json.loads(study.store.done_file(align).read_text())
    held.release()


def run(study):
    return run_sweep(
        study.plan(),
        study.store,
        source=study.file.read_text(),
        engine=LocalEngine(),
        options=RunOptions(),
        progress=make_progress(),
    )


def test_damage_in_many_places_is_mended_in_one_run_too(study, undisturbed):
    study.forget("evaluate", "sft")
    for key in study.keys("align"):
        flip(study.store.stage_folder(key) / WEIGHTS)
    for key in study.keys("pretrain"):
        for path in study.store.stage_folder(key).glob("*.safetensors"):
            flip(path)
    assert run(study).exit_code == 0
    assert study.scores() == undisturbed.scores()


def test_damage_found_in_the_middle_of_a_run_is_mended_in_that_run(study, undisturbed, capsys):
    align = one(study, "align")
    study.forget("sft", "evaluate")
    flip(study.store.stage_folder(align) / WEIGHTS)
    summary = run(study)
    assert summary.exit_code == 0
    assert (summary.done_before, summary.done) == (4, 8)
    assert "changed on disk" in capsys.readouterr().err
    assert study.scores() == undisturbed.scores()
