"""Load a transformers model whole, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from apollo_core.encoders.finite import refuse_not_finite
from apollo_core.errors import BadData
from apollo_core.weights import own_tensors

Model = TypeVar("Model", bound=PreTrainedModel)
Config = TypeVar("Config", bound=PretrainedConfig)

# What transformers raises for a folder that is none, a damaged file, a config of other types, and
# a model that would need code of its own.
_UNREADABLE = (OSError, RuntimeError, ValueError, SafetensorError, StrictDataclassError)


def load_whole(
    kind: type[Model] | Any,
    source: str,
    *,
    revision: str,
    left_out: Sequence[str] = (),
    **options: Any,
) -> Model:
    """`kind.from_pretrained`, where model and checkpoint have exactly the same tensors.

    By itself transformers fills what a checkpoint lacks with fresh values, drops what it doesn't
    know, and goes on with a warning: a wrong folder would train from noise, and a tower of another
    make would lose the parts that make it so.

    Keys are compared under transformers' present names, to which it renames those of older
    versions. It never reports buffers that it computes itself (`position_ids`, rotary `inv_freq`)
    nor what a class declares as ignorable (`_keys_to_ignore_on_load_*`): no encoder here has such a
    declaration, and a language model's is its own explicit list.

    Weights are held in float32 whatever the checkpoint's type: small steps would round to nothing.

    Args:
        kind: a model class, or an auto class.
        source: hub id or folder.
        revision: commit or branch of a hub id.
        left_out: regular expressions, each for whole keys, of what a checkpoint may have beyond the
            model, such as a text tower.
        options: passed on.

    Raises:
        BadData: no safetensors checkpoint there, or one whose tensors are not the model's or not
            finite.
    """
    disable_progress_bar()
    set_verbosity_error()  # its report of missing weights is a table of every one of them
    _refuse_without_config(source, revision)
    try:
        model, info = cast(Any, kind).from_pretrained(
            source,
            revision=revision,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # so that they are listed; refused below
            output_loading_info=True,
            **options,
        )
    except _UNREADABLE as error:
        raise BadData(f"{source}: cannot be loaded as {kind.__name__}: {error}") from error
    misshapen = {
        f"{key} {tuple(found)} for {tuple(wanted)}"
        for key, found, wanted in info["mismatched_keys"]
    }
    refuse_differences(
        f"{source}: not the weights of a {type(model).__name__}",
        missing=info["missing_keys"],
        misshapen=misshapen,
        unexpected=unlisted(info["unexpected_keys"], left_out),
    )
    refuse_not_finite(source, own_tensors(model))
    return model


def load_config(kind: type[Config] | Any, source: str, *, revision: str) -> Config:
    """`kind.from_pretrained` of a config.

    Raises:
        BadData: there is none, or none that can be read.
    """
    _refuse_without_config(source, revision)
    try:
        return cast(Any, kind).from_pretrained(source, revision=revision, trust_remote_code=False)
    except _UNREADABLE as error:
        raise BadData(f"{source}: has no config that can be read: {error}") from error


def _refuse_without_config(source: str, revision: str) -> None:
    """Without one, transformers takes the defaults of the class and says nothing."""
    try:
        config, _ = PretrainedConfig.get_config_dict(source, revision=revision)
    except _UNREADABLE as error:
        raise BadData(f"{source}: has no config that can be read: {error}") from error
    if not config:
        raise BadData(f"{source}: has no config.json")


def unlisted(keys: Iterable[str], left_out: Sequence[str]) -> set[str]:
    """Keys that none of the regular expressions `left_out` matches whole."""
    return {key for key in keys if not any(re.fullmatch(each, key) for each in left_out)}


def refuse_differences(
    what: str, *, missing: Iterable[str], misshapen: Iterable[str], unexpected: Iterable[str]
) -> None:
    """Accept a checkpoint whose tensors are exactly the model's.

    Args:
        what: how the error begins.
        missing, misshapen, unexpected: names of the tensors that differ.

    Raises:
        BadData: they differ; with the number of each kind, and the first three of it.
    """
    kinds = {"missing": missing, "misshapen": misshapen, "unexpected": unexpected}
    listed = {kind: sorted(keys) for kind, keys in kinds.items()}
    parts = [f"{len(keys)} {kind} ({', '.join(keys[:3])})" for kind, keys in listed.items() if keys]
    if parts:
        raise BadData(f"{what}: {'; '.join(parts)}")
