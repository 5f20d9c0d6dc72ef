"""What is kept of frozen encoders' features, on the terminal."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from orchestrator.cost.feature_bytes import CacheCost, FeaturePlan
from orchestrator.plan.amounts import si

# Groups of caches that are shown; the rest is one line.
_SHOWN = 8
_TRAINED = "*"


def show_features(console: Console, features: FeaturePlan) -> None:
    """Print which features are kept, and why the others are not."""
    if not features.caches:
        return
    if not features.budget:
        console.print("Features of frozen encoders: not kept (execution.feature_cache: off).")
        return
    groups: dict[tuple[str, str, str], list[CacheCost]] = defaultdict(list)
    for cache in features.caches:
        name = f"{cache.encoder}{_TRAINED if cache.trained else ''}"
        groups[name, _shown(cache), cache.verdict].append(cache)
    kept = f"{si(features.bytes)}B of {si(features.budget)}B"
    table = Table(title=f"Features of frozen encoders: {kept} kept", title_justify="left")
    table.add_column("encoder", no_wrap=True)
    table.add_column("sees", min_width=9)
    for name in ("media", "reads", "bytes", "FLOPs\nto save"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    largest = sorted(groups.items(), key=lambda each: -sum(cache.flops for cache in each[1]))
    for (encoder, sees, verdict), caches in largest[:_SHOWN]:
        media = sum(cache.media for cache in caches)
        table.add_row(
            encoder,
            sees,
            si(media).strip(),
            f"{sum(cache.reads for cache in caches) / max(1, media):.3g}x",
            f"{si(sum(cache.bytes for cache in caches))}B",
            si(sum(cache.flops for cache in caches)),
            verdict,
        )
    console.print(table)
    if any(cache.trained for cache in features.caches):
        console.print(f"{_TRAINED} with weights as this sweep trains them", style="dim")
    rest = [cache for _, caches in largest[_SHOWN:] for cache in caches]
    if rest:
        size = f"{si(sum(cache.bytes for cache in rest))}B"
        console.print(
            f"and {len(rest)} more of {size}, {sum(cache.is_kept for cache in rest)} of them kept",
            style="dim",
        )


def _shown(cache: CacheCost) -> str:
    sampling = cache.sampling
    if sampling is None:
        return "pictures"
    if sampling.mode == "uniform":
        return f"{sampling.frames} frames"
    return f"{sampling.fps:g} fps, {sampling.max_clips} clips"
