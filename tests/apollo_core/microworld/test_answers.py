"""Answers in the manifests against what can be read off the decoded pixels."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from apollo_core.microworld.drawing import plate
from apollo_core.microworld.language import NUMBERS
from apollo_core.microworld.looks import OWN
from apollo_core.microworld.motion import PIXELS_PER_SECOND

Frames = NDArray[np.int16]


class Reel(NamedTuple):
    """Decoded frames, (n, 48, 48, 3), and how many there are to a second."""

    frames: Frames
    fps: float

    @property
    def step(self) -> int:
        """Frames in a quarter of a second, at least two."""
        return max(2, round(self.fps / 4))


def decode(path: Path) -> Reel:
    """All frames of a file."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return Reel(np.stack(frames).astype(np.int16), float(rate))


def camera_of(reel: Reel) -> str:
    """Direction from the shift that best maps each frame to one a quarter of a second later.

    Only grey pixels count: shapes, their outlines and digits keep to the screen.
    """
    before, after = reel.frames[: -reel.step], reel.frames[reel.step :]
    grey = [each.mean(axis=-1) for each in (before, after)]
    ground = [
        (np.ptp(each, axis=-1) < 25) & (tone > 45) & (tone < 225)
        for each, tone in zip((before, after), grey, strict=True)
    ]

    def mismatch(shift: tuple[int, int]) -> float:
        y, x = 8 + shift[0], 8 + shift[1]
        both = ground[0][:, 8:-8, 8:-8] & ground[1][:, y : y + 32, x : x + 32]
        change = grey[1][:, y : y + 32, x : x + 32] - grey[0][:, 8:-8, 8:-8]
        return float(abs(change[both]).mean())

    reach = range(-7, 8)
    ways = [(0, 0), *((y, 0) for y in reach if y), *((0, x) for x in reach if x)]
    down, right = min(ways, key=mismatch)
    # Content goes against the camera.
    return {
        **{(0, 1): "leftward", (0, -1): "rightward", (1, 0): "upward", (-1, 0): "downward"},
        (0, 0): "still",
    }[int(np.sign(down)), int(np.sign(right))]


def colour_mask(frame: Frames, colour: str) -> NDArray[np.bool_]:
    """Where frames are close to one of the four colours."""
    return np.abs(frame - np.array(OWN.palette[colour])).max(axis=-1) < 60


BOXES = {"left": (17, 0), "right": (17, 34), "top": (0, 17), "bottom": (34, 17)}


def colours_at(frames: Frames) -> dict[str, str]:
    """Side of the screen -> the colour that fills its middle in nearly every frame."""
    found: dict[str, str] = {}
    for place, (row, column) in BOXES.items():
        box = frames[:, row + 5 : row + 10, column + 5 : column + 10]
        for colour in OWN.palette:
            if colour_mask(box, colour).mean() > 0.85:
                found[place] = colour
    return found


def digits_of(reel: Reel) -> list[tuple[str, float, float]]:
    """Digits in order with begin and end in seconds, whenever the middle is black and white."""
    seen: list[tuple[str, float, float]] = []
    for index, frame in enumerate(reel.frames):
        middle = frame[15:33, 17:31].mean(axis=-1)
        plain = ((middle < 60) | (middle > 195)).mean() > 0.95 and (middle < 60).mean() > 0.4
        if not plain:
            continue
        distance = {d: abs(plate(d, 48).astype(float) - middle).mean() for d in "0123456789"}
        digit = min(distance, key=lambda d: distance[d])
        end = (index + 1) / reel.fps
        if seen and seen[-1][0] == digit:
            seen[-1] = (digit, seen[-1][1], end)
        else:
            seen.append((digit, index / reel.fps, end))
    return seen


def turns_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(question, answer) of each turn, media marks removed."""
    said = [re.sub(r"<\w+>\n", "", turn["value"]) for turn in row["conversations"]]
    return list(zip(said[::2], said[1::2], strict=True))


def answers(world: Path) -> list[tuple[str, str, str]]:
    """(video, question, answer) of the training questions and of the benchmark."""
    found: list[tuple[str, str, str]] = []
    for line in (world / "sft_video.jsonl").read_text().splitlines():
        row = json.loads(line)
        found += [(row["video"], question, answer) for question, answer in turns_of(row)]
    for line in (world / "bench.jsonl").read_text().splitlines():
        row = json.loads(line)
        right = row["options"]["ABCD".index(row["answer"])]
        found.append((row["video"], row["question"], right))
    return found


@pytest.fixture(scope="module")
def asked(make_world: Callable[..., Path]) -> list[tuple[Reel, str, str]]:
    """Every question about some films, long enough for every family, with the decoded frames."""
    world = make_world(min_seconds=8, max_seconds=12, train_videos=12, bench_videos=12)
    films = {path.name: decode(path) for path in (world / "videos").iterdir()}
    return [(films[Path(v).name], question, answer) for v, question, answer in answers(world)]


def test_the_camera_moves_as_the_answer_says(asked: list[tuple[Reel, str, str]]) -> None:
    cases = [(f, a) for f, q, a in asked if q == "which way does the camera move?"]
    assert len(cases) == 24
    assert [camera_of(reel) for reel, _ in cases] == [answer for _, answer in cases]


def test_shapes_are_where_and_of_the_colour_that_the_answers_say(
    asked: list[tuple[Reel, str, str]],
) -> None:
    checked = 0
    for reel, question, answer in asked:
        found = colours_at(reel.frames)
        if match := re.fullmatch(r"where is the (\w+) \w+\?", question):
            assert found[answer] == match[1]
            checked += 1
        elif match := re.fullmatch(r"what colour is the shape at the (\w+)\?", question):
            assert found[match[1]] == answer
            checked += 1
    assert checked > 12 + 6


def test_digits_appear_in_the_order_and_number_of_the_answers_and_for_as_long(
    asked: list[tuple[Reel, str, str]],
) -> None:
    fixed = {
        "which digit is shown first?": lambda shown: shown[0][0],
        "which digit is shown second?": lambda shown: shown[1][0],
        "which digit is shown last?": lambda shown: shown[-1][0],
        "how many digits are shown?": lambda shown: NUMBERS[len(shown)],
    }
    checked = Counter[str]()
    for reel, question, answer in asked:
        shown = digits_of(reel)
        if question in fixed:
            assert fixed[question](shown) == answer
        elif match := re.fullmatch(r"which digit is shown at 00:(\d\d)\?", question):
            assert [d for d, begin, end in shown if begin < int(match[1]) < end] == [answer]
        elif match := re.fullmatch(r"for how many seconds is the digit (\d) shown\?", question):
            [lasting] = [end - begin for d, begin, end in shown if d == match[1]]
            assert lasting == pytest.approx(NUMBERS.index(answer), abs=1e-6)
        else:
            continue
        checked[re.sub(r"\d+", "_", question)] += 1
    assert len(checked) == 6
    assert min(checked.values()) >= 3


def test_the_mover_is_of_the_heading_and_speed_that_the_answers_say(
    make_world: Callable[..., Path],
) -> None:
    world = make_world(min_seconds=8, max_seconds=8, train_videos=24, bench_videos=0)
    rows = [json.loads(line) for line in (world / "captions.jsonl").read_text().splitlines()]
    checked = 0
    for row in rows:
        [(_, caption)] = turns_of(row)
        [(colour, heading, speed)] = re.findall(r"\w+ (\w+) (\w+th|\w+st) (\w+)\.", caption)
        if caption.count(f" {colour} ") > 1:
            continue  # Told apart from the others by its colour here.
        reel = decode(world / row["video"])
        down, right = velocity_of(colour_mask(reel.frames, colour), reel.fps)
        assert heading == way_of(down, right)
        assert max(abs(down), abs(right)) == pytest.approx(
            PIXELS_PER_SECOND[speed], rel=0.15, abs=0.6
        )
        checked += 1
    assert checked >= 4


def velocity_of(mask: NDArray[np.bool_], fps: float) -> tuple[float, float]:
    """Mean change of a mask's centre where it is whole, (down, right) in pixels a second."""
    whole = np.sort(mask.sum((1, 2)))[-len(mask) // 8] * 0.97
    centres = [
        (index, *(float(axis.mean()) for axis in np.nonzero(one)))
        for index, one in enumerate(mask)
        if one.sum() >= whole
    ]
    pairs = [
        ((j - i) / fps, b - y, r - x)
        for i, y, x in centres
        for j, b, r in centres
        if 0 < j - i <= fps / 2
    ]
    seconds, down, right = np.sum(np.array(pairs), axis=0)
    return float(down / seconds), float(right / seconds)


def way_of(down: float, right: float) -> str:
    """The main direction."""
    if abs(right) > abs(down):
        return "east" if right > 0 else "west"
    return "south" if down > 0 else "north"


def test_image_answers_are_what_the_pixels_show(small_world: Path) -> None:
    checked = 0
    for line in (small_world / "sft_image.jsonl").read_text().splitlines():
        row = json.loads(line)
        with Image.open(small_world / row["image"]) as image:
            found = colours_at(np.asarray(image).astype(np.int16)[None])
        for question, answer in turns_of(row):
            if match := re.fullmatch(r"where is the (\w+) \w+\?", question):
                assert found[answer] == match[1]
            elif match := re.fullmatch(r"what colour is the shape at the (\w+)\?", question):
                assert found[match[1]] == answer
            elif match := re.fullmatch(r"how many (\w+) shapes are shown\?", question):
                assert list(found.values()).count(match[1]) == NUMBERS.index(answer)
            elif question == "how many shapes are shown?":
                assert len(found) == NUMBERS.index(answer)
            else:
                continue
            checked += 1
    assert checked > 4 * 2
