"""How many positions each sample of the data takes under a design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apollo_core.design import Integration, MemoryBank, Sampling
from apollo_core.errors import BadInput
from apollo_core.media.manifest_record import Sample
from apollo_core.sampling import sample
from apollo_core.stages.identity import TrainIdentity
from apollo_core.text.chat import encode_training
from apollo_core.text.integration import write_still, write_video
from apollo_core.training.feeding import place_media
from orchestrator.plan.plan import Plan, Variant

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MOST_KEPT = 10_000  # texts of films


@dataclass(frozen=True)
class TokenRule:
    """How a sample becomes positions.

    Attributes:
        variant: whose design it is.
        longest: positions that the language model takes; None = it does not say.
    """

    variant: str
    tokenizer: PreTrainedTokenizerBase
    sampling: Sampling
    integration: Integration
    memory: MemoryBank | None
    tokens_per_clip: int
    longest: int | None
    _films: dict[tuple[float, int], str] = field(default_factory=dict[tuple[float, int], str])

    def length(self, conversation: Sample, films: Mapping[str, tuple[float, int]]) -> int | None:
        """Positions of a sample; None where a film of it cannot be read.

        Args:
            conversation: with the media that it shows.
            films: path -> (seconds, frames) of every film that can be read.
        """
        written: list[str] = []
        for kind, path in conversation.media:
            if kind == "video":
                if path not in films:
                    return None
                written.append(self._film(*films[path]))
            else:
                written.append(write_still(self.integration))
        turns = place_media(conversation.turns, written)
        encoded = encode_training(self.tokenizer, turns, tokens_per_clip=self.tokens_per_clip)
        return len(encoded.tokens)

    def _film(self, seconds: float, frames: int) -> str:
        """What stands in the text for a film: that depends on its length, hardly on its frames."""
        if (seconds, frames) not in self._films:
            starts = np.arange(max(1, frames)) * (seconds / max(1, frames))
            clips = sample(starts, seconds, self.sampling)
            written = write_video(clips, self.integration, duration=seconds, memory=self.memory)
            if len(self._films) >= _MOST_KEPT:
                self._films.clear()
            self._films[seconds, frames] = written
        return self._films[seconds, frames]


def token_rule(design: str, store: Path) -> TokenRule:
    """The rule of `SWEEP` or `SWEEP:VARIANT`; of the first variant where none is named.

    Raises:
        BadInput: no such sweep or variant; its language model's tokenizer is not at hand.
    """
    from orchestrator.plan.graph import build_plan
    from orchestrator.spec.sweep_file import load_sweep

    file, _, name = design.partition(":")
    plan = build_plan(load_sweep(Path(file)), store=store)
    variant = plan.variant(name) if name else plan.variants[0]
    return _rule(plan, variant)


def _rule(plan: Plan, variant: Variant) -> TokenRule:
    node = [
        plan.stages[key]
        for key in variant.steps.values()
        if isinstance(plan.stages[key].identity, TrainIdentity)
    ][-1]
    identity = node.identity
    assert isinstance(identity, TrainIdentity)
    model = identity.model
    tokenizer, longest = _tokenizer(node.locations[model.llm.fingerprint])
    return TokenRule(
        variant.id,
        tokenizer,
        identity.sampling,
        model.integration,
        model.memory,
        model.resampler.tokens_per_frame * model.frames_per_clip,
        longest,
    )


def _tokenizer(location: str) -> tuple[PreTrainedTokenizerBase, int | None]:
    from apollo_core.places import Place

    place = Place.parse(location)
    if place.micro is not None:
        from apollo_core.microworld.tokenizer import build_tokenizer

        return build_tokenizer(), None
    from transformers import AutoConfig

    from apollo_core.llm import load_tokenizer

    try:
        tokenizer = load_tokenizer(place.source, revision=place.revision)
        config = AutoConfig.from_pretrained(place.source, revision=place.revision)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"--design: the tokenizer of {location} is not at hand ({type(error).__name__}); "
            "`apollo fetch` the sweep first"
        ) from None
    return tokenizer, getattr(config.get_text_config(), "max_position_embeddings", None)
