"""Films and stills to pixels: uint8 RGB, drawn with numpy alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, UInt8

from apollo_core.microworld.chance import stream
from apollo_core.microworld.film import Film
from apollo_core.microworld.layout import DIGIT, FRAME, PLATE, SIDE, Corner, corner_of, scaled
from apollo_core.microworld.looks import OWN, Grey, Look, Rgb
from apollo_core.microworld.motion import STEPS, mover_corners
from apollo_core.microworld.scene import Body
from apollo_core.microworld.still import Still

Mask = Bool[np.ndarray, "height width"]
Picture = UInt8[np.ndarray, "size size 3"]
Reel = UInt8[np.ndarray, "frames size size 3"]

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
# So many pictures of grain are drawn and then shifted: a new one for each frame would cost more
# than encoding the frame.
_GRAINS = 8
_BLACK = (0, 0, 0)


@lru_cache(maxsize=64)
def plate(digit: str, size: int, ink: int = 255, board: int = 0) -> Grey:
    """A bright digit on a dark board, in grey, for a frame of `size` pixels."""
    rows = [[bit == "1" for bit in row] for row in _FONT[digit].split()]
    high, wide = (scaled(n, size) for n in DIGIT)
    glyph = np.array(rows)[np.arange(high) * 7 // high][:, np.arange(wide) * 5 // wide]
    drawn = np.full(tuple(scaled(n, size) for n in PLATE), board, dtype=np.uint8)
    top, left = (drawn.shape[0] - high) // 2, (drawn.shape[1] - wide) // 2
    drawn[top : top + high, left : left + wide][glyph] = ink
    return drawn


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
def _outlined(shape: str, size: int) -> tuple[Mask, Mask]:
    """The shape in a box one pixel wider all round, and its one-pixel outline."""
    inner = np.pad(shape_mask(shape, scaled(SIDE, size)), 1)
    grown = inner.copy()
    for axis in (0, 1):
        for shift in (-1, 1):
            grown |= np.roll(inner, shift, axis=axis)
    return inner, grown & ~inner


def _stamp(frames: Picture | Reel, colour: Rgb, shape: str, corner: Corner, rim: Rgb) -> None:
    """Draw a shape and its outline into one frame or into several, what lies outside cut off."""
    size = frames.shape[-2]
    row, column = (scaled(n, size) for n in corner)
    inner, outline = _outlined(shape, size)
    top, left = max(0, -row), max(0, -column)
    high, wide = (min(n, size - at) for n, at in zip(inner.shape, (row, column), strict=True))
    if high <= top or wide <= left:
        return
    box = frames[..., row + top : row + high, column + left : column + wide, :]
    box[..., inner[top:high, left:wide], :] = colour
    box[..., outline[top:high, left:wide], :] = rim


def _stamp_digit(frames: Picture | Reel, digit: str, look: Look) -> None:
    """Put a digit's board in the middle of one frame or of several."""
    drawn = plate(digit, frames.shape[-2], look.ink, look.board)
    top, left = ((frames.shape[-2] - n) // 2 for n in drawn.shape)
    frames[..., top : top + drawn.shape[0], left : left + drawn.shape[1], :] = drawn[..., None]


def _ground(key: tuple[int, ...], size: int, look: Look) -> Grey:
    return look.ground(stream(*key), size)


def _scroll(film: Film, size: int, look: Look) -> Reel:
    """Frames of a camera over the ground."""
    ground = _ground(film.texture, size, look)
    seconds = np.arange(film.frames) / film.fps
    moved = np.round(seconds * film.scroll * size / FRAME).astype(np.int64)
    down, right = STEPS[film.camera]
    window = np.arange(size)
    rows = (window + down * moved[:, None]) % ground.shape[0]
    columns = (window + right * moved[:, None]) % ground.shape[1]
    grey = ground[rows[:, :, None], columns[:, None, :]]
    return np.repeat(grey[..., None], 3, axis=-1)


def draw_film(film: Film, size: int, look: Look = OWN) -> Reel:
    """Draw every frame of a film."""
    frames = _scroll(film, size, look)
    mover = film.mover
    corners = mover_corners(mover, np.arange(film.frames) / film.fps)
    for frame, (row, column) in zip(frames, corners.tolist(), strict=True):
        _stamp(frame, look.palette[mover.colour], mover.shape, (row, column), look.rim)
    _stamp_bodies(frames, film.stayers, look)
    for flash in film.flashes:
        _stamp_digit(frames[flash.begin : flash.end], flash.digit, look)
    return _grained(frames, film.texture, look)


def draw_still(still: Still, size: int, look: Look = OWN) -> Picture:
    """Draw an image."""
    ground = _ground(still.texture, size, look)[:size, :size, None]
    picture = np.repeat(ground, 3, axis=-1)
    _stamp_bodies(picture, still.bodies, look)
    if still.digit is not None:
        _stamp_digit(picture, still.digit, look)
    return _grained(picture[None], still.texture, look)[0]


def _stamp_bodies(frames: Picture | Reel, bodies: tuple[Body, ...], look: Look) -> None:
    for body in bodies:
        _stamp(frames, look.palette[body.colour], body.shape, corner_of(body.place), _BLACK)


def _grained(frames: Reel, key: tuple[int, ...], look: Look) -> Reel:
    """The frames with noise on every pixel, the same on its three colours."""
    if not look.grain:
        return frames
    size = frames.shape[1]
    rng = stream(*key, 1)
    grains = rng.normal(0, look.grain, size=(_GRAINS, size, size)).round().astype(np.int16)
    kinds = rng.integers(_GRAINS, size=len(frames))
    shifts = rng.integers(size, size=len(frames))
    noise = np.stack([np.roll(grains[k], s, axis=1) for k, s in zip(kinds, shifts, strict=True)])
    return np.clip(frames + noise[..., None], 0, 255).astype(np.uint8)
