"""Which features of frozen encoders are worth keeping: bytes against what is saved.

One *cache* is what one encoder makes of one way to sample media. Its size follows from the
encoder's grid, its use from how often stages look at the same media. Kept are those that fit the
budget and save time, those first that save most FLOPs for a byte.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from apollo_core.connector.branches import encoders_of_stills
from apollo_core.design import Sampling
from apollo_core.features.feature_use import EncoderKeys, FeatureUse, View
from apollo_core.geometry import VisionGeometry
from apollo_core.stages.identity import EvaluateIdentity, TrainIdentity
from orchestrator.cost.feature_reads import Reads, reads_of
from orchestrator.cost.model_sizes import ModelSizes
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.feature_keys import feature_keys, trained_by
from orchestrator.plan.plan import Plan, StageNode, Variant

# Float32: under bfloat16 too, most encoders end in a norm, which autocast computes in float32.
_BYTES = 4
# Bytes per second of reading and checking, and of writing: a network disk or one core's checksum.
_DISK = 1e9


@dataclass(frozen=True)
class CacheCost:
    """One cache.

    Attributes:
        key: see `feature_keys`.
        encoder: as the design names it.
        view, sampling: what it is shown.
        trained: whether an earlier stage of the sweep has trained it.
        media: distinct ones, at most.
        reads: how often stages look at one of them, in all.
        stages: how many look.
        bytes: of all media.
        flops: that keeping saves.
        seconds: that keeping saves, reading and writing taken off; negative where it costs time.
        verdict: `kept`, or why not.
    """

    key: str
    encoder: str
    view: View
    sampling: Sampling | None
    trained: bool
    media: int
    reads: int
    stages: int
    bytes: int
    flops: float
    seconds: float
    verdict: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether stages keep and read it."""
        return self.verdict == "kept"


@dataclass(frozen=True)
class FeaturePlan:
    """What is kept of a sweep's features.

    Attributes:
        caches: all that could be, the most useful for their size first.
        budget: bytes.
        uses: by stage key, what the stage keeps and reads; stages without are absent.
    """

    caches: tuple[CacheCost, ...]
    budget: int
    uses: Mapping[str, tuple[EncoderKeys, ...]]

    @property
    def bytes(self) -> int:
        """Of what is kept."""
        return sum(cache.bytes for cache in self.caches if cache.is_kept)

    def use(self, folder: str) -> dict[str, FeatureUse]:
        """What goes with each stage to its worker; `folder` is that of all features."""
        return {
            key: FeatureUse(folder=folder, encoders=encoders, budget=self.budget)
            for key, encoders in self.uses.items()
        }


def plan_features(plan: Plan, speeds: Speeds) -> FeaturePlan:
    """Decide what is kept."""
    budget = plan.sweep.execution.feature_cache.budget
    keys = {key: feature_keys(plan, node) for key, node in plan.stages.items()}
    counted = _counted(plan, keys, speeds)
    caches = _chosen([each.cost() for each in counted.values()], budget)
    kept = {cache.key for cache in caches if cache.is_kept}
    uses: dict[str, tuple[EncoderKeys, ...]] = {}
    for key, names in keys.items():
        encoders = tuple(_only(each, kept) for each in names)
        if any(each.video or each.still for each in encoders):
            uses[key] = encoders
    return FeaturePlan(caches, budget, uses)


def _only(keys: EncoderKeys, kept: set[str]) -> EncoderKeys:
    return EncoderKeys(
        video=keys.video if keys.video in kept else "",
        still=keys.still if keys.still in kept else "",
    )


def _chosen(caches: list[CacheCost], budget: int) -> tuple[CacheCost, ...]:
    left = budget
    found: list[CacheCost] = []
    for cache in sorted(caches, key=lambda each: (-each.flops / max(1, each.bytes), each.key)):
        if not budget:
            verdict = "off"
        elif cache.reads <= cache.media:
            verdict = "each is read once"
        elif cache.bytes > left:
            verdict = "does not fit"
        elif cache.seconds <= 0:
            verdict = "no faster than computing"
        else:
            verdict = "kept"
            left -= cache.bytes
        found.append(replace(cache, verdict=verdict))
    return tuple(found)


@dataclass
class _Count:
    """What is known of a cache so far.

    Attributes:
        first: the cache without its counts.
        per_clip: bytes and FLOPs of one clip.
        drawn: by pool and seed, the most that a stage draws; how many the pool has; clips of one.
        seconds: of computing everything anew.
    """

    first: CacheCost
    per_clip: tuple[int, float]
    drawn: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    pools: dict[str, tuple[int | None, int]] = field(default_factory=dict)
    reads: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    stages: int = 0
    seconds: float = 0.0

    def add(self, read: Reads, *, seed: int, speed: float) -> None:
        at = (read.pool, seed)
        # Stages of one seed draw a set in one order: the longer draw holds the shorter.
        self.drawn[at] = max(self.drawn[at], read.reads)
        self.pools[read.pool] = (read.media, read.clips)
        self.reads[read.pool] += read.reads
        self.seconds += read.reads * read.clips * self.per_clip[1] / speed

    def cost(self) -> CacheCost:
        media = clips = 0
        for pool, (known, each) in self.pools.items():
            drawn = math.fsum(count for (name, _), count in self.drawn.items() if name == pool)
            distinct = math.ceil(drawn if known is None else min(known, drawn))
            media, clips = media + distinct, clips + distinct * each
        seen = math.fsum(self.reads[pool] * each for pool, (_, each) in self.pools.items())
        size, flops = self.per_clip
        saved = max(0.0, seen - clips)
        moved = size * (seen + clips) / _DISK
        return replace(
            self.first,
            media=media,
            reads=math.ceil(math.fsum(self.reads.values())),
            stages=self.stages,
            bytes=clips * size,
            flops=saved * flops,
            seconds=self.seconds * saved / max(seen, 1e-9) - moved,
        )


def _counted(
    plan: Plan, keys: Mapping[str, tuple[EncoderKeys, ...]], speeds: Speeds
) -> dict[str, _Count]:
    counted: dict[str, _Count] = {}
    looked_at: set[str] = set()
    for variant in plan.variants:
        sizes = ModelSizes.of(plan, variant)
        for key in variant.stages:
            if key not in looked_at:
                looked_at.add(key)
                _count(plan, plan.stages[key], keys[key], variant, sizes, speeds, counted)
    return counted


def _count(
    plan: Plan,
    node: StageNode,
    keys: tuple[EncoderKeys, ...],
    variant: Variant,
    sizes: ModelSizes,
    speeds: Speeds,
    counted: dict[str, _Count],
) -> None:
    """Add what one stage reads."""
    identity = node.identity
    if not keys or not isinstance(identity, TrainIdentity | EvaluateIdentity):
        return
    told: set[str] = set()
    for read in reads_of(plan, node):
        for place in _seeing(sizes, read.view):
            key = keys[place].of(read.view)
            if key not in counted:
                first = CacheCost(
                    key=key,
                    encoder=variant.resolved.encoders[place],
                    view=read.view,
                    sampling=identity.sampling if read.view == "video" else None,
                    trained=bool(trained_by(plan, node)),
                    **dict.fromkeys(("media", "reads", "stages", "bytes"), 0),
                    flops=0.0,
                    seconds=0.0,
                )
                counted[key] = _Count(first, _of_a_clip(sizes, place, read.view))
            counted[key].add(read, seed=identity.seed, speed=speeds.of(node.gpus))
            counted[key].stages += key not in told
            told.add(key)


def _seeing(sizes: ModelSizes, view: View) -> tuple[int, ...]:
    every = tuple(range(len(sizes.encoders)))
    if view == "video":
        return every
    images = encoders_of_stills(sizes.joining, [one.frames == 1 for one in sizes.encoders])
    return every if images is None else images


def _of_a_clip(sizes: ModelSizes, place: int, view: View) -> tuple[int, float]:
    """Bytes and FLOPs of one clip; an image encoder keeps one frame of a still."""
    encoder: VisionGeometry = sizes.encoders[place]
    alone = replace(sizes, encoders=(encoder,), joining="unified")
    still = view == "still"
    frames = 1 if still and encoder.frames == 1 else sizes.frames_per_clip
    patches = encoder.slots(frames) * encoder.side**2
    return _BYTES * patches * encoder.dim, alone.vision_forward(still=still)
