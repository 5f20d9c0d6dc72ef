"""The four formats of the study's table 2 and the released models' own, to the letter."""

from __future__ import annotations

import hashlib
import re
from dataclasses import astuple
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apollo_core.clip import Clip
from apollo_core.design import FpsSampling, Integration, UniformSampling
from apollo_core.errors import BadData
from apollo_core.media.manifest_record import Item
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.sampling import sample
from apollo_core.scoring.likelihood import write_prompt
from apollo_core.text.integration import (
    CUT,
    END,
    FORMATS,
    START,
    VISUAL,
    clock,
    in_words,
    long_clock,
    without_marks,
    write_still,
    write_video,
)

CLIPS = [Clip(start, start + 2, (0, 0), (start + 0.5, start + 1.5)) for start in (0.0, 2.0)]


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
        (
            "seconds",
            "You are provided the following series of two, 2 second clips from a 0:00:04 [H:MM:SS] "
            "video.\n0.0-2.0 seconds: <vid_token>,\n2.0-4.0 seconds: <vid_token>",
        ),
    ],
)
def test_a_video_is_written_to_the_letter(integration, expected):
    assert readable(write_video(CLIPS, integration, duration=4.0)) == expected


# A changed template under the same version would leave a stage's key as it was.
TEMPLATES = {
    "plain": (1, "30b168e5d1f3"),
    "separators": (1, "7abb3e73f43e"),
    "timestamps": (1, "7fa1e233aa73"),
    "timestamps-separators": (1, "d6ef6cb41980"),
    "seconds": (1, "0c45cc151f69"),
}


def test_a_template_changes_only_with_its_version():
    found = {
        name: (form.version, hashlib.sha256(repr(astuple(form)[1:]).encode()).hexdigest()[:12])
        for name, form in FORMATS.items()
    }
    assert found == TEMPLATES


@pytest.mark.parametrize(
    ("integration", "expected"),
    [
        ("plain", "<vid_token>"),
        ("separators", "<vid_start><vid_token><vid_end>"),
        ("timestamps", "<vid_token>"),
        ("timestamps-separators", "<vid_start><vid_token><vid_end>"),
        ("seconds", "<vid_token>"),
    ],
)
def test_an_image_has_no_timestamp(integration, expected):
    assert readable(write_still(integration)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        *((0.0, "00:00"), (59.999, "00:59"), (60.0, "01:00"), (3599.5, "59:59"), (4503.2, "75:03")),
        (1.9999999999999998, "00:02"),  # 3 fps, clips of two frames
    ],
)
def test_the_clock_rounds_down_and_counts_minutes_past_an_hour(seconds, expected):
    assert clock(seconds) == expected


@pytest.mark.parametrize(("fps", "frames"), [(3, 2), (10, 4), (5, 16), (30, 8)])
def test_the_clock_of_a_clip_is_that_of_whole_seconds_where_it_begins_with_one(fps, frames):
    sampling = FpsSampling(mode="fps", fps=fps, frames_per_clip=frames, max_clips=1000)
    for count in (7, 8, 9, 59):
        clips = sample([0.0], count * frames / fps, sampling)
        expected = [
            f"{i * frames // fps // 60:02d}:{i * frames // fps % 60:02d}" for i in range(count)
        ]
        assert [clock(clip.start) for clip in clips] == expected


def test_seconds_between_two_decimals_do_not_depend_on_the_noise_of_floats():
    noisy = [Clip(0.0, 0.7499999999999999, (0, 0), (0.25, 0.5))]
    exact = [Clip(0.0, 0.75, (0, 0), (0.25, 0.5))]
    assert write_video(noisy, "seconds", duration=0.75) == write_video(
        exact, "seconds", duration=0.75
    )
    assert long_clock(3.4999999999999996) == long_clock(3.5)


def test_a_clip_beyond_an_hour_is_written_in_minutes():
    late = [Clip(3598.0, 3602.0, (0,), (3600.0,)), Clip(7198.0, 7202.0, (0,), (7200.0,))]
    assert readable(write_video(late, "timestamps", duration=7202.4)) == (
        "clip from 59:58-60:02: <vid_token>\nclip from 119:58-120:02: <vid_token>"
    )
    assert readable(write_video(late, "seconds", duration=7202.4)) == (
        "You are provided the following series of two, 4 second clips from a 2:00:02 [H:MM:SS] "
        "video.\n3598.0-3602.0 seconds: <vid_token>,\n7198.0-7202.0 seconds: <vid_token>"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "0:00:00"), (59.97, "0:01:00"), (3599.4, "0:59:59"), (90061.0, "25:01:01")],
)
def test_the_long_clock_rounds_and_counts_hours(seconds, expected):
    assert long_clock(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "one"),
        (13, "thirteen"),
        (20, "twenty"),
        (42, "forty-two"),
        (100, "one hundred"),
        (105, "one hundred and five"),
        (1000, "one thousand"),
        (1005, "one thousand and five"),
        (1100, "one thousand, one hundred"),
        (9999, "nine thousand, nine hundred and ninety-nine"),
        (21_300, "twenty-one thousand, three hundred"),
    ],
)
def test_numbers_are_written_in_words(number, expected):
    assert in_words(number) == expected


def test_a_number_that_has_no_words_here_is_refused():
    with pytest.raises(ValueError, match="0 to 999999"):
        in_words(10**6)


def clock_spans(text: str) -> list[tuple[float, float]]:
    """Spans in seconds, read back from MM:SS."""
    found = re.findall(r"clip from (\d+):(\d\d)-(\d+):(\d\d): ", text)
    return [(60.0 * int(a) + int(b), 60.0 * int(c) + int(d)) for a, b, c, d in found]


def second_spans(text: str) -> list[tuple[float, float]]:
    found = re.findall(r"^(\d+\.\d)-(\d+\.\d) seconds: ", text, re.MULTILINE)
    return [(float(start), float(end)) for start, end in found]


samplings = st.one_of(
    st.builds(
        lambda rate, frames, clips: FpsSampling(
            mode="fps", fps=rate, frames_per_clip=frames, max_clips=clips
        ),
        st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.7]),
        st.integers(1, 8),
        st.integers(1, 30),
    ),
    st.builds(
        lambda clips: UniformSampling(mode="uniform", frames=4 * clips, frames_per_clip=4),
        st.integers(1, 30),
    ),
)


@given(st.floats(0.1, 20_000), samplings)
def test_what_was_written_reads_back_to_the_clips_spans(duration, sampling):
    clips = sample([0.0], duration, sampling)
    for integration in FORMATS:
        text = write_video(clips, integration, duration=duration)
        assert text.count(VISUAL) == len(clips)
        if integration.startswith("timestamps"):
            spans = [(round(clip.start, 6), round(clip.end, 6)) for clip in clips]
            assert clock_spans(text) == [(int(start), int(end)) for start, end in spans]
        if integration == "seconds":
            expected = [pytest.approx((clip.start, clip.end), abs=0.051) for clip in clips]
            assert second_spans(text) == expected


def test_a_video_shorter_than_a_clip_keeps_the_clips_length_in_its_introduction():
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=9)
    text = readable(write_video(sample([0.0], 0.6, sampling), "seconds", duration=0.6))
    assert "series of one, 2 second clips from a 0:00:01 [H:MM:SS] video" in text
    assert text.endswith("\n0.0-0.6 seconds: <vid_token>")


def test_every_level_has_a_template():
    assert set(FORMATS) == set(get_args(Integration))


def test_the_microworlds_tokenizer_knows_every_word_of_every_format():
    tokenizer = build_tokenizer()
    sampling = FpsSampling(mode="fps", fps=4, frames_per_clip=4, max_clips=16)
    for count in range(1, 17):
        clips = sample([0.0], float(count), sampling)
        assert len(clips) == count
        for integration in FORMATS:
            text = write_video(clips, integration, duration=float(count))
            for mark in (VISUAL, START, END):
                text = text.replace(mark, " ")
            assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def test_the_microworlds_tokenizer_knows_the_letters_and_words_of_lettered_prompts():
    tokenizer = build_tokenizer()
    options = tuple("12345678")
    item = Item("q", "v.mp4", "which digit is shown first?", options, 0, "temporal_ocr")
    prompt = write_prompt(item, "", "lettered-v1")
    assert "\nH. 8\n" in prompt
    assert tokenizer.unk_token_id not in tokenizer(prompt)["input_ids"]


@pytest.mark.parametrize("mark", [VISUAL, START, END, CUT])
def test_private_use_characters_in_data_are_refused(mark):
    with pytest.raises(BadData, match=r"U\+E000 to U\+E003"):
        without_marks(f"which digit{mark}?")
    assert without_marks("which digit\ue004?") == "which digit\ue004?"
