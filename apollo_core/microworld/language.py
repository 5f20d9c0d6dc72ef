"""The closed language of the microworld: every word and every sentence form.

All texts are lower case. A word is a run of letters, one digit, or one mark of punctuation, so that
the options of a question, single words all, have the same number of tokens.
"""

from __future__ import annotations

import re

COLOURS = ("red", "green", "blue", "yellow", "pink", "cyan")
SHAPES = ("circle", "square", "triangle", "cross")
PLACES = ("left", "right", "top", "bottom")
DIRECTIONS = ("left", "right", "up", "down", "still")
DIGITS = tuple("0123456789")
ORDINALS = ("first", "second", "third")
MOMENTS = ("start", "end")

DIGIT_FIRST = "which digit appears first?"
DIGIT_LAST = "which digit appears last?"
CAMERA = "which way does the camera move?"
WHERE = "where is the {colour} {shape} at the {moment}?"
COLOUR_OF = "what colour is the {shape}?"
MOVING_SHAPE = "which shape moves?"
COUNT = "how many digits appear?"
MOVING_COLOUR = "what colour is the shape that moves?"

STILL_WHERE = "where is the {colour} {shape}?"
STILL_DIGIT = "which digit is shown?"
STILL_COUNT = "how many shapes are shown?"
WHICH_IMAGE = "which image shows the digit {digit}?"
COLOUR_IN_IMAGE = "what colour is the {shape} in the {ordinal} image?"

DESCRIBE_VIDEO = "describe the video."
DESCRIBE_IMAGE = "describe the image."

MOVES = "a {colour} {shape} moves from {start} to {end}."
STAYS = "a {colour} {shape} stays at the {place}."
CAMERA_MOVES = "the camera moves {direction}."
CAMERA_STILL = "the camera stays still."
ONE_DIGIT = "1 digit appears: {digits}."
MANY_DIGITS = "{count} digits appear: {digits}."
LIES = "a {colour} {shape} is at the {place}."
SHOWS = "the digit {digit} is shown."

SUM = "what is {a} plus {b}?"
DIFFERENCE = "what is {a} minus {b}?"
NEXT = "what comes next: {row}?"

SENTENCES = (
    *(DIGIT_FIRST, DIGIT_LAST, CAMERA, WHERE, COLOUR_OF, MOVING_SHAPE, COUNT, MOVING_COLOUR),
    *(STILL_WHERE, STILL_DIGIT, STILL_COUNT, WHICH_IMAGE, COLOUR_IN_IMAGE),
    *(DESCRIBE_VIDEO, DESCRIBE_IMAGE),
    *(MOVES, STAYS, CAMERA_MOVES, CAMERA_STILL, ONE_DIGIT, MANY_DIGITS, LIES, SHOWS),
    *(SUM, DIFFERENCE, NEXT),
)

# Not in any manifest: what prompts wrap around it (clip timestamps, lettered options, the `seconds`
# format's introduction with the number of clips in words).
PROMPT_WORDS = (
    *("clip", "clips", "from", "to", "option", "options", "answer", "letter", "with", "given"),
    *("choices", "directly", "you", "provided", "following", "series", "of", "seconds", "mm", "ss"),
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *"abcdefghs()[]-,.:?'",
)

_WORD = re.compile(r"[a-z]+|[^\sa-z]")


def words(text: str) -> list[str]:
    """Split `text` into the words that `VOCABULARY` lists."""
    return _WORD.findall(text.lower())


def _closed_vocabulary() -> tuple[str, ...]:
    spoken = " ".join(re.sub(r"\{\w+\}", " ", sentence) for sentence in SENTENCES)
    lexicon = (*COLOURS, *SHAPES, *PLACES, *DIRECTIONS, *DIGITS, *ORDINALS, *MOMENTS)
    return tuple(sorted({*words(spoken), *lexicon, *PROMPT_WORDS}))


VOCABULARY: tuple[str, ...] = _closed_vocabulary()
