"""Build a stage's model: parts from their places, then what earlier stages trained."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn
from transformers import PreTrainedTokenizerBase

from apollo_core.connector.connector import Connector
from apollo_core.encoders.families import build_encoder
from apollo_core.llm import load_llm
from apollo_core.model import VideoLMM
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import ModelIdentity
from apollo_core.streams import torch_stream
from apollo_core.training.distributed import NOBODY_ELSE, Peers
from apollo_core.weights import load_modules, save_tensors, tensors_of

WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.json"


def assemble(
    identity: ModelIdentity, seed: int, context: StageContext
) -> tuple[VideoLMM, PreTrainedTokenizerBase]:
    """Build the model as the stage finds it, and the language model's tokenizer.

    Fresh modules start from streams of `seed`; then each checkpoint of `context.chain`, oldest
    first, overwrites the modules that it holds.
    """
    encoders = [
        build_encoder(
            part,
            context.locations[part.fingerprint],
            frames_per_clip=identity.frames_per_clip,
            trained=_pretrained(context, index),
        )
        for index, part in enumerate(identity.encoders)
    ]
    llm, tokenizer = load_llm(context.locations[identity.llm.fingerprint], context.parents)
    with torch_stream(seed, "initialise connector"):
        connector = Connector(
            identity.resampler,
            dims=[encoder.dim for encoder in encoders],
            hidden=llm.config.get_text_config().hidden_size,
            frames_per_clip=identity.frames_per_clip,
            joining=identity.joining,
            per_frame=[encoder.per_frame for encoder in encoders],
            memory=identity.memory,
        )
    model = VideoLMM(encoders, connector, llm)
    for folder in context.chain:
        names = json.loads((folder / CHECKPOINT).read_text())["modules"]
        load_modules({name: getattr(model, name) for name in names}, folder / WEIGHTS)
    return model, tokenizer


def _pretrained(context: StageContext, index: int) -> Path | None:
    folder = context.parents.get(f"encoder:{index}")
    return folder and folder / WEIGHTS


def modules_of(model: VideoLMM) -> dict[str, nn.Module]:
    """The three modules that a schedule speaks of."""
    return {"vision": model.vision, "connector": model.connector, "llm": model.llm}


def save_trained(
    model: VideoLMM, trained: tuple[str, ...], out: Path, peers: Peers = NOBODY_ELSE
) -> None:
    """Write a checkpoint that holds only `trained`, whole; the parent stage has the rest."""
    modules = modules_of(model)
    tensors = tensors_of({name: modules[name] for name in trained})
    whole = {name: peers.whole(tensor) for name, tensor in tensors.items()}
    if peers.is_first:
        save_tensors({k: each for k, each in whole.items() if each is not None}, out / WEIGHTS)
        (out / CHECKPOINT).write_text(json.dumps({"modules": list(trained)}) + "\n")
