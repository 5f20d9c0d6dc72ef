"""A batch of pretraining: clips of media, and what is said of each medium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from apollo_core.microworld.language import VOCABULARY, words

PAD = 0
# Places of the words of a caption; 0 pads.
CAPTION_WORDS = {word: place for place, word in enumerate(VOCABULARY, start=1)}


@dataclass(frozen=True)
class Watched:
    """Clips of several media, and the sentences of each medium's caption.

    Attributes:
        clips: frames as decoded.
        medium: which medium each clip is of.
        sentences: words by their place in `CAPTION_WORDS`, padded with 0 at the end; a caption of
            fewer sentences than another has empty ones behind.
    """

    clips: UInt8[Tensor, "clips frames height width 3"]
    medium: Int[Tensor, " clips"]
    sentences: Int[Tensor, "media sentences words"]

    @property
    def supervised(self) -> int:
        """Media: a loss is their mean."""
        return len(self.sentences)

    def to(self, device: torch.device) -> Watched:
        """The same on another device."""
        return Watched(self.clips.to(device), self.medium.to(device), self.sentences.to(device))

    def told(self) -> tuple[Int[Tensor, "texts words"], Bool[Tensor, "media texts"]]:
        """Each sentence of the batch once, and of which media it is said: of one at least."""
        count = self.supervised
        flat = rearrange(self.sentences, "media sentences words -> (media sentences) words")
        texts, place = flat.unique(dim=0, return_inverse=True)
        said_of = torch.zeros(count, len(texts), dtype=torch.bool, device=flat.device)
        said_of.scatter_(1, place.view(count, -1), value=True)
        spoken = (texts != PAD).any(1)
        return texts[spoken], said_of[:, spoken]

    def mean_of_clips(self, of_clips: Float[Tensor, "clips dim"]) -> Float[Tensor, "media dim"]:
        """The mean over the clips of each medium."""
        member = functional.one_hot(self.medium, self.supervised).to(of_clips.dtype)
        member = rearrange(member, "clips media -> media clips")
        return (member / member.sum(1, keepdim=True)) @ of_clips


def sentences_of(caption: str) -> list[Tensor]:
    """The words of each sentence by their place; a word outside the language is passed over."""
    spoken = [
        [CAPTION_WORDS[w] for w in words(s) if w in CAPTION_WORDS] for s in caption.split(".")
    ]
    return [torch.tensor(places) for places in spoken if places]


def together(captions: Sequence[list[Tensor]], counts: Sequence[int], clips: Tensor) -> Watched:
    """A batch from each medium's sentences, its number of clips, and all clips in a row."""
    most = max(len(sentences) for sentences in captions)
    none = torch.zeros(0, dtype=torch.long)
    rows = [
        each for sentences in captions for each in [*sentences, *[none] * (most - len(sentences))]
    ]
    padded = pad_sequence(rows, batch_first=True, padding_value=PAD)
    table = rearrange(padded, "(media sentences) words -> media sentences words", sentences=most)
    return Watched(clips, torch.repeat_interleave(torch.tensor(counts)), table)
