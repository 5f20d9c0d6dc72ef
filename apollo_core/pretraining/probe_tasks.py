"""What the probes ask: answers from captions, features from an encoder's grids.

Of pictures: which colours and shapes are there, which digit, and of the place where a shape lies,
which shape and colour it is. Of videos: colours and digits, which way the camera moves, which way a
shape does and of what colour it is, and again what lies where. Features of a whole medium are the
mean over its clips, slots and places, so an encoder that sees single frames cannot tell what comes
from what goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from apollo_core.microworld import language as say
from apollo_core.pretraining.probe import presence_accuracy, probe_accuracy

# One grid for each medium, its clips one behind the other.
Grids = Float[np.ndarray, "media slots rows columns dim"]
# Row and column of the middle of each side's ninth, as shares of the frame.
_MIDDLES = {
    "left": (1 / 2, 1 / 6),
    "right": (1 / 2, 5 / 6),
    "top": (1 / 6, 1 / 2),
    "bottom": (5 / 6, 1 / 2),
}


@dataclass(frozen=True)
class Task:
    """One thing to be read off features.

    Attributes:
        chance: accuracy of a guess.
        accuracy: of a probe fitted to the grids and captions of the first pair, on the second's.
    """

    chance: float
    accuracy: Callable[[Grids, Sequence[str], Grids, Sequence[str]], float]


def _present(lexicon: Sequence[str]) -> Task:
    def table(grids: Grids, captions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        said = [set(say.words(caption)) for caption in captions]
        return _pooled(grids), np.array([[word in each for word in lexicon] for each in said])

    return Task(0.5, lambda *both: presence_accuracy(table(*both[:2]), table(*both[2:])))


def _told(
    chance: float, rows: Callable[[Grids, str, int], Iterator[tuple[np.ndarray, str]]]
) -> Task:
    def table(grids: Grids, captions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        found = [row for i, caption in enumerate(captions) for row in rows(grids, caption, i)]
        return np.stack([x for x, _ in found]), np.array([answer for _, answer in found])

    return Task(chance, lambda *both: probe_accuracy(table(*both[:2]), table(*both[2:])))


def _pooled(grids: Grids) -> np.ndarray:
    return grids.mean((1, 2, 3))


def _finds(template: str, caption: str) -> Iterator[re.Match[str]]:
    """Each sentence of a caption that is of one form of the closed language."""
    pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\w+)", re.escape(template)))
    return filter(None, map(pattern.fullmatch, re.findall(r"[^ .][^.]*\.", caption)))


def _digit(grids: Grids, caption: str, index: int) -> Iterator[tuple[np.ndarray, str]]:
    for found in _finds(say.SHOWS, caption):
        yield grids[index].mean((0, 1, 2)), found["digit"]


def _lying(what: str) -> Callable[[Grids, str, int], Iterator[tuple[np.ndarray, str]]]:
    def rows(grids: Grids, caption: str, index: int) -> Iterator[tuple[np.ndarray, str]]:
        for found in _finds(say.LIES, caption):
            yield _at_place(grids[index], found["place"]), found[what]

    return rows


def _at_place(grid: np.ndarray, place: str) -> np.ndarray:
    """The mean over the patches whose middle lies in the place's ninth of the frame."""
    middles = (np.arange(grid.shape[1]) + 0.5) / grid.shape[1]
    row, column = (abs(middles - middle) <= 1 / 6 for middle in _MIDDLES[place])
    return grid[:, row][:, :, column].mean((0, 1, 2))


def _camera(grids: Grids, caption: str, index: int) -> Iterator[tuple[np.ndarray, str]]:
    pooled = grids[index].mean((0, 1, 2))
    for found in _finds(say.CAMERA_MOVES, caption):
        yield pooled, found["direction"]


def _moving(what: str) -> Callable[[Grids, str, int], Iterator[tuple[np.ndarray, str]]]:
    def rows(grids: Grids, caption: str, index: int) -> Iterator[tuple[np.ndarray, str]]:
        for found in _finds(say.MOVES, caption):
            yield grids[index].mean((0, 1, 2)), found[what]

    return rows


OF_PICTURES: dict[str, Task] = {
    "colours": _present(say.COLOURS),
    "shapes": _present(say.SHAPES),
    "digit": _told(1 / len(say.DIGITS), _digit),
    "colour there": _told(1 / len(say.COLOURS), _lying("colour")),
    "shape there": _told(1 / len(say.SHAPES), _lying("shape")),
}

OF_VIDEOS: dict[str, Task] = {
    "colours": _present(say.COLOURS),
    "digits": _present(say.DIGITS),
    "camera": _told(1 / len(say.DIRECTIONS), _camera),
    "heading": _told(1 / (len(say.DIRECTIONS) - 1), _moving("heading")),
    "moving colour": _told(1 / len(say.COLOURS), _moving("colour")),
    "colour there": _told(1 / len(say.COLOURS), _lying("colour")),
    "shape there": _told(1 / len(say.SHAPES), _lying("shape")),
}
