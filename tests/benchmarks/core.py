"""What a training step costs here, beside the loop that most code bases have.

    make bench-core

Two ways to train one model on the same samples, taken in turns so that a drifting machine meets
both:

ours    `training.feeding` and `training.loop` as a stage runs them: media are read by another
        process meanwhile, conversations are packed, frozen encoders run without a graph, logits
        stand only where a label is.
plain   media are read between steps, every encoder runs with a graph, the language model returns
        logits of all positions and its own loss; the same AdamW, not fused.

Rows: the microworld's four language models, with the encoders trained or frozen, in later passes
through the data (a stage keeps decoded frames, 512 MiB by default; the plain way decodes again);
`frozen, first` in the first pass, where every frame is decoded; and `cached`, with frozen features
at hand: the step of a stage that runs no encoder, which nothing but this benchmark does so far. A
figure is the median over rounds; the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from apollo_core.batch import Batch, collate
from apollo_core.connector.connector import Connector
from apollo_core.design import FpsSampling, PerceiverResampler
from apollo_core.encoders.families import FAMILIES
from apollo_core.execution import Execution
from apollo_core.media.decoding import Decoder
from apollo_core.media.frame_cache import FrameCache
from apollo_core.media.manifest import read_manifest
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.microworld.parts import ENCODERS, LLMS, MicroLlm
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.tokenizer import END, PAD, build_tokenizer
from apollo_core.microworld.world import generate
from apollo_core.model import Features, VideoLMM
from apollo_core.stages.assembly import modules_of
from apollo_core.stages.device import settle
from apollo_core.stages.pretrain_llm import create_llm
from apollo_core.text.chat import encode_training
from apollo_core.training.feeding import Feeder, place_media
from apollo_core.training.loop import Recipe, set_trainable, train
from apollo_core.training.mixture import Draw, draw
from apollo_core.training.packing import prepare_attention

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=4)
RESAMPLER = PerceiverResampler(
    kind="perceiver", tokens_per_frame=4, heads=4, kv_heads=2, head_dim=16
)
SHARES = {"sft_text": 10, "sft_image": 20, "sft_multi_image": 10, "sft_video": 60}
BATCH = 16
RATES = {
    "trained": {"vision": 1e-4, "connector": 1e-3, "llm": 1e-3},
    "frozen": {"connector": 1e-3, "llm": 1e-3},
}
ROWS = ("trained", "frozen", "frozen, first", "cached")


@dataclass(frozen=True)
class World:
    """What both ways read: samples by share, their order, and where media lie."""

    shares: list[list[Sample]]
    order: Draw
    root: Path
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True)
class Timing:
    """A run of some steps; `positions` are the language model's, padding left out."""

    ms_per_step: float
    positions_per_second: float


@dataclass(frozen=True)
class Row:
    """One way of training one size; medians over rounds."""

    size: str
    parameters: int
    encoders: str
    ours: Timing
    plain: Timing
    ratio: float


@dataclass(frozen=True)
class Cached:
    """A micro-batch whose features are at hand."""

    batch: Batch
    features: Features

    @property
    def supervised(self) -> int:
        """Terms of its loss."""
        return self.batch.supervised

    def to(self, device: torch.device) -> Cached:
        """The same on another device."""
        return Cached(self.batch.to(device), [grid.to(device) for grid in self.features])


def make_world(root: Path, *, steps: int) -> World:
    """A microworld, and the order of a run of `steps` steps through it."""
    generate(WorldSpec(train_videos=400, bench_videos=0, images=400, corpus=0), root)
    shares = [list(read_manifest(root / f"{name}.jsonl")) for name in SHARES]
    sizes = [len(each) for each in shares]
    order = draw(list(SHARES.values()), sizes, samples=steps * BATCH, seed=0)
    return World(shares, order, root, build_tokenizer())


def make_model(part: MicroLlm) -> VideoLMM:
    """The demo's base design at one of the four sizes, from one seed."""
    torch.manual_seed(0)
    ids = build_tokenizer().get_vocab()
    encoders = [
        FAMILIES[ENCODERS[name].family].create(ENCODERS[name].geometry, frames_per_clip=4)
        for name in ("videomae", "siglip")
    ]
    llm = create_llm(part.geometry, pad=ids[PAD], end=ids[END])
    connector = Connector(
        RESAMPLER,
        dims=[encoder.dim for encoder in encoders],
        hidden=part.geometry.hidden,
        frames_per_clip=SAMPLING.frames_per_clip,
    )
    return VideoLMM(encoders, connector, llm)


@contextmanager
def reading(world: World, model: VideoLMM, kept: FrameCache | None = None) -> Iterator[MediaReader]:
    """Reads with a decoder process of its own; frames that are `kept` are not decoded again."""
    with Decoder(cache=kept) as decoder:
        yield MediaReader(decoder, world.root, SAMPLING, "timestamps", model.input_size)


def feeding(world: World, model: VideoLMM, reader: MediaReader) -> Feeder:
    """As a training stage feeds."""
    return Feeder(
        world.shares,
        world.order,
        readers=[reader],
        tokenizer=world.tokenizer,
        tokens_per_clip=model.connector.tokens_per_clip,
        bad_media="stop",
        packed=prepare_attention(model.llm, "auto", packed=True).packed,
    )


def recipe(world: World, rates: Mapping[str, float]) -> Recipe:
    """As a training stage optimises."""
    return Recipe(rates, len(world.order) // BATCH, 0.03, 0.0, 1.0, "float32")


def ours(world: World, model: VideoLMM, rates: Mapping[str, float], *, first_pass: bool) -> Timing:
    """As a training stage runs through its data for the first time, or again."""
    seen = Positions()
    kept = None if first_pass else FrameCache(Execution().frame_cache_mb * 2**20)
    with reading(world, model, kept) as reader:
        if kept is not None:
            for step in feeding(world, model, reader).batches(BATCH, BATCH):
                deque(step, 0)
        batches = feeding(world, model, reader).batches(BATCH, BATCH)
        return timed(
            lambda: train(
                modules_of(model),
                model.loss,
                map(seen.counted, batches),
                recipe(world, rates),
                device=torch.device("cpu"),
                report=lambda _: None,
            ),
            world,
            seen,
        )


def cached(world: World, model: VideoLMM, rates: Mapping[str, float]) -> Timing:
    """As a stage runs whose features are at hand: no media are read, no encoder runs."""
    seen = Positions()
    set_trainable(modules_of(model), rates)
    with reading(world, model) as reader:
        steps = [
            [Cached(batch, model.features(batch)) for batch in step]
            for step in feeding(world, model, reader).batches(BATCH, BATCH)
        ]
    for step in steps:
        seen.add(each.batch for each in step)
    return timed(
        lambda: train(
            modules_of(model),
            lambda each: model.loss(each.batch, each.features),
            steps,
            recipe(world, rates),
            device=torch.device("cpu"),
            report=lambda _: None,
        ),
        world,
        seen,
    )


def plain(world: World, model: VideoLMM, rates: Mapping[str, float]) -> Timing:
    """As most code bases do it."""
    seen = Positions()
    set_trainable(modules_of(model), rates)
    model.vision.requires_grad_(True)  # what is not optimised still runs with a graph
    groups = [
        {"params": list(modules_of(model)[name].parameters()), "lr": rate}
        for name, rate in rates.items()
    ]
    optimiser = torch.optim.AdamW(groups, foreach=True)
    trained = [parameter for group in groups for parameter in group["params"]]

    def run(reader: MediaReader) -> None:
        for first in range(0, len(world.order), BATCH):
            batch = read_plainly(world, reader, model, range(first, first + BATCH))
            seen.add([batch])
            all_logits_loss(model, batch).backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            model.zero_grad(set_to_none=True)

    with reading(world, model) as reader:
        return timed(lambda: run(reader), world, seen)


def all_logits_loss(model: VideoLMM, batch: Batch) -> Tensor:
    """The language model's own loss, for which it computes the logits of every position."""
    embedded = model.embed(batch)
    mask = batch.attended.long()
    return model.llm(inputs_embeds=embedded, attention_mask=mask, labels=batch.labels).loss


def read_plainly(world: World, reader: MediaReader, model: VideoLMM, places: range) -> Batch:
    """A batch in its order, each sample's media read when its turn comes."""
    encoded, media, shown = [], list[Shown](), []
    for place in places:
        sample = world.shares[int(world.order.share[place])][int(world.order.row[place])]
        seen = reader.show(sample.media) if sample.media else None
        shown.append(-1 if seen is None else len(media))
        media += [seen] if seen is not None else []
        turns = place_media(sample.turns, seen.written if seen else ())
        per_clip = model.connector.tokens_per_clip
        encoded.append(encode_training(world.tokenizer, turns, tokens_per_clip=per_clip))
    return collate(encoded, media, shown, tokens_per_clip=model.connector.tokens_per_clip)


@dataclass
class Positions:
    """Positions of the language model that were not padding."""

    total: int = 0

    def add(self, batches: Iterable[Batch]) -> None:
        """Count a step."""
        self.total += sum(int(batch.attended.sum()) for batch in batches)

    def counted(self, step: Iterable[Batch]) -> Iterator[Batch]:
        """The same micro-batches, counted."""
        for batch in step:
            self.add([batch])
            yield batch


def timed(run: Callable[[], None], world: World, seen: Positions) -> Timing:
    """Run; `seen` is counted by then."""
    started = perf_counter()
    run()
    seconds = perf_counter() - started
    return Timing(1000 * seconds * BATCH / len(world.order), seen.total / seconds)


def compare(world: World, name: str, encoders: str, *, rounds: int) -> Row:
    """One row: the two ways in turns, a fresh model each."""
    part = LLMS[name]
    rates = RATES["trained" if encoders == "trained" else "frozen"]
    way = cached if encoders == "cached" else partial(ours, first_pass="first" in encoders)
    pairs = [
        (way(world, make_model(part), rates), plain(world, make_model(part), rates))
        for _ in range(rounds)
    ]
    return Row(
        name,
        part.geometry.parameters,
        encoders,
        ours=_median([mine for mine, _ in pairs]),
        plain=_median([theirs for _, theirs in pairs]),
        ratio=median(theirs.ms_per_step / mine.ms_per_step for mine, theirs in pairs),
    )


def _median(timings: list[Timing]) -> Timing:
    return Timing(
        median(each.ms_per_step for each in timings),
        median(each.positions_per_second for each in timings),
    )


def main() -> int:
    """Print the table; with `--json FILE` write the figures too."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20, help="steps in a run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each way, in turns")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--sizes", nargs="+", default=list(LLMS), choices=list(LLMS))
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    settle(Execution(device="cpu", threads=asked.threads))
    rows: list[Row] = []
    head = ("language model", "parameters", "encoders", "ours ms/step", "tokens/s", "plain ms/step")
    print("{:16}{:>12}{:>15}{:>14}{:>12}{:>15}".format(*head) + f"{'plain/ours':>12}")
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), steps=asked.steps)
        for name in asked.sizes:
            for encoders in ROWS:
                row = compare(world, name, encoders, rounds=asked.rounds)
                rows.append(row)
                print(
                    f"{name:16}{row.parameters:>12,}{encoders:>15}{row.ours.ms_per_step:>14.1f}"
                    f"{row.ours.positions_per_second:>12,.0f}{row.plain.ms_per_step:>15.1f}"
                    f"{row.ratio:>12.2f}",
                    flush=True,
                )
    if asked.json:
        machine = {"machine": platform.machine(), "torch": torch.__version__, **vars(asked)}
        told = {"setting": machine, "rows": [asdict(row) for row in rows]}
        asked.json.write_text(json.dumps(told, indent=2, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
