"""Draw the pictures of docs/laboratory.md: films as two frames a second show them, with questions.

python tests/benchmarks/world_pictures.py --out docs/laboratory
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from apollo_core.microworld.chance import Split, stream
from apollo_core.microworld.drawing import draw_film, draw_still
from apollo_core.microworld.encoding import write_video
from apollo_core.microworld.film import Film, plan_film
from apollo_core.microworld.items import make_items
from apollo_core.microworld.looks import NEIGHBOURING, OWN, Look
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.still import describe_still, plan_still

Picture = NDArray[np.uint8]

COLUMNS, SCALE, GAP, LINE = 16, 2, 4, 15
FONT = ImageFont.truetype(findfont("DejaVu Sans"), 12)
SPEC = WorldSpec()
WIDTH = COLUMNS * (SPEC.size * SCALE + GAP)


def frames_of(film: Film, look: Look) -> list[Picture]:
    """Frames of the encoded file at the middle of each half second, as far as they fit in a row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_video(path, draw_film(film, SPEC.size, look), film.fps)
        with av.open(str(path)) as container:
            frames = [
                f.to_ndarray(format="rgb24").astype(np.uint8) for f in container.decode(video=0)
            ]
    count = min(COLUMNS, int(film.seconds * 2))
    return [frames[int((i + 0.5) / 2 * film.fps)] for i in range(count)]


def row(pictures: Sequence[Picture], lines: Sequence[str]) -> Image.Image:
    """Pictures side by side, and text below them."""
    side = SPEC.size * SCALE
    sheet = Image.new("RGB", (WIDTH, side + GAP + LINE * len(lines) + 2 * GAP), "white")
    for i, picture in enumerate(pictures):
        large = Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(large, (i * (side + GAP), 0))
    pen = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines):
        pen.text((2, side + GAP + i * LINE), line, fill="black", font=FONT)
    return sheet


def stacked(rows: Sequence[Image.Image]) -> Image.Image:
    """Rows under one another."""
    sheet = Image.new("RGB", (WIDTH, sum(each.height for each in rows)), "white")
    top = 0
    for each in rows:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def films_with_questions(indices: Sequence[int]) -> Image.Image:
    """Benchmark films, each with its five questions; the right option in capitals."""
    rows = []
    for index in indices:
        film, focus = plan_film(SPEC, Split.BENCH, index)
        lines = [f"{film.seconds:.1f} s at {film.fps} frames/s"]
        for item in make_items(film, focus, SPEC.seed, index):
            right = item.question.answer
            options = " ".join(o.upper() if o == right else o for o in item.options)
            shown = options if right.isalpha() else f"{options} (right: {right})"
            lines.append(f"{item.question.category}: {item.question.text}  {shown}")
        rows.append(row(frames_of(film, OWN), lines))
    return stacked(rows)


def both_looks(film_index: int) -> Image.Image:
    """One film in the world's own look and in the neighbouring one, and pictures of each."""
    film, _ = plan_film(SPEC, Split.TRAIN, film_index)
    stills = [plan_still(SPEC.seed, Split.IMAGES, i) for i in range(COLUMNS)]
    told = f"the first picture: {describe_still(stills[0], stream(0))}"
    rows = [row(frames_of(film, look), []) for look in (OWN, NEIGHBOURING)]
    rows += [
        row([draw_still(still, SPEC.size, look) for still in stills], lines)
        for look, lines in ((OWN, []), (NEIGHBOURING, [told]))
    ]
    return stacked(rows)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, sheet in (
        ("films", films_with_questions((0, 3, 8, 9))),
        ("looks", both_looks(5)),
    ):
        few = sheet.quantize(128, dither=Image.Dither.NONE)
        few.save(out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
