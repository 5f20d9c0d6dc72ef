"""A stage's identity as the trainer takes it."""

from __future__ import annotations

from apollo_core.stages.identity import PretrainIdentity, TrainIdentity
from apollo_core.training.loop import Recipe


def training_recipe(identity: TrainIdentity, *, steps: int) -> Recipe:
    """Of a schedule's stage: a rate for each module that it trains.

    `steps` are those that its data last for: the cosine ends with them.
    """
    return Recipe(
        rates={name: rate for name, rate in identity.lr if rate > 0},
        steps=steps,
        warmup=identity.warmup,
        weight_decay=identity.weight_decay,
        clip_norm=identity.clip_norm,
        precision=identity.precision,
    )


def pretraining_recipe(identity: PretrainIdentity, module: str) -> Recipe:
    """Of a microworld part, which is trained whole, under the name `module`."""
    return Recipe(
        rates={module: identity.lr},
        steps=identity.steps,
        warmup=identity.warmup,
        weight_decay=0.0,
        clip_norm=1.0,
        precision=identity.precision,
    )
