from __future__ import annotations

import numpy as np
import pytest

from apollo_core.errors import DecodeFailed
from apollo_core.media.frame_cache import FrameCache, Key, file_key
from apollo_core.media.frames import ClipFrames, clip_frames
from apollo_core.sampling import image_clip


def entry(size: int) -> ClipFrames:
    """A still whose pixels take `3 * size * size` bytes."""
    pixels = np.zeros((1, size, size, 3), np.uint8)
    return clip_frames((0,), pixels, (image_clip(1),), duration=0, rate=0)


def key(name: str) -> Key:
    return name, 0, 0, ()


def test_the_least_recently_used_entry_goes_first_and_the_bound_holds():
    cache = FrameCache(max_bytes=2 * 300)
    made: list[str] = []

    def get(name: str) -> None:
        cache.get(key(name), lambda: (made.append(name), entry(10))[1])
        assert cache.bytes <= cache.max_bytes

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"]
    assert (len(cache), cache.hits) == (2, 2)


def test_an_entry_larger_than_the_cache_is_handed_on_and_drops_nothing():
    cache = FrameCache(max_bytes=300)
    cache.get(key("small"), lambda: entry(10))
    assert cache.get(key("large"), lambda: entry(11)).pixels.nbytes == 363
    assert (len(cache), cache.bytes) == (1, 300)


def test_a_failure_is_not_kept():
    cache = FrameCache(max_bytes=300)

    def fail() -> ClipFrames:
        raise DecodeFailed("a.mp4", "is damaged")

    with pytest.raises(DecodeFailed):
        cache.get(key("a"), fail)
    assert cache.get(key("a"), lambda: entry(10)).pixels.shape == (1, 10, 10, 3)


def test_a_key_changes_with_the_file_and_with_what_is_asked_of_it(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    first = file_key(path, "video", 64)
    assert file_key(path, "video", 64) == first
    assert file_key(path, "video", 32) != first
    path.write_bytes(b"three")
    assert file_key(path, "video", 64) != first
