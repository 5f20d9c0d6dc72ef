"""A small, complete sweep file to change one thing of."""

from copy import deepcopy
from pathlib import Path

import yaml

from apollo_core.stages.identity import TrainIdentity
from orchestrator.plan.graph import build_plan
from orchestrator.spec.sweep_file import load_sweep

SMALL = """\
name: small
base:
  encoders: [siglip, videomae]
  sampling: {mode: fps, fps: 2, frames_per_clip: 4, max_clips: 4}
  resampler: {kind: perceiver, tokens_per_frame: 4, heads: 4, kv_heads: 2, head_dim: 16, depth: 2}
  integration: timestamps
  schedule: two-stage
  mixture: {text: 0, image: 40, multi_image: 0, video: 60}
axes:
  sampling:
    uniform-8: {sampling: {mode: uniform, frames: 8}}
  mixture:
    video-only: {mixture: {image: 0, video: 100}}
models:
  siglip: {source: "micro:siglip"}
  videomae: {source: "micro:videomae"}
scales:
  xs: {llm: "micro:qwen2-xs", size: 0.0001}
schedules:
  two-stage:
    - {stage: align, lr: {connector: 1.0e-3}, data: captions, samples: 64, batch_size: 8}
    - {stage: sft, lr: {connector: 1.0e-3, llm: 1.0e-3}, data: mixture, samples: 64, batch_size: 8}
data:
  microworld: {train_videos: 4, bench_videos: 4}
  sets:
    captions: {manifest: captions.jsonl}
    images: {manifest: sft_image.jsonl, modality: image}
    videos: {manifest: sft_video.jsonl, modality: video}
    words: {manifest: corpus.jsonl, modality: text}
  mixture: {image: [images], video: [videos]}
  pretraining: {text: words}
evaluation:
  - {benchmark: bench, manifest: bench.jsonl, regimes: [video, text], scoring: options}
"""


def small(changes=None):
    """The small sweep with `{"path/to/key": value}` put in; a value of None removes the key."""
    content = deepcopy(yaml.safe_load(SMALL))
    for path, value in (changes or {}).items():
        *above, last = path.split("/")
        place = content
        for key in above:
            place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        if value is None:
            del place[last]
        elif isinstance(place, list):
            place[int(last)] = deepcopy(value)
        else:
            place[last] = deepcopy(value)
    return content


def write(folder: Path, changes=None, name="sweep.yaml") -> Path:
    """Write the changed sweep to a file."""
    path = folder / name
    path.write_text(yaml.safe_dump(small(changes), sort_keys=False), encoding="utf-8")
    return path


def planned(folder: Path, changes=None):
    """The plan of the changed sweep."""
    return build_plan(load_sweep(write(folder, changes)), store=folder / "store")


def training(plan, key) -> TrainIdentity:
    """The identity of a training stage."""
    identity = plan.stages[key].identity
    assert isinstance(identity, TrainIdentity)
    return identity
