"""The four formats of the study's table 2, to the letter."""

from __future__ import annotations

import pytest

from apollo_core.errors import BadData
from apollo_core.integration import (
    END,
    START,
    VISUAL,
    clock,
    without_marks,
    write_still,
    write_video,
)
from apollo_core.sampling import Clip

CLIPS = [Clip(start, start + 2, (0, 0), (start, start)) for start in (0.0, 2.0)]


def readable(text: str) -> str:
    for mark, name in ((VISUAL, "<vid_token>"), (START, "<vid_start>"), (END, "<vid_end>")):
        text = text.replace(mark, name)
    return text


@pytest.mark.parametrize(
    ("integration", "expected"),
    [
        ("plain", "<vid_token><vid_token>"),
        (
            "separators",
            "<vid_start><vid_token><vid_end><vid_start><vid_token><vid_end>",
        ),
        (
            "timestamps",
            "clip from 00:00-00:02: <vid_token>\nclip from 00:02-00:04: <vid_token>",
        ),
        (
            "timestamps-separators",
            "clip from 00:00-00:02: <vid_start><vid_token><vid_end>\n"
            "clip from 00:02-00:04: <vid_start><vid_token><vid_end>",
        ),
    ],
)
def test_a_video_is_written_as_table_2_says(integration, expected):
    assert readable(write_video(CLIPS, integration)) == expected


@pytest.mark.parametrize(
    ("integration", "expected"),
    [
        ("plain", "<vid_token>"),
        ("separators", "<vid_start><vid_token><vid_end>"),
        ("timestamps", "<vid_token>"),
        ("timestamps-separators", "<vid_start><vid_token><vid_end>"),
    ],
)
def test_an_image_has_no_timestamp(integration, expected):
    assert readable(write_still(integration)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "00:00"), (59.999, "00:59"), (60.0, "01:00"), (3599.5, "59:59"), (4503.2, "75:03")],
)
def test_the_clock_rounds_down_and_counts_minutes_past_an_hour(seconds, expected):
    assert clock(seconds) == expected


def test_a_clip_beyond_an_hour_is_written_in_minutes():
    late = [Clip(3598.0, 3602.0, (0,), (3600.0,))]
    assert readable(write_video(late, "timestamps")) == "clip from 59:58-60:02: <vid_token>"


@pytest.mark.parametrize("mark", [VISUAL, START, END])
def test_private_use_characters_in_data_are_refused(mark):
    with pytest.raises(BadData, match=r"U\+E000 to U\+E002"):
        without_marks(f"which digit{mark}?")
    assert without_marks("which digit\ue003?") == "which digit\ue003?"
