"""Pretrain a microworld vision encoder on the microworld's media, as its namesake was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from apollo_core.encoders.families import build_encoder
from apollo_core.errors import BadData
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.parts import ENCODERS, PRETRAINING_SAMPLING
from apollo_core.places import Place
from apollo_core.pretraining.objectives import objective_of
from apollo_core.pretraining.watched import Watched, sentences_of, together
from apollo_core.stages.assembly import WEIGHTS
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import PretrainIdentity
from apollo_core.stages.part_training import train_part
from apollo_core.stages.training_sets import read_set
from apollo_core.streams import torch_stream
from apollo_core.weights import save_modules


def pretrain_encoder(identity: PretrainIdentity, context: StageContext) -> None:
    """Train a fresh encoder by its family's objective; leave its weights.

    Raises:
        StageFailed: as a training stage.
        BadInput: no microworld part of that name.
    """
    device = settle(context.execution)
    location = context.locations[identity.part.fingerprint]
    frames = PRETRAINING_SAMPLING.frames_per_clip
    encoder = build_encoder(identity.part, location, frames_per_clip=frames, trained=None)
    micro = ENCODERS[Place.parse(location).micro or ""]
    with torch_stream(identity.seed, "initialise objective"):
        objective = objective_of(
            encoder, micro.geometry, frames=1 if micro.learns_from == "image" else frames
        )
    samples = read_set(identity.corpus, context)
    with media_readers(context, PRETRAINING_SAMPLING, "plain", size=encoder.spec.size) as readers:
        train_part(
            "encoder",
            objective.to(device),
            lambda watched: objective(watched) * watched.supervised,
            lambda rows: _watched([samples[row] for row in rows], readers[0]),
            identity,
            context,
            rows=len(samples),
            device=device,
            # A contrast of part of a batch is another one.
            whole_batches=True,
        )
    save_modules({"encoder": encoder}, context.out / WEIGHTS)


def _watched(samples: Sequence[Sample], reader: MediaReader) -> Watched:
    shown = [reader.show(sample.media) for sample in samples]
    # An image's clip is one frame over and over, and only image encoders learn from images.
    frames = [one.frames[:, :1] if all(one.still) else one.frames for one in shown]
    said = [sentences_of(_caption(sample)) for sample in samples]
    if not any(said):
        raise BadData(
            f"sample {samples[0].id!r} and {len(samples) - 1} more of a batch: their captions have "
            "no word of the microworld's language, which its encoders learn; give "
            "`data.pretraining` captions of a microworld"
        )
    clips = torch.from_numpy(np.concatenate(frames))
    return together(said, [len(each) for each in frames], clips)


def _caption(sample: Sample) -> str:
    return " ".join(text for role, text in sample.turns if role == "assistant")
