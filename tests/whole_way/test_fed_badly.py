"""What cannot run ends with exit code 2 and one message, and leaves nothing behind."""

from pathlib import Path

import pytest
from apollo_command import SWEEP, Apollo

SWEEPS = Path(__file__).parent.parent.parent / "sweeps"


def assert_refused(said, *words):
    code, out, err = said
    assert (code, out) == (2, ""), err
    assert err.count("apollo: ") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_a_missing_manifest_is_named(fresh, tmp_path):
    (tmp_path / "data").mkdir()
    world = SWEEP[SWEEP.index("  microworld:") : SWEEP.index("  sets:")]
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(SWEEP.replace(world, f'  root: "{tmp_path / "data"}"\n'))
    assert_refused(fresh("run", sweep), "bench.jsonl", "not at hand")
    assert not fresh.store.exists()


def test_a_store_that_is_a_file_is_refused_and_left_as_it_is(sweep, tmp_path, temporary):
    path = tmp_path / "store"
    path.write_text("mine")
    assert_refused(Apollo(path, temporary)("run", sweep), str(path), "--store")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("place", ["/proc/apollo/store", "/dev/null/store"])
def test_a_store_that_cannot_be_made_is_refused(sweep, temporary, place):
    assert_refused(Apollo(Path(place), temporary)("run", sweep), place, "--store")


def test_the_study_at_paper_scale_is_refused_for_what_it_lacks(fresh):
    said = fresh("run", SWEEPS / "apollo84.yaml")
    assert_refused(said, "not pinned", "internvideo2", "revision")
    assert not fresh.store.exists()
