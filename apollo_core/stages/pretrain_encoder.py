"""Pretrain a microworld vision encoder on the microworld's captions.

Every word of the microworld is a text; a picture and a word match where its caption holds the word.
The loss is the pairwise sigmoid of SigLIP (Zhai et al., 2023) over (clip, word) pairs, for both
classes of encoder: a stand-in until each has the objective of its namesake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.encoders import pixels
from apollo_core.encoders.families import build_encoder
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.language import VOCABULARY, words
from apollo_core.microworld.parts import PRETRAINING_SAMPLING
from apollo_core.stages.assembly import WEIGHTS
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import PretrainIdentity
from apollo_core.stages.part_training import train_part
from apollo_core.stages.training_sets import read_set
from apollo_core.streams import torch_stream
from apollo_core.weights import save_modules


@dataclass(frozen=True)
class Pictures:
    """Clips of several media, and the words of each medium's caption.

    Attributes:
        clips: frames as decoded.
        medium: which medium each clip is of.
        words: 1 where a medium's caption holds a word of the vocabulary.
    """

    clips: UInt8[Tensor, "clips frames height width 3"]
    medium: Tensor
    words: Float[Tensor, "media vocabulary"]

    @property
    def supervised(self) -> int:
        """Pairs of a medium and a word."""
        return self.words.numel()

    def to(self, device: torch.device) -> Pictures:
        """The same on another device."""
        return Pictures(self.clips.to(device), self.medium.to(device), self.words.to(device))


class WordTower(nn.Module):
    """An embedding and a bias for every word; pictures are compared with them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.words = nn.Linear(dim, len(VOCABULARY))

    def forward(
        self,
        grid: Float[Tensor, "clips slots rows columns dim"],
        medium: Tensor,
        media: int,
    ) -> Float[Tensor, "media vocabulary"]:
        """Logits of each medium and word, the mean over all places of all its clips.

        The maximum over places would be nearer to "it is somewhere", and learns nothing in the
        first thousand steps: hardly any place gets a gradient.
        """
        clips = self.words(self.norm(grid)).mean((1, 2, 3))
        shares = functional.one_hot(medium, media).to(clips.dtype).T
        return (shares / shares.sum(1, keepdim=True)) @ clips


def pretrain_encoder(identity: PretrainIdentity, context: StageContext) -> None:
    """Train a fresh encoder; leave its weights.

    Raises:
        StageFailed: as a training stage.
        BadInput: no microworld part of that name.
    """
    device = settle(context.execution)
    location = context.locations[identity.part.fingerprint]
    encoder = build_encoder(
        identity.part, location, frames_per_clip=PRETRAINING_SAMPLING.frames_per_clip, trained=None
    )
    with torch_stream(identity.seed, "initialise words"):
        tower = WordTower(encoder.dim)
    both = nn.ModuleDict({"encoder": encoder, "tower": tower}).to(device)
    samples = read_set(identity.corpus, context)

    def loss(pictures: Pictures) -> Tensor:
        grid = encoder(pixels.to_unit(pictures.clips))
        logits = tower(grid, pictures.medium, len(pictures.words))
        return functional.binary_cross_entropy_with_logits(logits, pictures.words, reduction="sum")

    with media_readers(context, PRETRAINING_SAMPLING, "plain", size=encoder.spec.size) as readers:
        train_part(
            "encoder",
            both,
            loss,
            lambda rows: _pictures([samples[row] for row in rows], readers[0]),
            identity,
            context,
            rows=len(samples),
            device=device,
        )
    save_modules({"encoder": encoder}, context.out / WEIGHTS)


def _pictures(samples: Sequence[Sample], reader: MediaReader) -> Pictures:
    shown = [reader.show(sample.media) for sample in samples]
    # An image's clip is one frame over and over, and only image encoders learn from images.
    frames = [one.frames[:, :1] if all(one.still) else one.frames for one in shown]
    counts = [len(clips) for clips in frames]
    return Pictures(
        torch.from_numpy(np.concatenate(frames)),
        torch.repeat_interleave(torch.tensor(counts)),
        torch.from_numpy(np.stack([_words_of(sample) for sample in samples])),
    )


def _words_of(sample: Sample) -> np.ndarray:
    said = {word for role, text in sample.turns if role == "assistant" for word in words(text)}
    return np.array([word in said for word in VOCABULARY], np.float32)
