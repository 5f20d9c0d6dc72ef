"""Write a model as a folder that transformers loads, and see that it loads what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import GenerationConfig, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from apollo_core.connector.resamplers.kinds import is_conditioned
from apollo_core.design import Sampling
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import StageFailed
from apollo_core.exported.apollo_config import ApolloConfig
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration
from apollo_core.exported.apollo_processor import ApolloProcessor
from apollo_core.exported.encoder_blueprints import describe
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.model import VideoLMM
from apollo_core.scoring.generating import ends
from apollo_core.stages.identity import ModelIdentity, Precision
from apollo_core.text.chat import PLAIN_TEMPLATE

_CONNECTOR = {"resampler", "frames_per_clip", "joining", "memory"}


def write_folder(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    identity: ModelIdentity,
    out: Path,
    *,
    sampling: Sampling,
    precision: Precision,
    shard_size: int,
    decoder: DecoderName = DEFAULT_DECODER,
) -> None:
    """Write config, weights, generation config, processor and tokenizer into `out`, and load them.

    Args:
        model: whole, in float32. Who keeps no reference to it needs memory for one model only.
        tokenizer: the language model's.
        identity: of the model.
        out: an empty folder.
        sampling: what the processor does.
        precision: that the variant was evaluated in.
        shard_size: bytes of the largest file of weights.
        decoder: of videos, by the processor.

    Raises:
        OSError: it cannot be written.
        StageFailed: what transformers loads from it is not the model.
    """
    disable_progress_bar()
    set_verbosity_error()
    shell = _shell(model, tokenizer, identity, precision)
    written = dict(_digests(shell))
    try:
        shell.save_pretrained(out, max_shard_size=shard_size)
    except SafetensorError as error:  # its way to tell of a full disk
        raise OSError(str(error)) from error
    _processor(model, tokenizer, identity, sampling, decoder).save_pretrained(out)
    del shell, model  # a second copy of a large one might not fit
    loaded = dict(_digests(ApolloForConditionalGeneration.from_pretrained(out)))
    differing = sorted(
        name for name in {*written, *loaded} if written.get(name) != loaded.get(name)
    )
    if differing:
        raise StageFailed(
            f"{len(differing)} tensors are not loaded as they were written ({differing[0]}, ...): "
            "this release of transformers changes them; nothing was exported"
        )


def _shell(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    identity: ModelIdentity,
    precision: Precision,
) -> ApolloForConditionalGeneration:
    """The transformers model around `model`, without weights of its own."""
    config = ApolloConfig(
        text_config=_portable(model.llm.config.to_dict()),
        encoders=[_portable(describe(cast(VideoEncoder, each))) for each in model.vision],
        connector=identity.model_dump(mode="json", include=_CONNECTOR),
        precision=precision,
        dtype="float32",
    )
    with torch.device("meta"):
        shell = ApolloForConditionalGeneration(config)
    shell.lmm = model
    stops = sorted(ends(model.llm, tokenizer))
    shell.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0],
    )
    return shell


def _portable(config: dict[Any, Any]) -> dict[Any, Any]:
    """Without the place that a part was loaded from, which is of this machine."""
    return {
        key: _portable(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key != "_name_or_path"
    }


def _processor(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    identity: ModelIdentity,
    sampling: Sampling,
    decoder: DecoderName,
) -> ApolloProcessor:
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE  # what the variant was trained with then
    return ApolloProcessor(
        tokenizer,
        sampling=sampling.model_dump(mode="json"),
        integration=identity.integration,
        memory=identity.memory.model_dump(mode="json") if identity.memory else None,
        input_size=model.input_size,
        tokens_per_clip=model.connector.tokens_per_clip,
        conditioned=is_conditioned(identity.resampler),
        decoder=decoder,
    )


def _digests(model: ApolloForConditionalGeneration) -> Iterator[tuple[str, str]]:
    """Name and hash of every parameter and buffer, those that no file holds included."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        yield name, _digest(tensor)


def _digest(tensor: Tensor) -> str:
    whole = tensor.detach().cpu().contiguous()
    hashed = hashlib.sha256(f"{whole.dtype} {tuple(whole.shape)}".encode())
    hashed.update(whole.reshape(-1).view(torch.uint8).numpy().data if whole.numel() else b"")
    return hashed.hexdigest()
