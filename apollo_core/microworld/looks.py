"""How the microworld looks: its own look, and a neighbouring one for encoders to be pretrained on.

Both show the same things in the same places; colours, ground, digits and grain differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from apollo_core.microworld.layout import FRAME, scaled

Grey = UInt8[np.ndarray, "height width"]
Rgb = tuple[int, int, int]

# Side of the ground, which repeats: pixels of a 48-pixel frame.
GROUND = 64
_ROAD, _COBBLE = 6, 8
_PEBBLES = 14


@dataclass(frozen=True)
class Look:
    """How things are drawn.

    Attributes:
        palette: a colour's name -> red, green, blue.
        rim: outline of the shape that moves; others have a black one.
        ink: grey of a digit.
        board: grey of the board behind it.
        ground: from a source of chance and a frame's size to a torus of grey.
        grain: standard deviation of the noise on every pixel, grey levels.
    """

    palette: dict[str, Rgb]
    rim: Rgb
    ink: int
    board: int
    ground: Callable[[np.random.Generator, int], Grey]
    grain: float


def cobbles(rng: np.random.Generator, size: int) -> Grey:
    """Grey cobbles with one bright road across and one down, to see the ground scroll by."""
    side, cobble = scaled(GROUND, size), scaled(_COBBLE, size)
    cells = rng.integers(50, 120, size=(side // cobble + 1,) * 2, dtype=np.uint8)
    ground = cells.repeat(cobble, axis=0).repeat(cobble, axis=1)[:side, :side].copy()
    for _ in range(2):
        start = int(rng.integers(side))
        ground[(start + np.arange(scaled(_ROAD, size))) % side] = 215
        ground = ground.T
    return ground


def pebbles(rng: np.random.Generator, size: int) -> Grey:
    """Round bright pebbles on a dark even ground."""
    side = scaled(GROUND, size)
    ground = np.full((side, side), 70, dtype=np.uint8)
    places = np.arange(side)
    for _ in range(_PEBBLES):
        radius = size / FRAME * rng.uniform(3, 5)
        down, right = (np.abs(places - rng.uniform(0, side)) for _ in range(2))
        # The shorter way round the torus.
        down, right = np.minimum(down, side - down), np.minimum(right, side - right)
        grey = int(rng.integers(150, 215))
        ground[down[:, None] ** 2 + right[None, :] ** 2 <= radius**2] = grey
    return ground


OWN = Look(
    palette={
        "red": (235, 30, 30),
        "green": (20, 180, 40),
        "blue": (40, 60, 240),
        "yellow": (250, 225, 20),
    },
    rim=(255, 255, 255),
    ink=255,
    board=0,
    ground=cobbles,
    grain=0.0,
)

NEIGHBOURING = Look(
    palette={
        "red": (190, 70, 90),
        "green": (90, 150, 70),
        "blue": (70, 110, 190),
        "yellow": (205, 180, 80),
    },
    rim=(235, 235, 235),
    ink=215,
    board=45,
    ground=pebbles,
    grain=6.0,
)
