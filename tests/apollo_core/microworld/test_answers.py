"""Answers in the manifests against what can be read off the decoded pixels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from apollo_core.microworld.drawing import RGB, plate

Frames = NDArray[np.int16]

# Content goes against the camera: (rows, columns) that it moves by in a frame.
SHIFTS = {(0, 2): "left", (0, -2): "right", (2, 0): "up", (-2, 0): "down", (0, 0): "still"}


def decode(path: Path) -> Frames:
    """All frames, (n, 48, 48, 3)."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.int16)


def camera_of(frames: Frames) -> str:
    """Direction from the shift that best maps each frame to the next, among all up to 3 pixels.

    Only grey pixels count: shapes, their outlines and digits keep to the screen.
    """
    grey = frames.mean(axis=-1)
    ground = (np.ptp(frames, axis=-1) < 25) & (grey > 45) & (grey < 225)

    def mismatch(shift: tuple[int, int]) -> float:
        y, x = 4 + shift[0], 4 + shift[1]
        both = ground[:-1, 4:-4, 4:-4] & ground[1:, y : y + 40, x : x + 40]
        change = grey[1:, y : y + 40, x : x + 40] - grey[:-1, 4:-4, 4:-4]
        return float(abs(change[both]).mean())

    reach = range(-3, 4)
    return SHIFTS[min(((y, x) for y in reach for x in reach), key=mismatch)]


def colour_mask(frame: Frames, colour: str) -> NDArray[np.bool_]:
    """Where a frame is close to one of the six colours."""
    return np.abs(frame - np.array(RGB[colour])).max(axis=-1) < 60


def side_of(frame: Frames, colour: str) -> str:
    """The side of the screen nearest to a colour's centre of mass."""
    rows, columns = np.nonzero(colour_mask(frame, colour))
    y, x = rows.mean() - 23.5, columns.mean() - 23.5
    if abs(x) > abs(y):
        return "right" if x > 0 else "left"
    return "bottom" if y > 0 else "top"


def digits_of(frames: Frames) -> list[str]:
    """Digits in order, each time the middle turns black and white for some frames."""
    seen: list[str] = []
    showing = False
    for frame in frames:
        middle = frame[11:37, 15:33].mean(axis=-1)
        plain = ((middle < 40) | (middle > 215)).mean() > 0.9 and (middle < 40).mean() > 0.4
        if plain and not showing:
            distance = {d: abs(plate(d, 48).astype(float) - middle).mean() for d in "0123456789"}
            seen.append(min(distance, key=lambda digit: distance[digit]))
        showing = bool(plain)
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
def asked(small_world: Path) -> list[tuple[Frames, str, str]]:
    """Every video question with its decoded frames."""
    films = {path.name: decode(path) for path in (small_world / "videos").iterdir()}
    return [(films[Path(v).name], question, answer) for v, question, answer in answers(small_world)]


def test_the_camera_moves_as_the_answer_says(asked: list[tuple[Frames, str, str]]) -> None:
    cases = [(f, a) for f, q, a in asked if q == "which way does the camera move?"]
    assert len(cases) == 12
    assert [camera_of(frames) for frames, _ in cases] == [answer for _, answer in cases]


def test_shapes_are_where_the_answer_says(asked: list[tuple[Frames, str, str]]) -> None:
    checked = 0
    for frames, question, answer in asked:
        if match := re.fullmatch(r"where is the (\w+) \w+ at the (start|end)\?", question):
            frame = frames[0 if match[2] == "start" else -1]
            assert side_of(frame, match[1]) == answer
            checked += 1
    assert checked == 6 * 2 + 6


def test_digits_appear_in_the_order_and_number_of_the_answers(
    asked: list[tuple[Frames, str, str]],
) -> None:
    expected = {
        "which digit appears first?": lambda digits: digits[0],
        "which digit appears last?": lambda digits: digits[-1],
        "how many digits appear?": lambda digits: str(len(digits)),
    }
    cases = [(f, expected[q], a) for f, q, a in asked if q in expected]
    assert len(cases) > 12
    assert [read(digits_of(f)) for f, read, _ in cases] == [answer for *_, answer in cases]


def test_the_colour_of_the_moving_shape_is_the_one_that_changes_place(
    asked: list[tuple[Frames, str, str]],
) -> None:
    cases = [(f, a) for f, q, a in asked if q == "what colour is the shape that moves?"]
    assert len(cases) >= 6
    for frames, answer in cases:
        shown = [c for c in RGB if min(colour_mask(frames[i], c).sum() for i in (0, -1)) > 40]
        assert len(shown) == 2
        moved = [c for c in shown if side_of(frames[0], c) != side_of(frames[-1], c)]
        assert moved == [answer]


def test_image_places_are_where_the_answer_says(small_world: Path) -> None:
    checked = 0
    for line in (small_world / "sft_image.jsonl").read_text().splitlines():
        row = json.loads(line)
        for question, answer in turns_of(row):
            if match := re.fullmatch(r"where is the (\w+) \w+\?", question):
                with Image.open(small_world / row["image"]) as image:
                    pixels = np.asarray(image).astype(np.int16)
                assert side_of(pixels, match[1]) == answer
                checked += 1
    assert checked == 4
