"""Films and stills to pixels: uint8 RGB, drawn with numpy alone.

Lengths are in pixels of a 48-pixel frame and grow with the frame.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

from apollo_core.microworld.chance import stream
from apollo_core.microworld.film import Body, Film
from apollo_core.microworld.still import Still

Grey = UInt8[np.ndarray, "height width"]
Mask = Bool[np.ndarray, "height width"]
Picture = UInt8[np.ndarray, "size size 3"]
Reel = UInt8[np.ndarray, "frames size size 3"]
Corner = Float[np.ndarray, " 2"]

UNIT = 48
RGB: dict[str, tuple[int, int, int]] = {
    "red": (235, 30, 30),
    "green": (20, 180, 40),
    "blue": (40, 60, 240),
    "yellow": (250, 225, 20),
    "pink": (245, 60, 220),
    "cyan": (20, 220, 230),
}
SHAPE_SIDE = 14
PLATE = (26, 18)
DIGIT = (24, 15)
# Ground scrolled per second: 2 pixels per frame at 8 fps, a repeat after 4 s, so that frames up to
# 2 s apart still tell the direction.
SCROLL = 16
GROUND = 64
ROAD = 6
COBBLE = 8

_STEPS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0), "still": (0, 0)}

# Five pixels by seven, row by row.
_FONT = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111",
    "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
}


def scaled(length: int, size: int) -> int:
    """`length` of a 48-pixel frame in a frame of `size` pixels."""
    return round(length * size / UNIT)


@lru_cache(maxsize=64)
def plate(digit: str, size: int) -> Grey:
    """A bright digit on a black plate, in grey."""
    rows = [[float(bit) for bit in row] for row in _FONT[digit].split()]
    glyph = np.array(rows, dtype=np.uint8) * 255
    high, wide = (scaled(n, size) for n in DIGIT)
    glyph = glyph[np.arange(high) * 7 // high][:, np.arange(wide) * 5 // wide]
    board = np.zeros(tuple(scaled(n, size) for n in PLATE), dtype=np.uint8)
    top, left = (board.shape[0] - high) // 2, (board.shape[1] - wide) // 2
    board[top : top + high, left : left + wide] = glyph
    return board


@lru_cache(maxsize=64)
def shape_mask(shape: str, side: int) -> Mask:
    """Where a shape covers its box of `side` x `side` pixels."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    y, x = axis[:, None], axis[None, :]
    masks = {
        "circle": x**2 + y**2 <= 1,
        "square": (abs(x) <= 0.86) & (abs(y) <= 0.86),
        "triangle": abs(x) <= (y + 1) / 2,
        "cross": (abs(x) <= 0.36) | (abs(y) <= 0.36),
    }
    return masks[shape]


@lru_cache(maxsize=64)
def _outlined(shape: str, side: int) -> tuple[Mask, Mask]:
    """The shape in a box one pixel wider all round, and its one-pixel outline."""
    inner = np.pad(shape_mask(shape, side), 1)
    grown = inner.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            grown |= np.roll(inner, shift, axis=axis)
    return inner, grown & ~inner


def place_corner(place: str, size: int) -> Corner:
    """Top left corner (row, column) of an outlined shape's box at a side of the screen."""
    box = scaled(SHAPE_SIDE, size) + 2
    middle, far = (size - box) / 2, size - box
    corners = {
        "left": (middle, 0),
        "right": (middle, far),
        "top": (0, middle),
        "bottom": (far, middle),
    }
    return np.array(corners[place], dtype=np.float64)


def _stamp(frame: Picture, body: Body, corner: Corner) -> None:
    inner, outline = _outlined(body.shape, scaled(SHAPE_SIDE, frame.shape[0]))
    row, column = (round(float(n)) for n in corner)
    box = frame[row : row + inner.shape[0], column : column + inner.shape[1]]
    box[inner] = RGB[body.colour]
    box[outline] = 0


def _stamp_digit(frames: Picture | Reel, digit: str) -> None:
    """Put a digit's plate in the middle of one frame or of several."""
    board = plate(digit, frames.shape[-2])
    top, left = (frames.shape[-2] - n for n in board.shape)
    top, left = top // 2, left // 2
    frames[..., top : top + board.shape[0], left : left + board.shape[1], :] = board[..., None]


def draw_ground(key: tuple[int, ...], size: int) -> UInt8[np.ndarray, "side side"]:
    """A grey torus of cobbles, with one bright road across and one down to see it scroll by."""
    rng = stream(*key)
    side, cobble = scaled(GROUND, size), scaled(COBBLE, size)
    cells = rng.integers(50, 120, size=(side // cobble + 1,) * 2, dtype=np.uint8)
    ground = cells.repeat(cobble, axis=0).repeat(cobble, axis=1)[:side, :side].copy()
    for _ in range(2):
        start = int(rng.integers(side))
        ground[(start + np.arange(scaled(ROAD, size))) % side] = 215
        ground = ground.T
    return ground


def _scroll(ground: Grey, camera: str, frames: int, fps: int, size: int) -> Reel:
    """Frames of a camera over the ground."""
    moved = np.round(np.arange(frames) * scaled(SCROLL, size) / fps).astype(np.int64)
    down, right = _STEPS[camera]
    window = np.arange(size)
    rows = (window + down * moved[:, None]) % ground.shape[0]
    columns = (window + right * moved[:, None]) % ground.shape[1]
    grey = ground[rows[:, :, None], columns[:, None, :]]
    return np.repeat(grey[..., None], 3, axis=-1)


def draw_film(film: Film, size: int) -> Reel:
    """Draw every frame of a film."""
    frames = _scroll(draw_ground(film.texture, size), film.camera, film.frames, film.fps, size)
    leave, arrive = film.travel
    done = np.clip((np.arange(film.frames) - leave) / max(1, arrive - leave), 0, 1)
    start, end = place_corner(film.mover.start, size), place_corner(film.mover.end, size)
    rest = place_corner(film.stayer.end, size)
    for frame, share in zip(frames, done, strict=True):
        _stamp(frame, film.stayer, rest)
        _stamp(frame, film.mover, start + share * (end - start))
    for flash in film.flashes:
        _stamp_digit(frames[flash.begin : flash.end], flash.digit)
    return frames


def draw_still(still: Still, size: int) -> Picture:
    """Draw an image."""
    picture = np.repeat(draw_ground(still.texture, size)[:size, :size, None], 3, axis=-1)
    for body in still.bodies:
        _stamp(picture, body, place_corner(body.end, size))
    if still.digit is not None:
        _stamp_digit(picture, still.digit)
    return picture
