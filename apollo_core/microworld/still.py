"""What one image shows, and what can be asked of one image or of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import Purpose, Split, choice, shuffled, stream
from apollo_core.microworld.scene import Body

Asked = tuple[str, str]


@dataclass(frozen=True)
class Still:
    """One image's plan: one to four shapes, no two alike, and perhaps a digit in the middle."""

    bodies: tuple[Body, ...]
    digit: str | None
    texture: tuple[int, ...]


# What is asked of one shape, and which of its attributes answers it.
_FORMS = ((say.COLOUR_OF, "colour"), (say.COLOUR_AT, "colour"), (say.WHERE, "place"))


def plan_still(seed: int, split: Split, index: int, part: int = 0) -> Still:
    """Plan image `part` of sample `index`; one without a digit in four."""
    rng = stream(seed, split, Purpose.STILL, index, part)
    count = int(rng.integers(1, len(say.PLACES) + 1))
    pairs = zip(shuffled(rng, say.SHAPES), shuffled(rng, say.PLACES), strict=True)
    bodies = tuple(Body(choice(rng, say.COLOURS), shape, place) for shape, place in pairs)[:count]
    digit = choice(rng, say.DIGITS) if rng.integers(4) else None
    return Still(bodies, digit, (seed, split, Purpose.TEXTURE, index, part))


def sentences_of(still: Still) -> list[str]:
    """Say all that the image shows, a sentence for each thing."""
    told = [say.LIES.format_map(vars(body)) for body in still.bodies]
    if still.digit is not None:
        told.append(say.SHOWS.format(digit=still.digit))
    return told


def describe_still(still: Still, rng: np.random.Generator) -> str:
    """Say all that the image shows, in random order."""
    return " ".join(shuffled(rng, sentences_of(still)))


def ask_still(still: Still, rng: np.random.Generator) -> list[Asked]:
    """Questions about one image, with answers, in random order; each shape is named in one only."""
    forms = zip(shuffled(rng, _FORMS), shuffled(rng, still.bodies), strict=False)
    # Half of the time of a colour that is there.
    colour = choice(rng, still.bodies).colour if rng.integers(2) else choice(rng, say.COLOURS)
    many = sum(body.colour == colour for body in still.bodies)
    asked = [
        *((form.format_map(vars(body)), getattr(body, sought)) for (form, sought), body in forms),
        (say.STILL_COUNT, say.NUMBERS[len(still.bodies)]),
        (say.COLOUR_COUNT.format(colour=colour), say.NUMBERS[many]),
    ]
    if still.digit is not None:
        asked.append((say.STILL_DIGIT, still.digit))
    return shuffled(rng, asked)


def ask_stills(stills: list[Still], rng: np.random.Generator) -> list[Asked]:
    """Questions that name one of several images or ask for it."""
    asked: list[Asked] = []
    digits = [still.digit for still in stills]
    known = [i for i, digit in enumerate(digits) if digit is not None and digits.count(digit) == 1]
    if known:
        i = choice(rng, known)
        asked.append((say.WHICH_IMAGE.format(digit=digits[i]), say.ORDINALS[i]))
    for i in shuffled(rng, [i for i, digit in enumerate(digits) if digit is not None]):
        asked.append((say.DIGIT_IN_IMAGE.format(ordinal=say.ORDINALS[i]), str(digits[i])))
    i = int(rng.integers(len(stills)))
    body = choice(rng, stills[i].bodies)
    text = say.COLOUR_IN_IMAGE.format(shape=body.shape, ordinal=say.ORDINALS[i])
    return [*asked, (text, body.colour)]
