"""A few hundred pictures and clips of a small world, and short trainings on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from apollo_core.encoders import pixels
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.families import FAMILIES
from apollo_core.microworld.parts import ENCODERS
from apollo_core.pretraining.objectives import objective_of
from apollo_core.pretraining.watched import Watched, sentences_of, together
from apollo_core.training.loop import Recipe, train

FRAMES = 4


@dataclass(frozen=True)
class Media:
    """Media of one kind as decoded, (media, clips, frames, size, size, 3), and their captions."""

    frames: Tensor
    captions: list[str]

    @classmethod
    def of(cls, frames: np.ndarray, captions: list[str]) -> Media:
        """As a reader gives them."""
        return cls(torch.from_numpy(frames), captions)

    def batch(self, rows: list[int]) -> Watched:
        """Those rows, as a stage makes them."""
        clips = self.frames[rows]
        said = [sentences_of(self.captions[row]) for row in rows]
        return together(said, [clips.shape[1]] * len(rows), clips.flatten(0, 1))


def fresh(name: str) -> VideoEncoder:
    """A part with random weights, the same each time."""
    micro = ENCODERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FAMILIES[micro.family].create(micro.geometry, frames_per_clip=FRAMES)


def trained(
    name: str, media: Media, *, steps: int, batch: int, lr: float
) -> tuple[VideoEncoder, list[float]]:
    """A part after some steps of its own objective, and the loss of each."""
    micro, encoder, losses = ENCODERS[name], fresh(name), []
    rng = np.random.default_rng(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        frames = media.frames.shape[2]
        objective = objective_of(encoder, micro.geometry, frames=frames)
        train(
            {"encoder": objective},
            lambda watched: objective(watched) * watched.supervised,
            (
                [media.batch(rng.choice(len(media.captions), batch, replace=False).tolist())]
                for _ in range(steps)
            ),
            Recipe({"encoder": lr}, steps, 0.03, 0.0, 1.0, "float32"),
            device=torch.device("cpu"),
            report=lambda event: losses.append(event["loss"]),
        )
    return encoder, losses


@torch.no_grad()
def grids(encoder: VideoEncoder, media: Media) -> np.ndarray:
    """What an encoder makes of media, the clips of each one behind the other."""
    encoder.eval()
    count = len(media.frames)
    features = encoder(pixels.to_unit(media.frames.flatten(0, 1)))
    return features.reshape(count, -1, *features.shape[2:]).numpy()
