"""One sweep file, and one store in which it ran undisturbed, for all tests of the whole way."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from apollo_command import SWEEP, Apollo, processes_of, wait_until


@pytest.fixture(scope="session")
def temporary() -> Iterator[Path]:
    """A short path: Ray's sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="aw", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "whole.yaml"
    path.write_text(SWEEP)
    return path


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, temporary: Path, sweep: Path) -> Apollo:
    """A store in which the sweep ran on Ray, from beginning to end, and what the run left."""
    apollo = Apollo(tmp_path_factory.mktemp("undisturbed") / "store", temporary)
    driver = apollo.start("run", sweep)
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    assert out == ""
    assert "15 of 15 stages done (0 before, 15 now)" in err
    wait_until(lambda: not processes_of(driver), seconds=10, what="Ray's processes end")
    assert not list(temporary.glob("*apollo-*"))
    return apollo


@pytest.fixture
def fresh(tmp_path: Path, temporary: Path) -> Apollo:
    """An empty store."""
    return Apollo(tmp_path / "store", temporary)


@pytest.fixture(scope="session")
def scores(undisturbed: Apollo, sweep: Path) -> bytes:
    """The score table of the undisturbed run."""
    return undisturbed.scores(sweep)
