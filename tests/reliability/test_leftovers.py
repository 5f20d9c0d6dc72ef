"""Checkpoints inside stages: one at a time, gone with the stage, and no burden on a store."""

import pytest
from tiny_study import Study

from orchestrator.engine.worker import run_task
from orchestrator.store.gc import orphans, remove_orphans
from orchestrator.store.sweep_record import record_of, register


@pytest.fixture
def stopped(undisturbed, tmp_path) -> Study:
    """A study whose second stage was stopped after it had kept its state several times."""
    how = '{workers: 0, packing: "off", checkpoint_minutes: 1.0e-9}'
    study = undisturbed.copy(tmp_path, execution=how)
    register(study.store, record_of(study.plan()), study.file.read_text())
    study.forget("sft")
    task = study.tasks()[0]

    def stop(identity, context):
        from dataclasses import replace

        from apollo_core.stages.run import run_stage

        def report(event):
            context.report(event)
            if event["step"] == 3:
                raise KeyboardInterrupt

        run_stage(identity, replace(context, report=report))

    with pytest.raises(KeyboardInterrupt):
        run_task(task, run_stage=stop)
    return study


def test_one_state_is_kept_of_twelve_bytes_a_trained_parameter_and_goes_with_its_stage(stopped):
    task = stopped.tasks()[0]
    folder = stopped.store.checkpoints_folder(task.key)
    states = list(folder.glob("*.safetensors"))
    assert len(states) == 1
    size = states[0].stat().st_size
    assert run_task(task).status == "done"
    weights = (stopped.store.result(task.key) / "weights.safetensors").stat().st_size
    assert 2.9 * weights < size < 3.5 * weights + (64 << 10)
    assert not folder.exists()
    assert stopped.store.metrics(task.key)[-1]["step"] == 4


def test_a_state_that_a_stage_may_still_need_is_no_garbage(stopped):
    assert orphans(stopped.store) == []


def test_states_of_stages_that_no_sweep_wants_are_cleared(stopped):
    for record in (stopped.store.root / "sweeps").rglob("*.json"):
        record.unlink()
    key = stopped.tasks()[0].key
    assert key in {orphan.key for orphan in orphans(stopped.store)}
    remove_orphans(stopped.store, orphans(stopped.store))
    assert not stopped.store.checkpoints_folder(key).exists()


def test_what_a_killed_process_left_of_a_finished_stage_is_cleared(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path)
    register(study.store, record_of(study.plan()), study.file.read_text())
    key = study.keys("sft")[0]
    for folder in ("checkpoints", "work-1"):
        left = study.store.attempts_folder(key) / folder
        left.mkdir(exist_ok=True)
        (left / "state").write_bytes(b"\0" * 1000)
    (orphan,) = orphans(study.store)
    assert (orphan.key, orphan.bytes, orphan.kind) == (key, 2000, "leftovers")
    remove_orphans(study.store, orphans(study.store))
    assert orphans(study.store) == []
    assert study.store.is_done(key)
