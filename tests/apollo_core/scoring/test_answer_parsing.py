"""Which generated answers name an option, and which name none."""

from __future__ import annotations

import pytest

from apollo_core.scoring.answer_parsing import parse_answer

COLOURS = ("red", "blue", "green", "vitamin C.")
CATS = ("a dog", "a cat is on the mat", "I do not know")

NAMES_BLUE = [
    "B",
    "B.",
    "B)",
    "B:",
    "(B)",
    "(B).",
    "[B]",
    "b",
    "(b)",
    "  B\n",
    "\nB",
    "B. blue",
    "B) blue",
    "(B) Blue.",
    "[B] BLUE",
    "B: blue",
    "B. bl",
    "The answer is (B) blu",
    "blue",
    "Blue.",
    "BLUE",
    "Answer: B",
    "answer: (B)",
    "The answer is B",
    "The answer is B.",
    "The answer is: B",
    "The correct answer is B) blue",
    "Best answer: blue",
    "the answer is blue.",
    "B\nuser: and now?",
    "B\n\nThe ball is blue.",
    "B. blue\nAnswer: B",
]
NAMES_NOTHING = [
    "",
    "   \n ",
    "E",
    "E. none of these",
    "I think B",
    "B is right",
    "B, I think",
    "B or C",
    "B/C",
    "BC",
    "B blue",
    "Blue is the answer",
    "it is blue",
    "option B",
    "The answer is",
    "The answer is B because it moves",
    "the answer is b",
    "Answer B",
    "**B**",
    "A. blue",
    "(A) B",
    "A. red B. blue",
    "A. either this or (B)",
    "A. red\nB. blue\nC. green",
    "B\nC",
    "Answer: A. blue",
    "not B.",
    "A) is wrong; it is C",
    "B: No, the answer is C",
    "B. The answer is C",
    "B. The answer is B",
    "A. B and C",
    "A. or B",
    "B. or C.",
    "B. not A",
    "B. either A or D",
    "D. All of A, B and C",
    "A: none of these",
    "B. because it moves to the left",
    "B. blue, not red",
    "B. blue C",
    "C. C",
    "B. .",
    "B. bl\nand so on",
    "B. blue\nC. because it moves",
    "B\nThe answer is C) of course",
    "\x00",
    "Ｂ",
    "Б",
]


@pytest.mark.parametrize("generated", NAMES_BLUE)
def test_the_documented_forms_name_their_option(generated):
    assert parse_answer(generated, COLOURS) == 1


@pytest.mark.parametrize("generated", NAMES_NOTHING)
def test_everything_else_names_none(generated):
    assert parse_answer(generated, COLOURS) is None


@pytest.mark.parametrize(
    ("generated", "place"),
    [
        ("A cat is on the mat", 1),  # the option's text, and no A
        ("A cat is on the mat.", 1),
        ("A cat sat on the mat", None),
        ("A. cat is on the mat", None),  # the mark makes it a letter; the words are not its text
        ("A. a", 0),  # a beginning of its text
        ("A. a d", 0),
        ("B. a cat is on", 1),
        ("B. a c", 1),
        ("A. a cat is on the mat", None),
        ("I do not know", 2),
        ("I", None),
        ("I. do", None),
        ("a", 0),
        ("The answer is a", None),
    ],
)
def test_words_that_are_letters_too_are_read_by_the_mark_behind_them(generated, place):
    assert parse_answer(generated, CATS) == place


def test_an_options_own_text_may_hold_letters_and_marks():
    assert parse_answer("D. vitamin C.", COLOURS) == 3
    assert parse_answer("vitamin C.", COLOURS) == 3


def test_a_letter_that_is_another_options_text_names_none():
    assert parse_answer("A", ("B", "A")) is None
    assert parse_answer("A. B", ("B", "A")) == 0
    assert parse_answer("C", ("B", "A", "C")) == 2


def test_a_beginning_that_is_another_option_names_none():
    assert parse_answer("A. blue", ("blue sky", "blue")) is None
    assert parse_answer("A. b", ("big", "blue")) is None
    assert parse_answer("B. blue", ("blue sky", "blue")) == 1
    assert parse_answer("A. blue s", ("blue sky", "blue")) == 0


def test_two_options_of_one_text_cannot_be_told_apart_by_it():
    assert parse_answer("red", ("red", "Red", "blue")) is None
    assert parse_answer("B. red", ("red", "Red", "blue")) == 1
    assert parse_answer("B", ("red", "Red", "blue")) == 1


def test_the_twenty_sixth_option_has_the_last_letter():
    assert parse_answer("Z", [f"number {n}" for n in range(26)]) == 25
