import pytest

from orchestrator.files import last_json_lines
from orchestrator.watching.sighting import Sighting, sighting_of


def events(*at, steps=100):
    return [{"step": step, "steps": steps, "loss": 1 / step, "time": time} for step, time in at]


def test_a_stage_without_events_is_nowhere_yet():
    assert sighting_of([]) == Sighting()
    assert Sighting().share == 0


def test_what_is_left_is_told_by_the_pace_of_the_last_steps():
    seen = sighting_of(events((10, 100.0), (20, 120.0), (30, 140.0)))
    assert (seen.step, seen.steps, seen.share) == (30, 100, 0.3)
    assert seen.left == pytest.approx(140)
    assert seen.loss == pytest.approx(1 / 30)


def test_a_break_between_two_attempts_does_not_slow_the_pace():
    seen = sighting_of(events((10, 0.0), (11, 1.0), (12, 7200.0), (13, 7201.0), (14, 7202.0)))
    assert seen.left == pytest.approx(86)


def test_one_event_tells_a_step_and_no_pace():
    seen = sighting_of(events((7, 100.0)))
    assert (seen.step, seen.left) == (7, None)


def test_an_event_without_a_loss_keeps_the_last_one():
    last = {"step": 40, "steps": 100, "time": 160.0, "note": "x"}
    seen = sighting_of([*events((30, 140.0)), last])
    assert (seen.step, seen.loss) == (40, pytest.approx(1 / 30))


def test_only_the_end_of_a_long_series_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}, "steps": 100000}}\n' for step in range(1, 100001)))
    lines = last_json_lines(path)
    assert lines[-1]["step"] == 100000
    assert len(lines) < 300
