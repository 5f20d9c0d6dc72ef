"""Run one stage, whatever its kind."""

from __future__ import annotations

from dataclasses import replace

from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.evaluate import run_evaluate
from apollo_core.stages.external import run_external
from apollo_core.stages.identity import (
    EvaluateIdentity,
    ExternalIdentity,
    Part,
    PretrainIdentity,
    StageIdentity,
    TrainIdentity,
)
from apollo_core.stages.pretrain_encoder import pretrain_encoder
from apollo_core.stages.pretrain_llm import pretrain_llm
from apollo_core.stages.train import run_train


def run_stage(identity: StageIdentity, context: StageContext) -> None:
    """Do the stage's work and leave its result files in `context.out`.

    Raises:
        StageFailed: the stage cannot be finished; its class says whether trying again can help.
    """
    context = _telling_of_features(context)
    match identity:
        case PretrainIdentity(part=Part(family="causal-lm")):
            pretrain_llm(identity, context)
        case PretrainIdentity():
            pretrain_encoder(identity, context)
        case TrainIdentity():
            run_train(identity, context)
        case EvaluateIdentity():
            run_evaluate(identity, context)
        case ExternalIdentity():
            run_external(identity, context)


def _telling_of_features(context: StageContext) -> StageContext:
    """The same, with what became of kept features in each event."""
    features = context.features
    if features is None:
        return context

    def report(event: Event) -> None:
        context.report({**event, **features.told()})

    return replace(context, report=report)
