"""Tokens per frame, second and clip, rates and clip lengths: one system, whatever part is given."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apollo_core.token_system import (
    EQUATIONS,
    TokenSystemError,
    clips_within,
    complete,
    solve,
)

NEEDED = ("tokens_per_frame", "fps", "frames_per_clip")
NAMES = (*NEEDED, "tokens_per_clip", "tokens_per_second")
# Determined by hand: three quantities, but not all of one equation (which would be two).
SUFFICIENT = [
    names
    for names in combinations(NAMES, 3)
    if not any({*names} == {*equation} for equation in EQUATIONS)
]

# The paper's table 10: tokens per second, frames per second, tokens per frame.
TABLE_10 = [
    (512, 4, 128), (256, 2, 128), (128, 1, 128), (64, 0.5, 128),
    (256, 4, 64), (128, 2, 64), (64, 1, 64), (32, 0.5, 64),
    (128, 4, 32), (64, 2, 32), (32, 1, 32), (16, 0.5, 32),
    (64, 4, 16), (32, 2, 16), (16, 1, 16), (8, 0.5, 16),
    (32, 4, 8), (16, 2, 8), (8, 1, 8), (4, 0.5, 8),
    (16, 4, 4), (8, 2, 4), (4, 1, 4), (2, 0.5, 4),
    (8, 4, 2), (4, 2, 2), (2, 1, 2), (1, 0.5, 2),
]  # fmt: skip


def everything(tokens: int, rate: float, frames: int) -> dict[str, float]:
    exact = float(tokens * Fraction(str(rate)))
    return {
        "tokens_per_frame": tokens,
        "fps": rate,
        "frames_per_clip": frames,
        "tokens_per_clip": tokens * frames,
        "tokens_per_second": exact,
    }


def solved(values: dict[str, float]) -> dict[str, float]:
    return {name: float(amount) for name, amount in solve(values).items()}


systems = st.builds(
    everything,
    st.integers(1, 2000),
    st.integers(1, 100_000).map(lambda thousandths: thousandths / 1000),
    st.integers(1, 64),
)


@given(systems, st.sampled_from(SUFFICIENT))
def test_any_sufficient_subset_gives_the_rest_to_the_bit(system, names):
    assert solved({name: system[name] for name in names}) == system


@given(systems)
def test_what_is_given_twice_over_agrees_with_itself(system):
    assert solved(system) == system


@pytest.mark.parametrize(
    "names", [names for size in (0, 1, 2) for names in combinations(NAMES, size)]
)
def test_two_quantities_or_less_never_suffice(names):
    system = everything(16, 2.0, 4)
    with pytest.raises(TokenSystemError, match="cannot be worked out"):
        complete(solve({name: system[name] for name in names}), NEEDED)


def test_what_is_open_and_what_would_close_it_are_named():
    with pytest.raises(TokenSystemError) as caught:
        complete(solve({"tokens_per_second": 32, "frames_per_clip": 4}), NEEDED)
    assert str(caught.value) == (
        "tokens_per_frame and fps cannot be worked out from frames_per_clip=4, "
        "tokens_per_second=32; one more is needed: tokens_per_clip or tokens_per_frame or fps"
    )


@pytest.mark.parametrize(("per_second", "rate", "per_frame"), TABLE_10)
def test_every_row_of_table_10_is_consistent_and_can_be_said_in_three_ways(
    per_second, rate, per_frame
):
    row = {"tokens_per_second": per_second, "fps": rate, "tokens_per_frame": per_frame}
    expected = everything(per_frame, float(rate), 4)
    assert solved({**row, "frames_per_clip": 4}) == expected
    for name in row:
        rest = {key: value for key, value in row.items() if key != name}
        assert solved({**rest, "frames_per_clip": 4}) == expected


def test_a_contradiction_names_the_values_and_what_they_imply():
    with pytest.raises(TokenSystemError) as caught:
        solve({"fps": 2, "tokens_per_frame": 16, "tokens_per_second": 64})
    assert caught.value.key == "tokens_per_second"
    assert str(caught.value) == (
        "tokens_per_frame=16 and fps=2 make tokens_per_second=32, which contradicts "
        "tokens_per_second=64; leave one of them out"
    )


def test_a_contradiction_across_both_equations_is_found():
    with pytest.raises(TokenSystemError, match="make tokens_per_clip=128, which contradicts"):
        solve({"tokens_per_second": 32, "fps": 2, "tokens_per_clip": 64, "frames_per_clip": 8})


def test_a_number_of_tokens_that_is_not_whole_names_the_nearest_that_work():
    with pytest.raises(TokenSystemError) as caught:
        solve({"tokens_per_clip": 50, "frames_per_clip": 4})
    assert caught.value.key == "tokens_per_clip"
    assert str(caught.value) == (
        "tokens_per_clip=50 and frames_per_clip=4 make tokens_per_frame=12.5, which must be whole; "
        "the nearest tokens_per_clip that work: 48, 52"
    )


def test_a_rate_of_tokens_too_low_for_one_token_a_frame_names_only_what_works():
    with pytest.raises(TokenSystemError, match=r"the nearest tokens_per_second that work: 2$"):
        solve({"tokens_per_second": 1, "fps": 2})


def test_a_given_number_that_must_be_whole_is_refused():
    with pytest.raises(TokenSystemError, match=r"tokens_per_frame=2\.5: a whole number is needed"):
        solve({"tokens_per_frame": 2.5})


def test_a_rounded_rate_stands_for_what_it_means():
    found = solve({"tokens_per_second": 5.33333, "fps": 0.333333, "frames_per_clip": 4})
    assert found["tokens_per_frame"] == 16


def test_what_is_kept_gives_way_to_what_is_given():
    base = [("tokens_per_frame", 16), ("frames_per_clip", 4), ("fps", 2)]
    found = solve({"tokens_per_second": 64}, base)
    assert (found["fps"], found["tokens_per_frame"]) == (4, 16)
    other = solve({"tokens_per_second": 64}, base[::-1])
    assert (other["fps"], other["tokens_per_frame"]) == (2, 32)


@given(st.integers(1, 10**6), st.integers(1, 10**5))
def test_a_budget_is_filled_and_never_passed(tokens, per_clip):
    if tokens < per_clip:
        with pytest.raises(TokenSystemError, match="has no room for one clip"):
            clips_within(tokens, per_clip)
        return
    clips = clips_within(tokens, per_clip)
    assert clips * per_clip <= tokens < (clips + 1) * per_clip
