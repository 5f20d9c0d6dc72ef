"""The language model and its tokenizer: any `AutoModelForCausalLM`, from the hub or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from apollo_core.encoders.pretrained import load_whole
from apollo_core.places import Place


def load_llm(
    location: str, parents: Mapping[str, Path]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load model and tokenizer.

    Args:
        location: a hub id at a revision, a folder, or `micro:NAME`, whose weights are the result
            of the pretraining stage in `parents["llm"]`.
        parents: role -> folder of a finished stage.
    """
    place = Place.parse(location)
    source = place.source if place.micro is None else str(parents["llm"])
    model = load_whole(AutoModelForCausalLM, source, revision=place.revision)
    return model, load_tokenizer(source, revision=place.revision)


def load_tokenizer(source: str, *, revision: str) -> PreTrainedTokenizerBase:
    """Load a tokenizer as its own files say.

    transformers 5 gives every model of type `qwen2` the Qwen2 byte-level splitter, whatever its
    `tokenizer.json` holds: another tokenizer then loads without an error and drops most words. A
    folder that declares the generic class means its `tokenizer.json` as it stands.
    """
    declared = get_tokenizer_config(source, revision=revision).get("tokenizer_class")
    if declared in ("PreTrainedTokenizerFast", "TokenizersBackend"):
        return PreTrainedTokenizerFast.from_pretrained(source, revision=revision)
    return AutoTokenizer.from_pretrained(source, revision=revision)
