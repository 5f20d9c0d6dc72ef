"""What happens in one video: a plan with every answer in it, before any pixel.

Three shapes stay at sides of the screen and a fourth passes behind them; two to five digits appear
in the middle, one after the other; the ground scrolls under them as the camera moves. Shapes and
digits keep to the screen, not to the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apollo_core.microworld.chance import Purpose, Split, choice, shuffled, stream
from apollo_core.microworld.colouring import colour_bodies
from apollo_core.microworld.focus import COUNTS, Focus, deal_focus
from apollo_core.microworld.language import DIGITS, HEADINGS, NUMBERS, PLACES, SHAPES, SPEEDS
from apollo_core.microworld.layout import BOX, FRAME
from apollo_core.microworld.motion import TRACK, visible_shares
from apollo_core.microworld.scene import Body, Flash, Mover
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.timeline import lay_out

# Pixels of a 48-pixel frame that the ground scrolls in a second.
SCROLL = (12.0, 20.0)
STAYERS = 3
# A slow shape behind one that stays might never be seen: of so many ways the best is taken.
_WAYS = 8


@dataclass(frozen=True)
class Film:
    """One video's plan.

    Attributes:
        frames: how many.
        fps: of the file, frames per second.
        camera: which way it moves, or `still`.
        scroll: how fast, pixels of a 48-pixel frame per second.
        mover: the shape that moves.
        stayers: those that stay, each at another side.
        flashes: the digits in order; all different.
        texture: seeds the ground.
    """

    frames: int
    fps: int
    camera: str
    scroll: float
    mover: Mover
    stayers: tuple[Body, ...]
    flashes: tuple[Flash, ...]
    texture: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.fps

    @property
    def digits(self) -> tuple[str, ...]:
        """The digits in order of appearance."""
        return tuple(flash.digit for flash in self.flashes)

    @property
    def bodies(self) -> tuple[Body | Mover, ...]:
        """All shapes, the mover first."""
        return (self.mover, *self.stayers)


def plan_film(spec: WorldSpec, split: Split, index: int) -> tuple[Film, Focus]:
    """Plan film `index` of `split`: the same for the same spec, whatever else is planned."""
    rng = stream(spec.seed, split, Purpose.PLOT, index)
    focus = deal_focus(spec.seed, split, index, max_seconds=spec.max_seconds)
    fps = _rate(spec.rates, rng)
    shortest = min(max(spec.min_seconds, focus.needs), spec.max_seconds)
    frames = round(fps * float(rng.uniform(shortest, spec.max_seconds)))
    stayers, mover = _bodies(focus, rng)
    film = Film(
        frames=frames,
        fps=fps,
        camera=focus.egocentric.answer,
        scroll=float(rng.uniform(*SCROLL)),
        mover=_well_seen(mover, stayers, frames / fps, rng),
        stayers=stayers,
        flashes=_flashes(focus, frames, fps, rng),
        texture=(spec.seed, split, Purpose.TEXTURE, index),
    )
    return film, focus


def _rate(rates: tuple[int, ...], rng: np.random.Generator) -> int:
    """One of `rates`, each in proportion to its period: every rate gets as many frames in all."""
    periods = 1 / np.array(rates, dtype=np.float64)
    return int(rng.choice(rates, p=periods / periods.sum()))


def _bodies(focus: Focus, rng: np.random.Generator) -> tuple[tuple[Body, ...], Mover]:
    """Shapes all different, colours that repeat, places that fit the focus; no way yet."""
    colours = colour_bodies(
        STAYERS + 1,
        among_stayers=focus.answer("perception", "colour_of")
        or focus.answer("perception", "colour_at"),
        more=focus.answer("reasoning", "more"),
        rng=rng,
    )
    shapes = shuffled(rng, SHAPES)
    wanted = focus.answer("spatial", "where")
    places = sorted(shuffled(rng, PLACES), key=lambda place: place != wanted)[:STAYERS]
    stayers = tuple(
        Body(colour, shape, place)
        for colour, shape, place in zip(colours, shapes, shuffled(rng, places), strict=False)
    )
    mover = Mover(
        colours[-1],
        shapes[-1],
        heading=focus.answer("spatial", "heading") or choice(rng, HEADINGS),
        speed=focus.answer("perception", "speed") or choice(rng, SPEEDS),
        lane=0.0,
        start=0.0,
    )
    return stayers, mover


def _well_seen(
    mover: Mover, stayers: tuple[Body, ...], seconds: float, rng: np.random.Generator
) -> Mover:
    """The mover on the way, among a few, on which most of it is seen for most of the film."""
    moments = np.arange(0.25, seconds, 0.5)
    ways = rng.uniform(0, (FRAME - BOX, TRACK), size=(_WAYS, 2)).tolist()
    movers = [replace(mover, lane=lane, start=start) for lane, start in ways]
    return max(movers, key=lambda one: float(visible_shares(one, stayers, moments).sum()))


def _flashes(focus: Focus, frames: int, fps: int, rng: np.random.Generator) -> tuple[Flash, ...]:
    """Digits and times that have the dealt answers."""
    count = NUMBERS.index(focus.answer("reasoning", "count") or choice(rng, COUNTS))
    family, digit = focus.temporal_ocr
    order = [int(i) for i in rng.permutation(count)]
    places = {"first": 0, "second": 1, "last": count - 1, "at": order[0]}
    others = shuffled(rng, [each for each in DIGITS if each != digit])[: count - 1]
    digits = [*others[: places[family]], digit, *others[places[family] :]]
    wanted: list[int | None] = [None] * count
    lasting = focus.answer("reasoning", "seconds")
    if lasting is not None:
        wanted[order[1]] = NUMBERS.index(lasting)
    if family == "at":
        # Two at least are shown for long, so that it takes the time to tell which.
        wanted[order[0]] = 2
        rival = 1 if lasting is None or NUMBERS.index(lasting) > 1 else 2
        if rival < count:
            wanted[order[rival]] = wanted[order[rival]] or 2
    return lay_out(digits, wanted, frames=frames, fps=fps, rng=rng)
