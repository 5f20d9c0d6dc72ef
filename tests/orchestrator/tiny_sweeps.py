"""A real sweep file whose stages take milliseconds, with real stage functions for them."""

import hashlib
import time
from pathlib import Path

from tiny_stages import runs  # noqa: F401 - for the tests that import this module

from apollo_core.errors import Diverged
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.plan.graph import build_plan
from orchestrator.run import RunOptions, run_sweep
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store
from orchestrator.watching.progress import make_progress

SWEEP = """
name: tiny
seeds: [0, 1]
base:
  encoders: [siglip]
  sampling: {mode: uniform, frames: 4, frames_per_clip: 4}
  resampler: {kind: mlp_avg, tokens_per_frame: 4}
  integration: timestamps
  schedule: short
  mixture: {text: 0, image: 0, multi_image: 0, video: 100}
axes:
  integration:
    plain: {integration: plain}
models:
  siglip: {source: "micro:siglip"}
scales:
  xs: {llm: "micro:qwen2-xs", size: 0.000037}
  s: {llm: "micro:qwen2-s", size: 0.000070}
schedules:
  short:
    - {stage: align, lr: {connector: 1.0e-3}, data: captions, samples: 1600, batch_size: 4}
data:
  microworld: {train_videos: 1, bench_videos: 1, images: 1, multi_images: 0, texts: 1, corpus: 1}
  sets:
    captions: {manifest: captions.jsonl, modality: video}
    corpus: {manifest: corpus.jsonl, modality: text}
  mixture: {video: [captions]}
  pretraining: {text: corpus}
evaluation:
  - {benchmark: bench, manifest: bench.jsonl, regimes: [video, text], scoring: options}
"""


def write_sweep(folder, text=SWEEP):
    path = Path(folder) / "tiny.yaml"
    path.write_text(text)
    return path


def plan_of(path, store):
    return build_plan(load_sweep(path), store=store.root)


def run_tiny(path, store, *, run_stage=None, engine=None, on_start=None, **options):
    """Run the sweep file with the tiny stage function; return the summary."""
    return run_sweep(
        plan_of(path, store),
        store,
        source=path.read_text(),
        engine=engine or LocalEngine(),
        options=RunOptions(run_stage=run_stage or tiny_stage, **options),
        progress=make_progress(),
        on_start=on_start or (lambda record, missing: None),
    )


def tiny_store(folder):
    return Store(Path(folder) / "store")


def tiny_stage(identity, context):
    """Derive a file from identity and parents; train reports steps, evaluate writes items."""
    digest = hashlib.sha256(identity.model_dump_json().encode())
    for role in sorted(context.parents):
        digest.update((context.parents[role] / "result.txt").read_bytes())
    (context.out / "result.txt").write_text(digest.hexdigest())
    note(context, identity.kind)
    if identity.kind == "evaluate":
        write_items(identity, context, luck=digest.digest())
        return
    steps = identity.steps if identity.kind == "train" else 3
    for step in range(1, steps + 1):
        context.report({"step": step, "steps": steps, "loss": 1 / step, "lr_connector": 0.1})


def slow_stage(identity, context):
    """The same, slowly enough to be killed in the middle."""
    for step in range(1, 4):
        context.report({"step": step, "steps": 3, "loss": 1.0})
        time.sleep(0.04)
    tiny_stage(identity, context)


def diverging_stage(identity, context):
    """The same, but the training of seed 1 diverges."""
    if identity.kind == "train" and identity.seed == 1:
        raise Diverged("loss is NaN at step 7")
    tiny_stage(identity, context)


def write_items(identity, context, *, luck):
    """Two categories with three and one questions, answered as the digest has it."""
    import json

    rows = [
        {
            "regime": regime,
            "video": "v.mp4",
            "item": f"q{index}",
            "category": "spatial" if index < 3 else "temporal ocr",
            "choice": "A" if luck[index] % 2 else "B",
            "answer": "A",
            "correct": bool(luck[index] % 2),
            "n_options": 4,
        }
        for regime in identity.regimes
        for index in range(4)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (context.out / "items.jsonl").write_text(text)
    context.report({"step": len(rows), "steps": len(rows)})


def note(context, kind):
    """Leave a trace of this execution: its key, beside the store."""
    attempts = context.out.parent.parent
    with (attempts.parent.parent.parent / "runs.txt").open("a") as file:
        file.write(f"{attempts.name}\n")
