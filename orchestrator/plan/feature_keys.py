"""What features of frozen encoders are called: by all that decides what they are.

A key hashes the encoder's weights (its part, or the stage that trained it last), the clips that it
is shown and what decodes them, and the precision. Which medium, and on which kind of machine the
features were computed, is told apart inside (`apollo_core.features`).
"""

from __future__ import annotations

from apollo_core.design import Sampling
from apollo_core.features.feature_use import FEATURES_VERSION, EncoderKeys
from apollo_core.media.video_file import DEFAULT_DECODER
from apollo_core.stages.identity import EvaluateIdentity, TrainIdentity
from orchestrator.canonical import digest
from orchestrator.plan.plan import Plan, StageNode


def feature_keys(plan: Plan, node: StageNode) -> tuple[EncoderKeys, ...]:
    """Keys of a stage's features, by the encoder's place; () where it trains encoders, or has none.

    Every encoder has both keys, though with `joining: split` a video encoder sees no stills.
    """
    identity = node.identity
    if not isinstance(identity, TrainIdentity | EvaluateIdentity):
        return ()
    if isinstance(identity, TrainIdentity) and identity.lr.vision > 0:
        return ()
    trained = trained_by(plan, node)
    shared: dict[str, object] = {
        "version": FEATURES_VERSION,
        "frames_per_clip": identity.model.frames_per_clip,
        "precision": identity.precision,
        # Left out as a default is, so that what is kept of the default decoder's frames is found.
        **({"decoder": identity.decoder} if identity.decoder != DEFAULT_DECODER else {}),
    }
    found: list[EncoderKeys] = []
    for place, part in enumerate(identity.model.encoders):
        weights: dict[str, object] = {"stage": trained, "place": place}
        if not trained:
            pretrained = node.parents.get(f"encoder:{place}", "")
            weights = {"part": part.model_dump(), "pretrained": pretrained}
        encoder = {**shared, "weights": weights}
        found.append(
            EncoderKeys(
                video=digest({**encoder, "sampling": _shown(identity.sampling)}),
                still=digest({**encoder, "sampling": "still"}),
            )
        )
    return tuple(found)


def trained_by(plan: Plan, node: StageNode) -> str:
    """Key of the last stage before `node` that trained the encoders; "" where none did."""
    for key in reversed(plan.chain(node.key)):
        identity = plan.stages[key].identity
        if isinstance(identity, TrainIdentity) and identity.lr.vision > 0:
            return key
    return ""


def all_feature_keys(plan: Plan) -> tuple[str, ...]:
    """Keys of all features that the stages of a plan may read, sorted."""
    return tuple(
        sorted(
            {
                key
                for node in plan.stages.values()
                for encoder in feature_keys(plan, node)
                for key in (encoder.video, encoder.still)
            }
        )
    )


def _shown(sampling: Sampling) -> dict[str, object]:
    return sampling.model_dump(mode="json")
