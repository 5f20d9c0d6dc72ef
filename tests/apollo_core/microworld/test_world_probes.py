"""What a reader of the film's plan can and cannot tell: the world needs each axis of the study."""

from __future__ import annotations

from functools import cache
from statistics import mean

import numpy as np
import pytest

from apollo_core.design import FpsSampling, Sampling, UniformSampling
from apollo_core.microworld.by_construction import BY_CONSTRUCTION
from apollo_core.microworld.chance import Split
from apollo_core.microworld.film import Film, plan_film
from apollo_core.microworld.focus import FAMILIES
from apollo_core.microworld.items import Item, make_items
from apollo_core.microworld.probes.reading import IN_SPACE, chance_in_space, chance_in_time
from apollo_core.microworld.probes.reading_grids import legible
from apollo_core.microworld.probes.sights import look, look_once
from apollo_core.microworld.spec import WorldSpec

FPS_2 = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=99)
FPS_1 = FpsSampling(mode="fps", fps=1, frames_per_clip=4, max_clips=99)
CUT = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=4)
UNIFORM_4 = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)
UNIFORM_8 = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)
IN_TIME = [f for families in FAMILIES.values() for f in families if f not in IN_SPACE]


@cache
def planned() -> tuple[tuple[Film, tuple[Item, ...]], ...]:
    """Films of the default benchmark with their questions."""
    plans = [plan_film(WorldSpec(), Split.BENCH, i) for i in range(80)]
    return tuple(
        (film, tuple(make_items(film, focus, 0, i))) for i, (film, focus) in enumerate(plans)
    )


def told(family: str, sampling: Sampling | None, *, times: bool = True, ordered: bool = True):
    """Share of a family's questions that the reader of a sampling answers right."""
    chances = []
    for film, items in planned():
        for item in items:
            if item.question.family == family:
                if sampling is None:
                    sight = look_once(film)
                else:
                    sight = look(film, sampling, times=times, ordered=ordered)
                chances.append(chance_in_time(sight, item))
    assert len(chances) >= 15
    return mean(chances)


def pooled(family: str, cells: int) -> float:
    """Share of a family's questions that the reader of a pooled frame answers right."""
    return mean(
        chance_in_space(film, item, cells)
        for film, items in planned()
        for item in items
        if item.question.family == family
    )


@pytest.mark.parametrize("family", IN_TIME)
def test_two_frames_a_second_decide_what_one_frame_does_not(family: str) -> None:
    assert told(family, FPS_2) > 0.95
    assert told(family, None) < 0.45


@pytest.mark.parametrize("family", ["first", "second", "last", "count", "seconds"])
def test_brief_digits_and_seconds_need_a_fixed_and_short_step(family: str) -> None:
    assert told(family, UNIFORM_4) < 0.65
    assert told(family, UNIFORM_8) < 0.95
    assert told(family, FPS_1) < 0.97


@pytest.mark.parametrize("family", ["camera", "heading"])
def test_motion_needs_frames_in_their_order(family: str) -> None:
    assert told(family, FPS_2, ordered=False) < 0.75


def test_the_second_of_a_digit_needs_times_where_clips_leave_gaps() -> None:
    assert told("at", FPS_2, times=False) > 0.95  # Clips that touch can be counted.
    assert told("at", CUT, times=False) < told("at", CUT) - 0.1
    assert told("at", UNIFORM_8, times=False) < told("at", UNIFORM_8) - 0.1


def test_speed_needs_times_where_frames_are_spread_over_the_film() -> None:
    assert told("speed", FPS_2, times=False) > 0.95
    assert told("speed", UNIFORM_8, times=False) < told("speed", UNIFORM_8) - 0.2


@pytest.mark.parametrize("family", IN_SPACE)
def test_one_token_a_frame_no_longer_tells_whose_colour_is_whose(family: str) -> None:
    assert pooled(family, 1) < 0.6 < 0.9 < pooled(family, 2)


def test_glyphs_need_more_tokens_a_frame_than_places_do() -> None:
    rng = np.random.default_rng(0)
    digits = [legible("digit", cells, rng=rng) for cells in (1, 2, 4, 8)]
    assert digits == sorted(digits)
    assert digits[1] < 0.3 < 0.95 < digits[3]
    assert legible("shape", 2, rng=rng) < 0.6 < 0.85 < legible("shape", 8, rng=rng)


def test_every_axis_of_the_study_says_what_the_world_forces() -> None:
    assert set(BY_CONSTRUCTION) == {
        *("sampling", "encoders", "resampler", "integration", "schedule", "mixture")
    }
    assert all(text.endswith(".") for text in BY_CONSTRUCTION.values())
