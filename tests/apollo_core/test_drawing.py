"""The drawing of the data's way says the shapes that the full-size base design really has."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import torch

from apollo_core.catalogue import ENCODERS, LLMS
from apollo_core.connector.connector import Connector
from apollo_core.design import FpsSampling, PerceiverResampler
from apollo_core.encoders.families import FAMILIES
from apollo_core.encoders.pixels import to_unit
from apollo_core.sampling import sample

DRAWING = Path(__file__).parents[2] / "docs" / "pictures" / "base-design.svg"
SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=25)
BASE = ("internvideo2-1b", "siglip-so400m")
RESAMPLER = PerceiverResampler(kind="perceiver", tokens_per_frame=16)


def test_every_shape_in_the_drawing_is_that_of_the_base_design_at_full_size():
    clips = sample([i / 30 for i in range(300)], 10.0, SAMPLING)
    llm = LLMS["Qwen/Qwen2-1.5B-Instruct"]
    with torch.device("meta"):
        encoders = [
            FAMILIES[ENCODERS[name].family].create(ENCODERS[name].geometry, frames_per_clip=4)
            for name in BASE
        ]
        side = max(encoder.spec.size for encoder in encoders)
        frames = torch.zeros(len(clips), 4, side, side, 3, dtype=torch.uint8)
    grids = [encoder(to_unit(frames)) for encoder in encoders]
    connector = Connector(
        RESAMPLER,
        dims=[encoder.dim for encoder in encoders],
        hidden=llm.hidden,
        frames_per_clip=4,
    )
    one = [torch.zeros(1, *grid.shape[1:]) for grid in grids]
    with torch.no_grad():
        joined = connector.join(one)
        tokens = connector(one)
    count = len(clips)
    shapes = [
        frames.shape,
        *(grid.shape for grid in grids),
        (count, *joined.shape[1:]),
        (count, joined.shape[1:4].numel(), llm.hidden),
        (count, *tokens.shape[1:]),
    ]
    drawn = unescape(DRAWING.read_text())
    assert re.findall(r"\((?:\d+, )+\d+\)", drawn) == [str(tuple(shape)) for shape in shapes]
    assert f"(1, {count * tokens.shape[1]} + words, {llm.hidden})" in drawn
    assert f"(answer tokens, {llm.vocabulary})" in drawn
