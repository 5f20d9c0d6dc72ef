"""Copies on a machine's own disk stay within their bound, and what is in use stays."""

import os
import threading

import pytest

from apollo_core.errors import BadInput
from apollo_core.media.scratch_cache import ScratchCache, scratch_cache


def bring(content):
    return lambda target: target.write_bytes(content)


def aged(path, seconds):
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns - int(seconds * 1e9), stat.st_mtime_ns))


def test_a_copy_is_made_once_and_made_again_when_its_size_has_changed(tmp_path):
    cache = ScratchCache(tmp_path, 1000)
    made = []

    def make(target):
        made.append(target)
        target.write_bytes(b"x" * 10)

    for _ in range(3):
        assert cache.get("a/b.mp4", 10, make).read_bytes() == b"x" * 10
    assert len(made) == 1
    cache.get("a/b.mp4", 12, bring(b"y" * 12))
    assert (tmp_path / "a" / "b.mp4").read_bytes() == b"y" * 12


def test_what_was_used_longest_ago_goes_first_until_there_is_room(tmp_path):
    cache = ScratchCache(tmp_path, 100, in_use=1)
    old, used = (cache.get(name, 40, bring(b"x" * 40)) for name in ("old", "used"))
    aged(old, 100)
    aged(used, 200)
    cache.get("used", 40, bring(b""))  # used again: now the younger one
    cache.get("new", 40, bring(b"x" * 40))
    assert not old.exists()
    assert used.exists()
    assert cache.bytes() <= 100


def test_what_is_in_use_stays_though_the_bound_is_passed(tmp_path):
    cache = ScratchCache(tmp_path, 100)
    for name in "abcd":
        cache.get(name, 40, bring(b"x" * 40))
    assert cache.bytes() == 160


def test_a_failed_fetch_leaves_nothing(tmp_path):
    def fail(target):
        target.write_bytes(b"half")
        raise OSError("connection reset")

    cache = ScratchCache(tmp_path, 100)
    with pytest.raises(OSError, match="reset"):
        cache.get("a", 10, fail)
    assert cache.bytes() == 0


def test_two_that_want_a_file_at_once_fetch_it_once(tmp_path):
    caches = [ScratchCache(tmp_path, 100) for _ in range(2)]
    made, begun = [], threading.Event()

    def slow(target):
        made.append(target)
        begun.set()
        threading.Event().wait(0.1)
        target.write_bytes(b"x")

    threads = [threading.Thread(target=cache.get, args=("a", 1, slow)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_reading_a_copy_again_does_not_look_like_a_changed_file(tmp_path):
    cache = ScratchCache(tmp_path, 100)
    before = cache.get("a", 1, bring(b"x")).stat().st_mtime_ns
    assert cache.get("a", 1, bring(b"y")).stat().st_mtime_ns == before


@pytest.mark.parametrize("told", ["none", "-1", "0", "inf", "nan"])
def test_a_bound_that_is_no_number_of_gigabytes_is_refused(monkeypatch, told):
    monkeypatch.setenv("APOLLO_SCRATCH_GB", told)
    with pytest.raises(BadInput, match="APOLLO_SCRATCH_GB"):
        scratch_cache()
