"""One answer out of several orders of the options, and what the orders say of letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import a_video, clips, lmm

from apollo_core.media.manifest import Item
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.scoring.answering import answer
from apollo_core.scoring.asked_orders import Answer, by_likelihood, by_majority, orders
from apollo_core.scoring.letter_bias import letter_bias
from apollo_core.scoring.likelihood import score
from apollo_core.stages.identity import Scoring

ITEM = Item("q", "v.mp4", "what colour is the circle?", ("red", "blue", "green"), 1, "x")


def test_each_order_lists_the_next_option_first_and_knows_where_the_answer_is():
    listed = orders(ITEM, 3)
    assert [one.options for one in listed] == [
        ("red", "blue", "green"),
        ("blue", "green", "red"),
        ("green", "red", "blue"),
    ]
    assert [one.options[one.answer_index] for one in listed] == ["blue"] * 3


@given(options=st.integers(2, 26), rotations=st.integers(1, 26), right=st.integers(0, 25))
def test_all_orders_put_each_option_behind_each_letter_once(options, rotations, right):
    texts = tuple(f"o{n}" for n in range(options))
    listed = orders(Item("q", "v", "?", texts, right % options, "x"), rotations)
    assert len(listed) == min(rotations, options)
    assert listed[0].options == texts
    if rotations >= options:
        for place in range(options):
            assert {one.options[place] for one in listed} == set(texts)


def test_an_options_score_is_its_mean_over_the_orders():
    # As listed: order 0 is red blue green, order 1 is blue green red.
    found = by_likelihood(ITEM, [[-1.0, -2.0, -3.0], [-0.5, -4.0, -3.0]])
    assert found.log_likelihoods == pytest.approx((-2.0, -1.25, -3.5))
    assert found.choice == 1
    assert (found.places, found.rights) == ((0, 0), (1, 0))
    assert found.chosen == (0, 1)


def test_of_equal_options_the_first_is_chosen():
    assert by_likelihood(ITEM, [[-1.0, -1.0, -1.0]]).choice == 0


@pytest.mark.parametrize(
    ("places", "choice"),
    [
        ((0, 2, 1), 0),  # red in every order
        ((0, 0, 2), 1),  # red, blue, blue
        ((0, 0, 0), 0),  # one vote each: as given
        ((None, 0, 1), 1),  # blue, red: the earlier order
        ((None, None, 1), 0),
        ((None, None, None), None),
    ],
)
def test_generated_answers_are_put_to_the_vote(places, choice):
    found = by_majority(ITEM, places, ["?"] * 3)
    assert found.choice == choice
    assert found.generated == ("?",) * 3


def test_a_model_that_always_says_a_is_found_out():
    always_a = [by_likelihood(ITEM, [[-1.0, -2.0, -3.0]] * 3) for _ in range(4)]
    bias = letter_bias(always_a)
    assert bias["asked"] == 12
    assert bias["chosen"] == {"A": 12, "B": 0, "C": 0}
    assert bias["right"] == {"A": 4, "B": 4, "C": 4}
    assert bias["agreement"] == 0


def test_a_model_that_knows_the_answer_agrees_with_itself_and_prefers_no_letter():
    knows = by_likelihood(ITEM, [[-2.0, -1.0, -2.0], [-1.0, -2.0, -2.0], [-2.0, -2.0, -1.0]])
    bias = letter_bias([knows])
    assert bias["chosen"] == bias["right"] == {"A": 1, "B": 1, "C": 1}
    assert bias["agreement"] == 1


def test_an_answer_that_cannot_be_read_is_counted_and_agrees_with_none():
    bias = letter_bias([by_majority(ITEM, (None, None, 1), [""] * 3)])
    assert (bias["unparsed"], bias["agreement"]) == (2, 0)
    assert bias["chosen"] == {"A": 0, "B": 1, "C": 0}


def test_one_order_says_nothing_of_agreement_and_no_items_nothing_at_all():
    assert letter_bias([by_likelihood(ITEM, [[-1.0, -2.0, -3.0]])])["agreement"] is None
    assert letter_bias([])["asked"] == 0


def asked(scoring: Scoring, rotations: int) -> list[Answer]:
    return answer(
        lmm(),
        build_tokenizer(),
        [ITEM, ITEM],
        a_video(clips(2)),
        scoring=scoring,
        prompt="lettered-v1",
        rotations=rotations,
        micro_batch=4,
    )


@pytest.mark.parametrize("scoring", ["letters", "options"])
def test_the_model_is_asked_in_each_order_and_answers_for_the_option(scoring: Scoring):
    first, second = asked(scoring, 5)
    assert first == second
    by_order = [
        score(
            lmm(),
            build_tokenizer(),
            [listed],
            a_video(clips(2)),
            scoring=scoring,
            prompt="lettered-v1",
            micro_batch=4,
        )[0]
        for listed in orders(ITEM, 3)
    ]
    red = (by_order[0][0] + by_order[1][2] + by_order[2][1]) / 3
    assert first.log_likelihoods[0] == pytest.approx(red, abs=1e-5)
    assert len(first.places) == 3


def test_generated_answers_are_kept_as_they_were_written():
    (one, _) = asked("generate", 2)
    assert len(one.generated) == len(one.places) == 2
    assert not one.log_likelihoods
