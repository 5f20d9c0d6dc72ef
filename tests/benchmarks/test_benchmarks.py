"""The benchmarks run: what they print is looked at by people, not by tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def printed(script: str, *options: str) -> list[str]:
    """The lines of a benchmark's table."""
    command = [sys.executable, str(HERE / script), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow
def test_a_step_is_timed_with_encoders_trained_frozen_and_cached(tmp_path):
    figures = tmp_path / "figures.json"
    short = ("--steps", "2", "--rounds", "1", "--sizes", "qwen2-xs", "--json", str(figures))
    head, *rows = printed("core.py", *short)
    assert "plain/ours" in head
    assert [row.split()[2].strip(",") for row in rows] == ["trained", "frozen", "frozen", "cached"]
    assert all(row["ours"]["ms_per_step"] > 0 for row in json.loads(figures.read_text())["rows"])


@pytest.mark.slow
def test_the_full_size_steps_run_in_miniature():
    _, *rows = printed("full_size.py", "--tiny", "--steps", "3", "--videos", "2")
    assert [row.split()[0] for row in rows] == ["align", "vision", "sft"]


@pytest.mark.slow
def test_decoders_are_compared_in_speed_frames_and_memory():
    _, *rows, decodes, share = printed("decoders.py", "--quick", "--rounds", "1", "--decodes", "40")
    assert [row.split()[2] for row in rows if "pyav" in row] == ["pyav"] * 2
    assert all(" 0.0% " in row for row in rows if "pyav" in row)
    assert decodes.startswith("40 decodes")
    assert "read ahead" in share


@pytest.mark.slow
def test_rules_that_choose_items_are_judged_at_two_costs():
    _, _, *rows = printed("curation.py", "--splits", "2", "--draws", "1")
    assert [row.split("|")[1].strip() for row in rows] == ["300"] * 6 + ["50"] * 6


def test_simulated_sweeps_end_within_a_tenth_of_the_least_that_any_schedule_needs():
    _, *rows = printed("makespan.py", "--seeds", "1")
    over = [float(row.split()[-3].removesuffix("%")) for row in rows]
    assert len(over) == 6
    assert max(over) < 10


@pytest.mark.slow
def test_readers_of_the_microworld_are_asked_of_every_family_in_time_and_space():
    lines = printed("world_probes.py", "--films", "24")
    blank = lines.index("")
    assert len(lines[:blank]) == 2 + 9
    assert len(lines[blank + 1 :]) == 2 + 4 + 2


@pytest.mark.slow
def test_pictures_of_the_microworld_are_drawn(tmp_path):
    printed("world_pictures.py", "--out", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"films.png", "looks.png"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 300_000
