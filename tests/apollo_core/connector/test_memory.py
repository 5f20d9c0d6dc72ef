"""What the text says of a long video whose clips are merged."""

from __future__ import annotations

import pytest

from apollo_core.clip import Clip
from apollo_core.connector.memory import Stretch, places, written_clips
from apollo_core.design import MemoryBank
from apollo_core.text.integration import END, START, VISUAL, write_video

MEMORY = MemoryBank(long=3, recent=2)


def clips(count: int) -> list[Clip]:
    return [Clip(2.0 * i, 2.0 * i + 2, (0,), (2.0 * i,)) for i in range(count)]


def test_earlier_clips_share_one_stretch_and_the_last_ones_stand_alone():
    assert written_clips(clips(9), MEMORY) == (
        Stretch(0.0, 14.0, 3),
        Stretch(14.0, 16.0, 1),
        Stretch(16.0, 18.0, 1),
    )


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_video_within_the_bound_is_written_clip_by_clip(count):
    assert written_clips(clips(count), MEMORY) == written_clips(clips(count), None)
    assert [one.places for one in written_clips(clips(count), None)] == [1] * count


@pytest.mark.parametrize("count", [1, 5, 6, 40])
def test_the_places_written_are_the_places_counted(count):
    for memory in (None, MEMORY, MemoryBank(long=1, recent=1)):
        assert sum(one.places for one in written_clips(clips(count), memory)) == places(
            count, memory
        )


def test_a_merged_stretch_is_one_line_with_all_its_places():
    assert write_video(clips(7), "timestamps-separators", duration=14.0, memory=MEMORY) == (
        f"clip from 00:00-00:10: {START}{VISUAL * 3}{END}\n"
        f"clip from 00:10-00:12: {START}{VISUAL}{END}\n"
        f"clip from 00:12-00:14: {START}{VISUAL}{END}"
    )
    assert write_video(clips(7), "plain", duration=14.0, memory=MEMORY) == VISUAL * 5


def test_a_merged_stretch_counts_as_one_clip_and_no_length_is_claimed_that_it_lacks():
    merged = write_video(clips(7), "seconds", duration=14.0, memory=MEMORY)
    assert merged == (
        "You are provided the following series of three clips from a 0:00:14 [H:MM:SS] video.\n"
        f"0.0-10.0 seconds: {VISUAL * 3},\n"
        f"10.0-12.0 seconds: {VISUAL},\n"
        f"12.0-14.0 seconds: {VISUAL}"
    )
    one_place = write_video(clips(3), "seconds", duration=6.0, memory=MemoryBank(long=1, recent=1))
    assert "series of two clips from" in one_place
    whole = write_video(clips(5), "seconds", duration=10.0, memory=MEMORY)
    assert whole == write_video(clips(5), "seconds", duration=10.0)
    assert "series of five," in whole
