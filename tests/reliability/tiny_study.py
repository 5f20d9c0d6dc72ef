"""A study of two designs in a tiny microworld: real stages, run in this process in seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from apollo_core.microworld.world import generate
from orchestrator.engine.attempt import RunStage, core_stage
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.task import StageTask, task_of
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.results.score_table import score_rows
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import record_of

SWEEP = """
name: study
base:
  encoders: [siglip]
  sampling: {mode: uniform, frames: 2, frames_per_clip: 2}
  resampler: {kind: mlp_avg, tokens_per_frame: 1}
  integration: timestamps
  schedule: two-stage
  mixture: {text: 0, image: 0, multi_image: 0, video: 100}
axes:
  integration:
    plain: {integration: plain}
models:
  siglip: {source: "micro:siglip"}
scales:
  xs: {llm: "micro:qwen2-xs", size: 0.000037}
schedules:
  two-stage:
    - {stage: align, lr: {connector: 1.0e-3}, data: captions, samples: 32, batch_size: 8}
    - {stage: sft, lr: {connector: 1.0e-3, llm: 1.0e-3}, data: captions, samples: 32, batch_size: 8}
data:
  microworld: {train_videos: 4, bench_videos: 2, images: 4, multi_images: 0, texts: 4, corpus: 32,
               max_seconds: 4}
  sets:
    captions: {manifest: captions.jsonl, modality: video}
    corpus: {manifest: corpus.jsonl, modality: text}
    pictures: {manifest: image_captions.jsonl, modality: image}
  mixture: {video: [captions]}
  pretraining: {text: corpus, image: pictures, samples: 32}
evaluation:
  - {benchmark: bench, manifest: bench.jsonl, regimes: [video, text], scoring: options}
"""


# Padded, so that a micro-batch has as many rows as samples.
EXECUTION = '{workers: 0, packing: "off"}'


class Study:
    """The sweep on one store; `folder` holds both."""

    def __init__(self, folder: Path, execution: str = EXECUTION) -> None:
        self.folder = folder
        self.file = folder / "study.yaml"
        self.file.write_text(f"{SWEEP}execution: {execution}\n")
        self.store = Store(folder / "store")

    def plan(self) -> Plan:
        """As the file has it now."""
        return build_plan(load_sweep(self.file), store=self.store.root)

    def keys(self, label: str) -> list[str]:
        """Keys of the stages of this label."""
        found = [key for key, node in self.plan().stages.items() if node.label == label]
        assert found, label
        return found

    def tasks(self) -> list[StageTask]:
        """What is not done."""
        plan = self.plan()
        missing = [key for key in plan.stages if not self.store.is_done(key)]
        return [task_of(plan.stages[key], plan, self.store, seconds=0.0) for key in missing]

    def run(self, run_stage: RunStage = core_stage) -> list[StageOutcome]:
        """Run what is not done, one stage after another, in this process."""
        self.store.prepare()
        plan = self.plan()
        assert plan.world is not None
        generate(plan.world, plan.media_root)
        outcomes: list[StageOutcome] = []
        LocalEngine().run(Frontier(self.tasks()), run_stage=run_stage, on_outcome=outcomes.append)
        return outcomes

    def scores(self) -> list[dict]:
        """The score table."""
        return score_rows(record_of(self.plan()), self.store)

    def forget(self, *labels: str) -> None:
        """Make stages of these labels undone."""
        for label in labels:
            for key in self.keys(label):
                self.store.remove(key)

    def copy(self, folder: Path, execution: str = EXECUTION) -> Study:
        """The same with all that is done, in another place."""
        shutil.copytree(self.store.root, folder / "store", dirs_exist_ok=True)
        return Study(folder, execution)


def digests(folder: Path) -> dict[str, str]:
    """Sha256 of each file of a result that is the stage's own."""
    done = json.loads((folder / "DONE").read_text())["files"]
    own = ("identity.json", "provenance.json", "metrics.jsonl")
    return {name: told["sha256"] for name, told in done.items() if name not in own}


def flip(path: Path, at: int = -10) -> None:
    """Change one bit; the file keeps its size."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
