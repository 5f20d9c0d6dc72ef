"""Short stages on a tiny world or on data of one's own, run as a worker runs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apollo_core.design import FpsSampling, PerceiverResampler
from apollo_core.execution import Execution
from apollo_core.features.feature_cache import FeatureCache
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import (
    DataShare,
    EvaluateIdentity,
    ModelIdentity,
    Part,
    PretrainIdentity,
    Rates,
    StageIdentity,
    TrainIdentity,
)
from apollo_core.stages.run import run_stage

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=2)
RESAMPLER = PerceiverResampler(
    kind="perceiver", tokens_per_frame=1, heads=2, kv_heads=1, head_dim=8
)
LLM = Part(family="causal-lm", fingerprint="llm")
SIGLIP = Part(family="siglip", fingerprint="siglip")
VIDEOMAE = Part(family="videomae", fingerprint="videomae")


@dataclass
class Workshop:
    """Where stages run: parts and data by fingerprint, a folder for each result."""

    folder: Path
    media_root: Path
    locations: dict[str, str]
    events: list[Event] = field(default_factory=list)

    def run(
        self,
        name: str,
        identity: StageIdentity,
        *,
        parents: Mapping[str, Path] | None = None,
        chain: Sequence[Path] = (),
        report: Callable[[Event], None] | None = None,
        checkpoints: Path | None = None,
        features: FeatureCache | None = None,
        **execution: Any,
    ) -> Path:
        """Run one stage; its folder. `report` takes each event before it is remembered."""
        out = self.folder / name
        out.mkdir()
        self.events.clear()

        def remember(event: Event) -> None:
            if report is not None:
                report(event)
            self.events.append(event)

        run_stage(
            identity,
            StageContext(
                out=out,
                parents=parents or {},
                chain=tuple(chain),
                locations=self.locations,
                media_root=self.media_root,
                execution=Execution.model_validate(execution),
                report=remember,
                checkpoints=checkpoints,
                features=features,
            ),
        )
        return out


def model(*encoders: Part) -> ModelIdentity:
    return ModelIdentity(
        encoders=encoders,
        llm=LLM,
        resampler=RESAMPLER,
        frames_per_clip=4,
        integration="timestamps",
    )


def pretraining(part: Part, corpus: str) -> PretrainIdentity:
    return PretrainIdentity(part=part, corpus=corpus, seed=0, samples=48, batch_size=16, lr=3e-3)


def training(
    encoders: Sequence[Part], lr: Mapping[str, float], data: Mapping[str, float], **changes: Any
) -> TrainIdentity:
    fields: dict[str, Any] = {
        "model": model(*encoders),
        "seed": 0,
        "sampling": SAMPLING,
        "lr": Rates(**lr),
        "data": tuple(DataShare(share=share, sets=(name,)) for name, share in data.items()),
        "samples": 16,
        "batch_size": 4,
    }
    return TrainIdentity(**fields | changes)


def evaluation(encoders: Sequence[Part], **changes: Any) -> EvaluateIdentity:
    fields: dict[str, Any] = {
        "model": model(*encoders),
        "seed": 0,
        "sampling": SAMPLING,
        "benchmark": "bench",
        "regimes": ("video", "center_frame", "text"),
        "scoring": "options",
        "prompt": "question-v1",
    }
    return EvaluateIdentity(**fields | changes)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def contents(folder: Path) -> dict[str, str]:
    """Digests and not bytes, whose difference pytest would spell out for minutes."""
    files = sorted(folder.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
