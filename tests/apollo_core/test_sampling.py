from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apollo_core.design import FpsSampling, Sampling, UniformSampling
from apollo_core.errors import BadInput
from apollo_core.media.reader import MediaReader
from apollo_core.sampling import (
    CLOCK_STEP,
    Sampled,
    center_frame,
    covering_clips,
    image_clip,
    realised,
    record,
    sample,
)


def fps(rate: float, *, frames_per_clip: int = 4, max_clips: int = 1000) -> FpsSampling:
    return FpsSampling(mode="fps", fps=rate, frames_per_clip=frames_per_clip, max_clips=max_clips)


def uniform(frames: int, *, frames_per_clip: int = 4) -> UniformSampling:
    return UniformSampling(mode="uniform", frames=frames, frames_per_clip=frames_per_clip)


def constant_rate(rate: float, count: int) -> tuple[list[float], float]:
    return [i / rate for i in range(count)], count / rate


@st.composite
def videos(draw: st.DrawFn) -> tuple[list[float], float]:
    """Frame starts with any gaps from 4 ms to 3 s, and the end of the last frame."""
    gaps = draw(st.lists(st.integers(4, 3000), min_size=1, max_size=120))
    ends = list(itertools.accumulate(gaps))
    return [0.0, *(end / 1000 for end in ends[:-1])], ends[-1] / 1000


samplings = st.builds(
    fps,
    st.floats(0.25, 30),
    frames_per_clip=st.integers(1, 16),
    max_clips=st.integers(1, 40),
)


@given(videos(), samplings)
def test_the_asked_step_is_constant_inside_every_clip(video, sampling):
    starts, duration = video
    for clip in sample(starts, duration, sampling):
        assert np.allclose(np.diff(clip.times), 1 / sampling.fps)


@given(videos(), samplings)
def test_every_clip_is_full_and_runs_forward_inside_the_video(video, sampling):
    starts, duration = video
    clips = sample(starts, duration, sampling)
    assert 1 <= len(clips) <= sampling.max_clips
    for clip in clips:
        assert len(clip.frames) == len(clip.times) == sampling.frames_per_clip
        assert list(clip.frames) == sorted(clip.frames)
        assert 0 <= clip.frames[0] <= clip.frames[-1] < len(starts)
        assert 0 <= clip.start <= clip.end <= duration
    for one, other in itertools.pairwise(clips):
        assert one.start < other.start
        assert one.frames[0] <= other.frames[0]


@given(videos(), samplings)
def test_the_first_clip_starts_and_the_last_ends_with_the_video(video, sampling):
    starts, duration = video
    clips = sample(starts, duration, sampling)
    if len(clips) > 1:
        assert clips[0].start == 0
        assert clips[-1].end == pytest.approx(duration)


@given(videos(), samplings)
def test_within_the_budget_no_moment_is_left_out_for_longer_than_a_step(video, sampling):
    starts, duration = video
    clips = sample(starts, duration, sampling)
    if len(clips) < sampling.max_clips:
        edges = [0.0, *(edge for clip in clips for edge in (clip.start, clip.end)), duration]
        gaps = [after - before for before, after in zip(edges[::2], edges[1::2], strict=True)]
        assert max(gaps) <= 1 / sampling.fps


@given(videos(), samplings)
def test_each_frame_is_the_one_on_screen_at_the_moment_asked(video, sampling):
    starts, duration = video
    for clip in sample(starts, duration, sampling):
        for frame, moment in zip(clip.frames, clip.times, strict=True):
            on_screen = [i for i, start in enumerate(starts) if start <= moment + CLOCK_STEP]
            assert frame == on_screen[-1]


@given(st.integers(1, 30), st.integers(1, 16), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_a_whole_number_of_clips_is_neither_padded_nor_overlapped(count, frames_per_clip, rate):
    starts, duration = constant_rate(8 * rate, 8 * count * frames_per_clip)
    clips = sample(starts, duration, fps(rate, frames_per_clip=frames_per_clip))
    assert len(clips) == count
    frames = [frame for clip in clips for frame in clip.frames]
    assert np.all(np.diff(frames) == 8)


def test_a_rate_that_does_not_divide_the_source_does_not_drift():
    starts, duration = constant_rate(30000 / 1001, 2997)
    clips = sample(starts, duration, fps(2))
    chosen = np.array([starts[frame] for clip in clips for frame in clip.frames])
    asked = np.array([moment for clip in clips for moment in clip.times])
    assert np.all(asked - chosen < 1001 / 30000)
    assert {int(step) for step in np.diff([clip.frames for clip in clips]).ravel()} == {14, 15}


def test_variable_frame_rate_is_read_by_time_and_not_by_index():
    starts = [0.0, 0.01, 0.02, 0.03, 0.04, 1.0, 2.0, 3.0]
    (clip,) = sample(starts, 4.0, fps(1))
    assert clip.times == (0.5, 1.5, 2.5, 3.5)
    assert clip.frames == (4, 5, 6, 7)


def test_over_the_budget_clips_are_spread_and_keep_their_rate():
    starts, duration = constant_rate(10, 1000)
    clips = sample(starts, duration, fps(2, max_clips=5))
    assert [clip.start for clip in clips] == pytest.approx([0, 24.5, 49, 73.5, 98])
    assert all(np.all(np.diff(clip.frames) == 5) for clip in clips)


def test_a_budget_of_one_clip_takes_the_middle():
    starts, duration = constant_rate(10, 100)
    (clip,) = sample(starts, duration, fps(2, max_clips=1))
    assert (clip.start, clip.end) == (4, 6)


def test_a_rest_of_one_frame_does_not_earn_a_clip_and_a_longer_rest_does():
    starts, _ = constant_rate(25, 226)
    assert len(sample(starts[:201], 8.04, fps(2))) == 4
    clips = sample(starts[:225], 9.0, fps(2))
    assert [clip.start for clip in clips] == pytest.approx([0, 1.75, 3.5, 5.25, 7])


def test_a_source_slower_than_asked_repeats_what_is_on_screen():
    starts, duration = constant_rate(1, 4)
    clips = sample(starts, duration, fps(2))
    assert [clip.frames for clip in clips] == [(0, 0, 1, 1), (2, 2, 3, 3)]
    assert realised(clips, starts) == pytest.approx(1)


def test_a_video_shorter_than_a_clip_stays_on_its_last_frame():
    (clip,) = sample([0.0, 0.3], 0.6, fps(2))
    assert clip.frames == (0, 1, 1, 1)
    assert (clip.start, clip.end) == (0, 0.6)


def test_a_clock_in_whole_milliseconds_does_not_move_a_moment_that_falls_on_a_frame_edge():
    exact, duration = constant_rate(30, 240)
    rounded = [round(start, 3) for start in exact]
    for sampling in (fps(2), fps(15), uniform(60)):
        assert [clip.frames for clip in sample(exact, duration, sampling)] == [
            clip.frames for clip in sample(rounded, duration, sampling)
        ]


@given(videos(), st.integers(1, 8), st.integers(1, 8))
def test_uniform_takes_the_middles_of_equal_slots(video, clip_count, frames_per_clip):
    starts, duration = video
    frames = clip_count * frames_per_clip
    clips = sample(starts, duration, uniform(frames, frames_per_clip=frames_per_clip))
    times = [moment for clip in clips for moment in clip.times]
    assert len(clips) == clip_count
    assert times == pytest.approx([(i + 0.5) * duration / frames for i in range(frames)])
    assert clips[0].start == 0
    assert clips[-1].end == pytest.approx(duration)


def test_the_centre_frame_fills_one_clip():
    starts, duration = constant_rate(10, 100)
    (clip,) = center_frame(starts, duration, frames_per_clip=4)
    assert clip.frames == (50, 50, 50, 50)
    assert (clip.start, clip.end) == (5, 5)


def test_an_image_is_a_clip_without_length():
    clip = image_clip(4)
    assert clip.frames == (0, 0, 0, 0)
    assert (clip.start, clip.end) == (0, 0)


def test_the_realised_rate_is_the_one_of_the_frames_shown():
    starts, duration = constant_rate(24, 240)
    assert realised(sample(starts, duration, fps(2)), starts) == pytest.approx(2)
    assert realised(sample(starts, duration, uniform(20)), starts) == pytest.approx(2)
    assert realised(sample(starts, duration, fps(2, frames_per_clip=1)), starts) == pytest.approx(2)
    assert realised((image_clip(4),), [0.0]) == 0


@pytest.mark.parametrize(
    ("starts", "duration"),
    [([], 1.0), ([1.0, 0.5], 2.0), ([-1.0, 0.0], 1.0), ([0.0, 5.0], 4.0), ([0.0], float("nan"))],
)
def test_timestamps_that_cannot_be_are_refused(starts, duration):
    with pytest.raises(BadInput):
        sample(starts, duration, fps(2))


def recorded(starts: list[float], duration: float, sampling: Sampling) -> Sampled:
    clips = sample(starts, duration, sampling)
    return record(clips, sampling, duration=duration, rate=realised(clips, starts))


def test_the_record_says_what_was_asked_and_what_was_had():
    starts, duration = constant_rate(10, 1000)
    assert recorded(starts, duration, fps(2)).row(sample="v0", medium="videos/v0.mp4") == {
        "sample": "v0",
        "medium": "videos/v0.mp4",
        "mode": "fps",
        "fps": 2.0,
        "realised_fps": 2.0,
        "clips": 50,
        "cut": False,
        "first": 0.25,
        "last": 99.75,
        "duration": 100.0,
    }


@given(videos(), samplings)
def test_the_record_says_whether_the_budget_left_gaps(video, sampling):
    starts, duration = video
    found = recorded(starts, duration, sampling)
    assert found.cut == (covering_clips(duration, sampling) > found.clips)
    assert 0 <= found.first <= found.last <= duration
    assert found.fps == sampling.fps


def test_an_fps_arm_over_its_budget_does_not_turn_uniform():
    starts, duration = constant_rate(10, 6000)
    tight = recorded(starts, duration, fps(2, max_clips=3))
    assert (tight.cut, tight.realised_fps) == (True, pytest.approx(2))
    spread = recorded(starts, duration, uniform(12))
    assert (spread.mode, spread.fps, spread.cut) == ("uniform", None, False)
    assert spread.realised_fps == pytest.approx(12 / duration)


def test_the_record_of_a_slow_source_has_the_rate_of_the_source():
    starts, duration = constant_rate(1, 60)
    assert recorded(starts, duration, fps(4)).realised_fps == pytest.approx(1)
    assert recorded([0.0], 2.0, fps(4)).realised_fps == 0


SOURCES = [10.0, 15.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 120.0]


@given(st.sampled_from(SOURCES), st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.0, 7.0]))
def test_no_stride_is_rounded_so_no_clip_plays_faster_than_asked(source, rate):
    # 29.97 / 2 floored is a stride of 14: clips 7 % too fast, and the end of a video never reached.
    starts, duration = constant_rate(source, round(source * 60))
    clips = sample(starts, duration, fps(rate, frames_per_clip=16))
    for clip in clips:
        shown = np.array([starts[frame] for frame in clip.frames])
        assert np.all(np.abs(shown - clip.times) <= 1 / source + CLOCK_STEP)
        assert shown[-1] - shown[0] == pytest.approx(15 / rate, abs=1 / source + 1e-6)
    assert realised(clips, starts) == pytest.approx(rate, rel=rate / source / 15 + 1e-6)


@given(st.sampled_from(SOURCES), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_times_are_seconds_of_the_video_and_not_indices_over_a_stride(source, rate):
    starts, duration = constant_rate(source, round(source * 40))
    clips = sample(starts, duration, fps(rate))
    assert clips[-1].end == pytest.approx(duration)
    assert clips[-1].times[-1] == pytest.approx(duration - 0.5 / rate)
    assert starts[clips[-1].frames[-1]] == pytest.approx(duration - 0.5 / rate, abs=1 / source)


@given(videos(), st.floats(0.5, 30), st.integers(1, 8), st.integers(2, 6))
def test_over_the_budget_the_whole_video_is_spanned_evenly(video, rate, frames_per_clip, budget):
    starts, duration = video
    sampling = fps(rate, frames_per_clip=frames_per_clip, max_clips=budget)
    if covering_clips(duration, sampling) <= budget:
        return
    clips = sample(starts, duration, sampling)
    assert len(clips) == budget
    assert (clips[0].start, clips[-1].end) == (0, pytest.approx(duration))
    between = np.diff([clip.start for clip in clips])
    assert np.allclose(between, between[0])
    assert between[0] >= frames_per_clip / rate - 1e-9
    assert all(np.allclose(np.diff(clip.times), 1 / rate) for clip in clips)


@given(videos(), st.integers(1, 16))
def test_a_video_shorter_than_a_clip_is_one_clip_from_start_to_end(video, frames_per_clip):
    starts, duration = video
    rate = min(0.999 * frames_per_clip / duration, 1000)  # the most that a design may ask for
    (clip,) = sample(starts, duration, fps(rate, frames_per_clip=frames_per_clip))
    assert (clip.start, clip.end) == (0, duration)
    assert len(clip.frames) == frames_per_clip


@given(st.floats(0.2, 2), st.integers(4, 60), st.sampled_from([4.0, 8.0, 24.0]))
def test_a_source_slower_than_asked_shows_every_frame_at_its_own_rate(source, count, rate):
    starts, duration = constant_rate(source, count)
    sampling = fps(rate, max_clips=10_000)
    clips = sample(starts, duration, sampling)
    assert {frame for clip in clips for frame in clip.frames} == set(range(count))
    found = record(clips, sampling, duration=duration, rate=realised(clips, starts))
    assert found.realised_fps == pytest.approx(source, rel=0.01)
    assert (found.fps, found.cut) == (rate, False)


@given(st.integers(1, 20), st.sampled_from([1, 2, 4, 8]))
def test_uniform_sampling_that_divides_the_video_repeats_and_skips_nothing(clips, frames_per_clip):
    starts, duration = constant_rate(25, clips * frames_per_clip)
    frames = clips * frames_per_clip
    found = sample(starts, duration, uniform(frames, frames_per_clip=frames_per_clip))
    assert [frame for clip in found for frame in clip.frames] == list(range(frames))


def test_a_stage_records_the_sampling_of_real_videos(decoder, numbered_video, tmp_path):
    steady = numbered_video("steady.mp4", range(0, 2000, 40))
    wild = numbered_video("wild.mp4", [0, 40, 80, 120, 160, 1000, 2000, 3000])
    reader = MediaReader(decoder, tmp_path, fps(2, max_clips=2), "plain", 16)
    (first,) = reader.video(steady.name).sampled
    (second,) = reader.video(wild.name).sampled
    assert first is not None
    assert second is not None
    assert (first.clips, first.cut, first.realised_fps) == (1, False, pytest.approx(2, rel=0.05))
    assert second.realised_fps < 2  # one frame a second from the first second on
    assert reader.center_frame(steady.name).sampled == (None,)
