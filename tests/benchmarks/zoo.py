"""Train the microworld's zoo at full size, and print what each part learned.

    python tests/benchmarks/zoo.py [PART ...] [--share S] [--world DIR] [--json FILE]

Each part is pretrained as a stage, just as a sweep does it, on four fifths of a world of the
neighbouring look. Then linear probes are fitted to its features of those media, and to the features
of its twin with random weights, and both are asked about the other fifth. A language
model is asked for each word of held-out answers, and so is its twin.
`--share 0.1` trains on a tenth of the samples, to try the script.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel

from apollo_core.answer_logits import token_logits
from apollo_core.batch import collate
from apollo_core.encoders import pixels
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.families import build_encoder
from apollo_core.execution import Execution
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import read_manifest
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.parts import ENCODERS, LLMS, PARTS_VERSION, PRETRAINING_SAMPLING
from apollo_core.microworld.tokenizer import END, PAD, build_tokenizer
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.pretraining.probe_tasks import OF_PICTURES, OF_VIDEOS, Task
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import Part, PretrainIdentity
from apollo_core.stages.pretrain_llm import create_llm
from apollo_core.stages.run import run_stage
from apollo_core.streams import torch_stream
from apollo_core.text.chat import Encoded, encode_training

WORLD = WorldSpec(
    train_videos=0,
    bench_videos=0,
    images=0,
    multi_images=0,
    texts=0,
    corpus=10000,
    pretrain_images=5000,
    pretrain_videos=1500,
)
MANIFESTS = {"text": "corpus", "image": "pretrain_images", "video": "pretrain_videos"}
HELD_OUT = 0.2


@dataclass(frozen=True)
class Corpus:
    """A manifest's first rows, to learn from, in a file of their own; and all rows."""

    learned: Path
    rows: tuple[Sample, ...]
    first: int


# Of the trained part, of its twin, of a guess.
Told = tuple[float, float, float]


@dataclass(frozen=True)
class Measured:
    """What a part cost and learned; losses are means over the first and the last twentieth."""

    steps: int
    first: float
    last: float
    seconds: float
    bytes: int
    told: dict[str, Told]


def main() -> None:
    """Run and print."""
    asked = _arguments()
    torch.set_num_threads(1)
    names = asked.parts or [*ENCODERS, *LLMS]
    with tempfile.TemporaryDirectory() as folder:
        root = asked.world or Path(folder) / "world"
        generate(WORLD, root)
        print("| part | steps | loss | at the end | s | kB | trained / random twin / guess |")
        print("|---|---|---|---|---|---|---|")
        results: dict[str, Measured] = {}
        for name in names:
            results[name] = _measure(name, root, Path(folder), asked.share)
            print(_line(name, results[name]), flush=True)
    seconds = sum(found.seconds for found in results.values())
    print(f"\nall: {seconds:.0f} s of one thread, ", end="")
    print(f"{sum(found.bytes for found in results.values()) / 1e6:.1f} MB")
    if asked.json:
        told = {name: asdict(found) for name, found in results.items()}
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _measure(name: str, root: Path, folder: Path, share: float) -> Measured:
    micro = {**ENCODERS, **LLMS}[name]
    corpus = _corpus(root, MANIFESTS[micro.learns_from])
    events: list[Event] = []
    out = folder / name
    out.mkdir()
    family = micro.family if name in ENCODERS else "causal-lm"
    part = Part(family=family, fingerprint=f"micro:{name}@{PARTS_VERSION}")
    recipe = micro.pretraining
    identity = PretrainIdentity(
        part=part,
        corpus="corpus",
        seed=0,
        samples=max(recipe.batch_size, round(share * recipe.samples)),
        batch_size=recipe.batch_size,
        lr=recipe.lr,
    )
    context = StageContext(
        out=out,
        parents={},
        chain=(),
        locations={part.fingerprint: f"micro:{name}", "corpus": str(corpus.learned)},
        media_root=root,
        execution=Execution(device="cpu", workers=0),
        report=events.append,
    )
    began = time.process_time()
    run_stage(identity, context)
    seconds = time.process_time() - began
    losses = [float(event["loss"]) for event in events]
    few = max(1, len(losses) // 20)
    weights = next(out.glob("*.safetensors"))
    return Measured(
        steps=len(losses),
        first=float(np.mean(losses[:few])),
        last=float(np.mean(losses[-few:])),
        seconds=seconds,
        bytes=weights.stat().st_size,
        told=_language(name, out, corpus)
        if name in LLMS
        else _probes(part, name, weights, corpus, root),
    )


def _corpus(root: Path, manifest: str) -> Corpus:
    lines = (root / f"{manifest}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    first = round((1 - HELD_OUT) * len(lines))
    learned = root / f"{manifest}_learned.jsonl"
    learned.write_text("".join(lines[:first]), encoding="utf-8")
    return Corpus(learned, tuple(read_manifest(root / f"{manifest}.jsonl", root)), first)


def _probes(part: Part, name: str, weights: Path, corpus: Corpus, root: Path) -> dict[str, Told]:
    tasks = OF_PICTURES if ENCODERS[name].learns_from == "image" else OF_VIDEOS
    frames = _frames(corpus.rows, root, size=ENCODERS[name].geometry.size)
    captions = [row.turns[-1][1] for row in corpus.rows]
    length, at = PRETRAINING_SAMPLING.frames_per_clip, corpus.first
    trained, twin = (
        _grids(build_encoder(part, f"micro:{name}", frames_per_clip=length, trained=file), frames)
        for file in (weights, None)
    )

    def accuracy(grids: np.ndarray, task: Task) -> float:
        return task.accuracy(grids[:at], captions[:at], grids[at:], captions[at:])

    return {
        what: (accuracy(trained, task), accuracy(twin, task), task.chance)
        for what, task in tasks.items()
    }


def _frames(rows: Sequence[Sample], root: Path, *, size: int) -> list[torch.Tensor]:
    with Decoder() as decoder:
        reader = MediaReader(decoder, root, PRETRAINING_SAMPLING, "plain", size)
        shown = [reader.show(row.media) for row in rows]
    return [torch.from_numpy(one.frames[:, :1] if all(one.still) else one.frames) for one in shown]


@torch.no_grad()
def _grids(encoder: VideoEncoder, frames: Sequence[torch.Tensor]) -> np.ndarray:
    """Features of each medium, the mean over its clips: they may differ in number."""
    encoder.eval()
    return np.stack([encoder(pixels.to_unit(each)).mean(0).numpy() for each in frames])


def _language(name: str, out: Path, corpus: Corpus) -> dict[str, Told]:
    """Words of held-out answers told right, each after those before it; and nats of a word."""
    tokenizer = build_tokenizer()
    ids = tokenizer.get_vocab()
    geometry = LLMS[name].geometry
    with torch_stream(0, "twin"):
        twin = create_llm(geometry, pad=ids[PAD], end=ids[END])
    trained = cast(PreTrainedModel, AutoModelForCausalLM.from_pretrained(out))
    rows = [
        encode_training(tokenizer, row.turns, tokens_per_clip=0)
        for row in corpus.rows[corpus.first :]
    ]
    (right, nats), (right_twin, nats_twin) = (
        _words(model.eval(), rows, end=ids[END]) for model in (trained, twin)
    )
    guess = 1 / geometry.vocabulary
    return {
        "words": (right, right_twin, guess),
        "nats": (nats, nats_twin, -math.log(guess)),
    }


@torch.no_grad()
def _words(model: PreTrainedModel, rows: Sequence[Encoded], *, end: int) -> tuple[float, float]:
    right, nats = [], []
    for at in range(0, len(rows), 64):
        group = rows[at : at + 64]
        batch = collate(group, [], [-1] * len(group), tokens_per_clip=0)
        embedded = model.get_input_embeddings()(batch.tokens)
        logits, labels, _ = token_logits(model, embedded, batch)
        words = labels != end
        right.append((logits.argmax(-1) == labels)[words])
        nats.append(functional.cross_entropy(logits[words], labels[words], reduction="none"))
    return torch.cat(right).float().mean().item(), torch.cat(nats).mean().item()


def _line(name: str, found: Measured) -> str:
    told = ", ".join(
        f"{task} {trained:.3f} / {twin:.3f} / {chance:.3f}"
        for task, (trained, twin, chance) in found.told.items()
    )
    return (
        f"| {name} | {found.steps} | {found.first:.3f} | {found.last:.3f} | {found.seconds:.0f} "
        f"| {found.bytes / 1000:.0f} | {told} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the zoo.")
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--share", type=float, default=1.0, help="of the samples (default 1)")
    parser.add_argument("--world", type=Path, help="folder of the world, kept (default: none)")
    parser.add_argument("--json", type=Path, help="where the numbers go, too")
    asked = parser.parse_args()
    unknown = sorted(set(asked.parts) - {*ENCODERS, *LLMS})
    if unknown:
        parser.error(f"PART: {unknown} are none of {', '.join([*ENCODERS, *LLMS])}")
    return asked


if __name__ == "__main__":
    main()
