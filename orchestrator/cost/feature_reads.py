"""How often each stage looks at media, and at how many distinct ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from apollo_core.errors import BadInput
from apollo_core.features.feature_use import View
from apollo_core.stages.identity import BenchmarkFormat, EvaluateIdentity, TrainIdentity
from orchestrator.cost.workload import clip_count, shares_of
from orchestrator.plan.plan import Plan, StageNode

# Manifests of a microworld -> the fields of its spec that count their media. Captions and
# conversations are about the same media.
_WORLD: dict[str, tuple[str, ...]] = {
    "alignment.jsonl": ("images", "train_videos"),
    "captions.jsonl": ("train_videos",),
    "sft_video.jsonl": ("train_videos",),
    "image_captions.jsonl": ("images",),
    "pretrain_videos.jsonl": ("pretrain_videos",),
    "pretrain_images.jsonl": ("pretrain_images",),
    "sft_image.jsonl": ("images",),
    "sft_multi_image.jsonl": ("multi_images",),
    "bench.jsonl": ("bench_videos",),
}
# Videos of a benchmark whose manifest is not at hand: ApolloBench has 400 questions.
_BENCHMARK = 400


class Reads(NamedTuple):
    """What one stage reads of one pool of media.

    Attributes:
        view: video, or single pictures.
        pool: media that are the same ones for every stage that names it so.
        clips: of a medium.
        reads: media looked at, repeats counted.
        media: how many there are in the pool; None where nobody knows yet.
    """

    view: View
    pool: str
    clips: int
    reads: float
    media: int | None


def reads_of(plan: Plan, node: StageNode) -> Iterator[Reads]:
    """What a stage with frozen encoders reads."""
    identity = node.identity
    if isinstance(identity, TrainIdentity):
        yield from _training(plan, node, identity)
    elif isinstance(identity, EvaluateIdentity):
        yield from _evaluation(plan, node, identity)


def _training(plan: Plan, node: StageNode, identity: TrainIdentity) -> Iterator[Reads]:
    shown = shares_of(plan, node, identity, seconds=plan.sweep.data.video_seconds)
    for share, (percent, clips, still) in zip(identity.data, shown, strict=True):
        if not clips:
            continue
        # A still is one clip: of several in a sample each is a medium.
        each = clips if still else 1
        pool, samples = _pool(plan, node, share.sets)
        yield Reads(
            view="still" if still else "video",
            pool=pool,
            clips=clips // each,
            reads=identity.samples * percent / 100 * each,
            media=None if samples is None else samples * each,
        )


def _evaluation(plan: Plan, node: StageNode, identity: EvaluateIdentity) -> Iterator[Reads]:
    pool, media = _pool(plan, node, (identity.benchmark,))
    if identity.format != "items":
        media = _videos(Path(node.locations[identity.benchmark]), identity.format)
    videos = media or _BENCHMARK
    for regime in identity.regimes:
        if regime not in ("text", "shuffled"):  # shuffled frames have features of no use elsewhere
            clips = clip_count(identity.sampling, plan.sweep.data.video_seconds)
            view: View = "video" if regime == "video" else "still"
            yield Reads(view, pool, clips if view == "video" else 1, videos, videos)


def _pool(plan: Plan, node: StageNode, sets: tuple[str, ...]) -> tuple[str, int | None]:
    """A name for the media of these sets together, and at most how many samples show them."""
    names: set[str] = set()
    total: int | None = 0
    for fingerprint in sets:
        manifest = Path(node.locations[fingerprint])
        counted = _WORLD.get(manifest.name, ()) if plan.world is not None else ()
        names.update(counted or [fingerprint])
        own = sum(getattr(plan.world, field) for field in counted)
        own = own if counted else _rows(manifest, plan.media_root)
        total = None if own is None or total is None else total + own
    return " ".join(sorted(names)), total


@lru_cache(maxsize=256)
def _rows(manifest: Path, root: Path) -> int | None:
    """Records of a manifest; None where it is not at hand."""
    if manifest.suffix != ".jsonl" or not manifest.is_file():
        # Imported here: most plans are of JSON lines, or of data that are generated.
        from apollo_core.media.manifest import read_manifest

        try:
            return len(read_manifest(manifest, root))
        except BadInput:  # told by whoever needs it whole
            return None
    try:
        with manifest.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return None


@lru_cache(maxsize=256)
def _videos(path: Path, form: BenchmarkFormat) -> int | None:
    """Videos of a benchmark's public files; None where they are not at hand."""
    # Imported here: most plans are of data that is generated or elsewhere.
    from apollo_core.media.manifest import media_of

    try:
        return len(media_of(path, form))
    except BadInput:  # told by whoever needs it whole
        return None
