"""Shipped sweeps with every part replaced by its namesake of the microworld, ready to run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.spec.sweep_file import load_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"
ENCODERS = {
    "siglip-so400m": "siglip",
    "siglip2-so400m": "siglip2",
    "clip-large": "clip",
    "dinov2-large": "dinov2",
    "languagebind-image": "languagebind-image",
    "languagebind-video": "languagebind-video",
    "internvideo2-1b": "internvideo2",
    "videomae-large": "videomae",
    "vjepa-huge": "vjepa",
    "vjepa-large": "vjepa",
    "vjepa2-large": "vjepa2",
}
LLMS = ("qwen2-xs", "qwen2-s", "qwen2-m", "qwen2-l")
# One batch: of each of the four modalities one, in the base's mixture.
SAMPLES = 4
WORLD = {
    "train_videos": 4,
    "bench_videos": 1,
    "images": 4,
    "multi_images": 2,
    "texts": 4,
    "corpus": 32,
    "max_seconds": 5,
}
SETS = {"alignment": "captions", "video_captions": "captions", "corpus": "corpus"}
# So that what is bounded by videos of hours, or wide, shows in videos of seconds.
SMALLER = {
    "memory": {"long": 1, "recent": 1},
    "qformer": {"width": 48, "heads": 4},
}


def designs(name: str) -> list[str]:
    """Ids of a shipped sweep's designs, of one factor each, without planning it."""
    axes = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())["axes"]
    return ["base", *(f"{axis}={level}" for axis, levels in axes.items() for level in levels)]


def scales(name: str) -> list[str]:
    """Names of a shipped sweep's scales."""
    return list(yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())["scales"])


def micro_plan(name: str, folder: Path) -> Plan:
    """Plan a shipped sweep's own designs, scales and schedules over microworld parts.

    Args:
        name: of the shipped sweep.
        folder: where its file and its store go.
    """
    content: dict[str, Any] = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())
    content["models"] = {each: {"source": f"micro:{ENCODERS[each]}"} for each in ENCODERS}
    for scale, llm in zip(content["scales"].values(), LLMS, strict=False):
        scale |= {"llm": f"micro:{llm}", "resources": {}}
    for schedule in content["schedules"].values():
        for stage in schedule["stages"].values():
            stage |= {"samples": SAMPLES, "batch_size": SAMPLES}
    for levels in content["axes"].values():
        for level in levels.values():
            _shrink(level)
    content["data"] |= {
        "microworld": WORLD,
        "sets": {each: {"manifest": f"{SETS.get(each, each)}.jsonl"} for each in _sets(content)},
        "pretraining": {"text": "corpus", "samples": 32},
    }
    del content["data"]["root"]
    for entry in content["evaluation"]:
        entry["manifest"] = "bench.jsonl"
    content["execution"] = {"workers": 0}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return build_plan(load_sweep(path), store=folder / "store")


def _sets(content: dict[str, Any]) -> list[str]:
    return [*content["data"]["sets"], "corpus"]


def _shrink(level: dict[str, Any]) -> None:
    if "memory" in level:
        level["memory"] = SMALLER["memory"]
    if level.get("resampler", {}).get("kind") == "qformer":
        level["resampler"] |= SMALLER["qformer"]
