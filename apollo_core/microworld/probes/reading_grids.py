"""Shapes, colours and digits: what each cell of a pooled grid still tells.

The reader of bodies knows which colours and which shapes a cell holds, not which goes with which,
nor how much of it there is; where bodies lie it knows. So two bodies that share all of their cells
can no longer be told apart. The reader of glyphs has the mean colour of each cell, with noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from apollo_core.microworld.drawing import plate, shape_mask
from apollo_core.microworld.film import Film
from apollo_core.microworld.language import COLOURS, DIGITS, NUMBERS, SHAPES
from apollo_core.microworld.layout import BOX, FRAME, SIDE, Corner, corner_of
from apollo_core.microworld.motion import mover_corners, visible_shares
from apollo_core.microworld.questions import Question

Votes = Counter[str]
Frame = NDArray[np.float64]

# A cell tells of a body that fills this share of its own box in it.
_NOTICED = 0.1
# Standard deviation of what codec and encoder are taken to add to a cell's mean, grey levels.
NOISE = 8.0
# Mean grey of the ground.
_GROUND = 85.0


def guesses(film: Film, cells: int) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Rows of colours and rows of shapes that leave in each of `cells` x `cells` what is there.

    The two do not depend on one another: every pair of a row of each is possible.
    """
    covered = _covered(film, cells)
    bodies = (*film.stayers, film.mover)
    colours = tuple(product(COLOURS, repeat=len(bodies)))
    shapes = tuple(permutations(SHAPES))
    return (
        _alike(colours, tuple(body.colour for body in bodies), covered, COLOURS),
        _alike(shapes, tuple(body.shape for body in bodies), covered, SHAPES),
    )


def vote_space(film: Film, question: Question, cells: int) -> Votes:
    """Answers to a question about colours, shapes and places, each as often as it is possible.

    Args:
        film: the plan.
        question: of the families `where`, `colour_of`, `colour_at` or `more`.
        cells: along each side of the frame.
    """
    colours, shapes = guesses(film, cells)
    places = [body.place for body in film.stayers]
    asked = question.asked
    if question.family == "more":
        differ = (row.count(asked[0]) - row.count(asked[1]) for row in colours)
        return Counter(NUMBERS[by] for by in differ if 0 <= by < len(question.pool))
    if question.family == "colour_at":
        return Counter(row[places.index(asked[0])] for row in colours)
    if question.family == "colour_of":
        where = [row.index(asked[0]) for row in shapes]
        return Counter(row[i] for row in colours for i in where)
    colour, shape = asked
    where = [row.index(shape) for row in shapes]
    return Counter(
        places[i] for row in colours for i in where if i < len(places) and row[i] == colour
    )


def _alike(
    rows: Sequence[tuple[str, ...]],
    true: tuple[str, ...],
    covered: NDArray[np.bool_],
    words: tuple[str, ...],
) -> list[tuple[str, ...]]:
    """The rows that leave the same words in each cell as the true one."""
    numbers = np.array([[words.index(word) for word in row] for row in (true, *rows)])
    holds = numbers[:, :, None] == np.arange(len(words))
    present = (holds[:, :, None, :] & covered[None, :, :, None]).any(1)
    same = (present[1:] == present[0]).all((1, 2))
    return [row for row, fits in zip(rows, same, strict=True) if fits]


def _covered(film: Film, cells: int) -> NDArray[np.bool_]:
    """Whether each body, the mover last, is noticed in each cell, shape (bodies, cells**2)."""
    corners = [np.array(corner_of(body.place)) for body in film.stayers]
    moments = np.arange(0.25, film.seconds, 0.25)
    best = int(visible_shares(film.mover, film.stayers, moments).argmax())
    corners.append(mover_corners(film.mover, moments)[best])
    side = FRAME / cells
    low = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1) * side
    shares = [
        np.clip(np.minimum(corner + BOX, low + side) - np.maximum(corner, low), 0, None).prod(-1)
        for corner in corners
    ]
    return np.stack(shares).reshape(len(corners), -1) >= _NOTICED * min(BOX, side) ** 2


def legible(what: str, cells: int, *, rng: np.random.Generator, draws: int = 200) -> float:
    """Share of digits, or of shapes at a side of the screen, read right from cells' noisy means."""
    means = _pooled(_GLYPHS[what], cells)
    noisy = np.repeat(means, draws, axis=0)
    noisy = noisy + rng.normal(0, NOISE, noisy.shape)
    nearest = np.square(noisy[:, None] - means[None]).sum(-1).argmin(-1)
    return float((nearest == np.repeat(np.arange(len(means)), draws)).mean())


def _pooled(glyphs: Sequence[tuple[Frame, Corner]], cells: int) -> Frame:
    """Each glyph on a frame of even ground, the mean of each cell, shape (glyphs, cells**2)."""
    side = FRAME // cells
    rows = []
    for glyph, (top, left) in glyphs:
        frame = np.full((FRAME, FRAME), _GROUND)
        part = frame[round(top) : round(top) + len(glyph), round(left) :][:, : glyph.shape[1]]
        part[~np.isnan(glyph)] = glyph[~np.isnan(glyph)]
        rows.append(frame.reshape(cells, side, cells, side).mean((1, 3)).ravel())
    return np.stack(rows)


def _digits() -> list[tuple[Frame, Corner]]:
    drawn = [plate(digit, FRAME).astype(np.float64) for digit in DIGITS]
    return [(one, ((FRAME - one.shape[0]) / 2, (FRAME - one.shape[1]) / 2)) for one in drawn]


def _shapes() -> list[tuple[Frame, Corner]]:
    """In a grey as far from the ground as a saturated colour is in one of its three channels."""
    return [
        (np.where(shape_mask(shape, SIDE), 235.0, np.nan), corner_of("left")) for shape in SHAPES
    ]


_GLYPHS = {"digit": _digits(), "shape": _shapes()}
