"""How the microworld looks: its own look, and a neighbouring one for encoders to be pretrained on.

Both show the same things in the same places; colours, ground, digits and grain differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from apollo_core.microworld.layout import scaled

Grey = UInt8[np.ndarray, "height width"]
Rgb = tuple[int, int, int]

# Side of the ground, which repeats: pixels of a 48-pixel frame.
GROUND = 64
_ROAD, _COBBLE = 6, 8


@dataclass(frozen=True)
class Look:
    """How things are drawn.

    Attributes:
        palette: a colour's name -> red, green, blue.
        ink: grey of a digit.
        board: grey of the board behind it.
        ground: from a source of chance and a frame's size to a torus of grey.
        grain: standard deviation of the noise on every pixel, grey levels.
    """

    palette: dict[str, Rgb]
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


def waves(rng: np.random.Generator, size: int) -> Grey:
    """A smooth sea of grey: plane waves of random direction that fit the torus."""
    side = scaled(GROUND, size)
    place = np.arange(side) / side * 2 * np.pi
    height = np.zeros((side, side))
    for _ in range(6):
        down, right = rng.integers(-3, 4, size=2)
        height += np.cos(down * place[:, None] + right * place[None, :] + rng.uniform(0, 2 * np.pi))
    low, high = height.min(), height.max()
    return np.round(60 + 120 * (height - low) / max(high - low, 1e-9)).astype(np.uint8)


OWN = Look(
    palette={
        "red": (235, 30, 30),
        "green": (20, 180, 40),
        "blue": (40, 60, 240),
        "yellow": (250, 225, 20),
    },
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
    ink=215,
    board=45,
    ground=waves,
    grain=6.0,
)
