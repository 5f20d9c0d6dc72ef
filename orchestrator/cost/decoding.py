"""How long a stage's decoders need for its frames, beside how long its model needs to learn.

Frames are those that a model looks at; what it costs to reach them in a stream is in the time of
one. Media whose features are all kept are decoded once for every stage together, which is not
counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apollo_core.features.feature_use import EncoderKeys
from apollo_core.stages.identity import EvaluateIdentity, TrainIdentity
from orchestrator.cost.cost import PlanCost, questions_asked
from orchestrator.cost.decode_speed import measured_frame
from orchestrator.cost.workload import clip_count, shares_of
from orchestrator.plan.plan import Plan, StageNode

# Assumed of one processor: 2 frames a second of an H.264 video of 480 x 270 at 30 a second took
# 12 ms each on one core of a server (tests/data/nasa_13013.mp4); larger pictures take longer.
ASSUMED_SECONDS = 0.010
# Of the microworld's videos of some 64 pixels, opening them included, on the same core.
_WORLD_SECONDS = 0.002


@dataclass(frozen=True)
class Decoding:
    """A stage's decoding.

    Attributes:
        frames: that it looks at.
        seconds: until its decoders have read them, if nothing holds them up.
        decoders: processes at work on it.
    """

    frames: float
    seconds: float
    decoders: int

    def least_decoders(self, seconds: float) -> float:
        """How many would have them read in so many seconds."""
        return self.decoders * self.seconds / seconds


@dataclass(frozen=True)
class PlanDecoding:
    """Every stage's, by key.

    Attributes:
        stages: by key.
        frame: seconds in which a processor decodes a frame.
        source: where that is from, in words.
    """

    stages: Mapping[str, Decoding]
    frame: float
    source: str

    def slower(self, cost: PlanCost) -> list[str]:
        """Keys of the stages that decode for longer than they learn, the slowest first."""
        found = [
            key for key, each in self.stages.items() if each.seconds > cost.stages[key].seconds
        ]
        return sorted(found, key=lambda key: -self.stages[key].seconds / cost.stages[key].seconds)


def plan_decoding(
    plan: Plan,
    uses: Mapping[str, tuple[EncoderKeys, ...]],
    *,
    store: Path,
    frame: float | None = None,
) -> PlanDecoding:
    """Decoding of every stage.

    Args:
        plan: the stages.
        uses: by stage, which features of its encoders are kept.
        store: whose finished stages tell how long a frame takes; it need not exist.
        frame: seconds in which one of your processors decodes a frame, instead.
    """
    workers = max(1, plan.sweep.execution.workers)
    decoders = {key: node.processes * workers for key, node in plan.stages.items()}
    frames = {key: _frames(plan, node) for key, node in plan.stages.items()}
    if frame is None:
        trained = {key: frames[key] for key, node in plan.stages.items() if node.kind == "train"}
        assumed = ASSUMED_SECONDS if plan.world is None else _WORLD_SECONDS
        each, source = measured_frame(trained, decoders, store=store, assumed=assumed)
    else:
        each, source = frame, "as given"
    frames |= {key: 0.0 for key in frames if _all_kept(uses.get(key, ()))}
    found = {
        key: Decoding(count, count * each / decoders[key], decoders[key])
        for key, count in frames.items()
    }
    return PlanDecoding(found, each, source)


def _all_kept(encoders: tuple[EncoderKeys, ...]) -> bool:
    return bool(encoders) and all(each.video and each.still for each in encoders)


def _frames(plan: Plan, node: StageNode) -> float:
    """Frames that a stage looks at; a picture is one."""
    identity, seconds = node.identity, plan.sweep.data.video_seconds
    if isinstance(identity, TrainIdentity):
        of_a_clip = identity.sampling.frames_per_clip
        # A worker keeps decoded frames, and all of a generated world's fit.
        most = math.inf if plan.world is None else plan.world.train_videos
        return math.fsum(
            min(identity.samples * one.share / 100, most)
            * one.clips
            * (1 if one.still else of_a_clip)
            for one in shares_of(plan, node, identity, seconds=seconds)
        )
    if isinstance(identity, EvaluateIdentity):
        clips = clip_count(identity.sampling, seconds) * identity.sampling.frames_per_clip
        seen = {"text": 0, "center_frame": 1}
        videos, _ = questions_asked(plan)
        return float(videos * sum(seen.get(regime, clips) for regime in identity.regimes))
    return 0.0  # a part's pretraining is the microworld's, and minutes
