import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.store.scratch import remove_leftovers, scratch_folder

KILLED = """
import os, signal
from orchestrator.store.scratch import scratch_folder
with scratch_folder(longest=500) as folder:
    (folder / "inner").mkdir()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_the_folder_of_a_run_is_gone_after_it(temporary):
    with scratch_folder(longest=500) as folder:
        (folder / "session").mkdir()
        assert folder.parent == temporary
    assert not list(temporary.iterdir())


def test_the_folder_of_a_killed_run_is_removed_by_the_next(temporary):
    command = [sys.executable, "-c", KILLED]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    left = Path(said.strip())
    assert (left / "inner").is_dir()
    with scratch_folder(longest=500):
        assert not left.exists()


def test_a_folder_in_use_or_of_somebody_else_is_left_alone(temporary):
    (temporary / "apollo-data").mkdir()
    with scratch_folder(longest=500) as folder:
        remove_leftovers(temporary)
        assert folder.is_dir()
    assert [path.name for path in temporary.iterdir()] == ["apollo-data"]


def test_a_path_too_long_for_sockets_lies_in_tmp(temporary):
    with scratch_folder(longest=30) as folder:
        assert folder.parent == Path("/tmp")
        assert len(str(folder)) <= 30
