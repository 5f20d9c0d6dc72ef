"""A sweep of the demo's kind that plain Ray Tune, too, finishes in a minute or two: for a look."""

from __future__ import annotations

from pathlib import Path

import yaml

_SCALES = ("qwen2-xs", "qwen2-s")
_SAMPLES = {"align": 160, "sft": 320}
_PRETRAINING_SAMPLES = 640


def smaller_demo(demo: Path, folder: Path) -> Path:
    """Write the demo with all of its designs, fewer scales, samples and videos.

    Args:
        demo: `sweeps/demo.yaml`.
        folder: where the smaller file goes.
    """
    sweep = yaml.safe_load(demo.read_text(encoding="utf-8"))
    sweep["name"] = "smaller-demo"
    sweep["scales"] = {name: sweep["scales"][name] for name in _SCALES}
    for stages in sweep["schedules"].values():
        for stage in stages:
            stage["samples"] = _SAMPLES[stage["stage"]]
    sweep["data"]["pretraining"]["samples"] = _PRETRAINING_SAMPLES
    sweep["data"]["microworld"] |= {"train_videos": 200, "images": 400, "bench_videos": 30}
    path = folder / "smaller_demo.yaml"
    path.write_text(yaml.safe_dump(sweep, sort_keys=False), encoding="utf-8")
    return path
