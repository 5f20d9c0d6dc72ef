"""The command line as a user has it: processes of their own, a store, and what they leave."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.results.score_table import write_scores
from orchestrator.store.known_sweep import known_sweep
from orchestrator.store.store import open_store

APOLLO = Path(sys.executable).parent / "apollo"

SWEEP = """
name: whole
base:
  encoders: [siglip]
  sampling: {mode: uniform, frames: 2, frames_per_clip: 2}
  resampler: {kind: mlp_avg, tokens_per_frame: 1}
  integration: timestamps
  schedule: two-stage
  mixture: {text: 20, image: 20, multi_image: 0, video: 60}
axes:
  integration:
    plain: {integration: plain}
models:
  siglip: {source: "micro:siglip"}
scales:
  xs: {llm: "micro:qwen2-xs", size: 0.000037}
  s: {llm: "micro:qwen2-s", size: 0.000070}
schedules:
  two-stage:
    - {stage: align, lr: {connector: 1.0e-3}, data: captions, samples: 64, batch_size: 8}
    - {stage: sft, lr: {connector: 1.0e-3, llm: 1.0e-3}, data: mixture, samples: 160, batch_size: 8}
data:
  microworld: {train_videos: 12, bench_videos: 6, images: 12, multi_images: 0, texts: 12,
               corpus: 200, max_seconds: 5}
  sets:
    captions: {manifest: captions.jsonl, modality: video}
    videos: {manifest: sft_video.jsonl, modality: video}
    images: {manifest: sft_image.jsonl, modality: image}
    words: {manifest: sft_text.jsonl, modality: text}
    corpus: {manifest: corpus.jsonl, modality: text}
    pictures: {manifest: image_captions.jsonl, modality: image}
  mixture: {text: [words], image: [images], video: [videos]}
  pretraining: {text: corpus, image: pictures, samples: 256}
evaluation:
  - {benchmark: bench, manifest: bench.jsonl, regimes: [video, text], scoring: options}
execution: {workers: 1}
"""


@dataclass(frozen=True)
class Apollo:
    """Runs command lines on one store.

    Attributes:
        store: the store.
        temporary: where its processes put temporary files; short, for Ray's sockets.
    """

    store: Path
    temporary: Path

    def start(self, *words: object, python: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Begin a command in a session of its own, by which its processes are found."""
        command = [sys.executable, *python, APOLLO, *words, "--store", self.store]
        return subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )

    def __call__(self, *words: object, python: tuple[str, ...] = ()) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        process = self.start(*words, python=python)
        out, err = process.communicate(timeout=200)
        return process.returncode, out, err

    def scores(self, sweep: Path) -> bytes:
        """The score table, as a report has it."""
        store = open_store(self.store)
        path = self.store.parent / "scores.csv"
        write_scores(known_sweep(sweep, store), store, path)
        return path.read_bytes()

    def finished(self) -> dict[str, tuple[int, bytes]]:
        """Finished stages: when their DONE was written, and their provenance."""
        return {
            done.parent.name: (
                done.stat().st_mtime_ns,
                (done.parent / "provenance.json").read_bytes(),
            )
            for done in (self.store / "stages").glob("*/DONE")
        }

    def attempts(self) -> dict[str, int]:
        """How often each finished stage was begun."""
        return {key: json.loads(text)["attempt"] for key, (_, text) in self.finished().items()}

    def is_at_work_after_training(self) -> bool:
        """Whether a training stage is finished while another stage is under way."""
        done = set(self.finished())
        kinds = {kind_of(self.store / "stages" / key) for key in done}
        held = [
            lease.parent.name
            for lease in (self.store / "attempts").glob("*/lease.json")
            if '"held": true' in lease.read_text()
        ]
        return "train" in kinds and any(key not in done for key in held)


def kind_of(stage: Path) -> str:
    return json.loads((stage / "identity.json").read_text())["kind"]


def wait_until(condition, *, seconds: float, what: str) -> None:
    """Poll until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def processes_of(driver: subprocess.Popen[str]) -> set[str]:
    """Command lines of what is still alive of a driver's session."""
    found: set[str] = set()
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == driver.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.add(" ".join(process.cmdline()).strip()[:200])
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found
