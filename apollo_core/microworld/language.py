"""The closed language of the microworld: every word and every sentence form.

All texts are lower case. A word is a run of letters, one digit, or one mark of punctuation, so that
the options of a question, single words all, have the same number of tokens. Places, headings and
the camera's ways share no word, nor do digits that are shown and numbers of things; descriptions
are terse, with what belongs together side by side. Both are so that models of these sizes learn to
read in minutes (docs/laboratory.md has what was tried).
"""

from __future__ import annotations

import re

COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("circle", "square", "triangle", "cross")
PLACES = ("left", "right", "top", "bottom")
HEADINGS = ("west", "east", "north", "south")
DIRECTIONS = ("leftward", "rightward", "upward", "downward", "still")
SPEEDS = ("slow", "steady", "quick", "fast")
DIGITS = tuple("0123456789")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORDINALS = ("first", "second", "third")

DIGIT_FIRST = "which digit is shown first?"
DIGIT_SECOND = "which digit is shown second?"
DIGIT_LAST = "which digit is shown last?"
DIGIT_AT = "which digit is shown at {clock}?"
CAMERA = "which way does the camera move?"
WHERE = "where is the {colour} {shape}?"
HEADING = "which way does the {shape} move?"
COLOUR_OF = "what colour is the {shape}?"
COLOUR_AT = "what colour is the shape at the {place}?"
SPEED = "how fast does the {shape} move?"
COUNT = "how many digits are shown?"
SECONDS = "for how many seconds is the digit {digit} shown?"
MORE = "in words, how many more {more} than {fewer} shapes are shown?"

STILL_DIGIT = "which digit is shown?"
STILL_COUNT = "how many shapes are shown?"
COLOUR_COUNT = "how many {colour} shapes are shown?"
WHICH_IMAGE = "which image shows the digit {digit}?"
DIGIT_IN_IMAGE = "which digit is shown in the {ordinal} image?"
COLOUR_IN_IMAGE = "what colour is the {shape} in the {ordinal} image?"

DESCRIBE_VIDEO = "describe the video."
DESCRIBE_IMAGE = "describe the image."

MOVES = "{shape} {colour} {heading} {speed}."
MOVER_IS = "{shape} {colour}."
LIES = "{shape} {colour} {place}."
CAMERA_MOVES = "camera {direction}."
# One part for each digit; a time only where a whole second is well inside it.
DIGITS_SHOWN = "digits {parts}."
PART_AT = "at {clock} "
PART_FOR = " for {seconds}"
SHOWS = "digit {digit}."

SUM = "what is {a} plus {b}?"
DIFFERENCE = "what is {a} minus {b}?"
NEXT = "what is next: {row}?"
IN_WORDS = "in words, "

SENTENCES = (
    *(DIGIT_FIRST, DIGIT_SECOND, DIGIT_LAST, DIGIT_AT, CAMERA, WHERE, HEADING),
    *(COLOUR_OF, COLOUR_AT, SPEED, COUNT, SECONDS, MORE),
    *(STILL_DIGIT, STILL_COUNT, COLOUR_COUNT, WHICH_IMAGE, DIGIT_IN_IMAGE, COLOUR_IN_IMAGE),
    *(DESCRIBE_VIDEO, DESCRIBE_IMAGE),
    *(MOVES, MOVER_IS, LIES, CAMERA_MOVES, DIGITS_SHOWN, PART_AT, PART_FOR, SHOWS),
    *(SUM, DIFFERENCE, NEXT, IN_WORDS),
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
    lexicon = (
        *COLOURS,
        *SHAPES,
        *PLACES,
        *HEADINGS,
        *DIRECTIONS,
        *SPEEDS,
        *DIGITS,
        *NUMBERS,
        *ORDINALS,
    )
    return tuple(sorted({*words(spoken), *lexicon, *PROMPT_WORDS}))


VOCABULARY: tuple[str, ...] = _closed_vocabulary()
