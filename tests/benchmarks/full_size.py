"""A training step of the base design at full size on one GPU: Qwen2-0.5B, SigLIP and InternVideo2.

    python tests/benchmarks/full_size.py                     # on a GPU, bfloat16
    python tests/benchmarks/full_size.py --tiny              # the same way in miniature, on a CPU

Weights are random and frames are noise, of the published sizes: speed and memory do not depend on
what they show, and reading media is left out. Each stage of the base schedule is run as a training
stage runs it (packed, autocast, fused AdamW). Printed: tokens per second through the language
model, clips per second, utilisation of the device's peak, and peak memory beside what weights,
gradients and optimiser states alone take.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from apollo_core.batch import Batch, collate
from apollo_core.catalogue import ENCODERS
from apollo_core.connector.connector import Connector
from apollo_core.design import PerceiverResampler
from apollo_core.encoders.families import FAMILIES
from apollo_core.execution import Execution
from apollo_core.media.reader import Shown
from apollo_core.microworld.parts import ENCODERS as MICRO_ENCODERS
from apollo_core.microworld.parts import LLMS as MICRO_LLMS
from apollo_core.model import VideoLMM
from apollo_core.shipped_configs import config_file
from apollo_core.stages.assembly import modules_of
from apollo_core.stages.device import settle
from apollo_core.stages.pretrain_llm import create_llm
from apollo_core.text.chat import IGNORED, TEXT, Encoded
from apollo_core.training.block_options import compile_blocks, recompute_activations
from apollo_core.training.device_peaks import peak_flops
from apollo_core.training.loop import Extras, Recipe, train
from apollo_core.training.model_work import WorkMeter
from apollo_core.training.packing import pack, prepare_attention

LLM = "Qwen/Qwen2-0.5B-Instruct"
BASE = ("internvideo2-1b", "siglip-so400m")
FRAMES = 4
# What each stage of the base schedule trains (table 12, row 13).
STAGES = {
    "align": {"connector": 1e-4},
    "vision": {"vision": 5e-6, "connector": 1e-4},
    "sft": {"connector": 1e-4, "llm": 3e-5},
}
WORDS, ANSWER = 60, 20


def full_model() -> VideoLMM:
    """The base design with Qwen2-0.5B, random weights."""
    config = AutoConfig.from_pretrained(config_file(LLM))
    llm = AutoModelForCausalLM.from_config(config)
    entries = [ENCODERS[name] for name in BASE]
    return _model(llm, [(entry.family, entry.geometry) for entry in entries], heads=16)


def tiny_model() -> VideoLMM:
    """The same design of microworld parts."""
    llm = create_llm(MICRO_LLMS["qwen2-xs"].geometry, pad=0, end=1)
    parts = [MICRO_ENCODERS[name] for name in ("internvideo2", "siglip")]
    return _model(llm, [(part.family, part.geometry) for part in parts], heads=4)


def _model(llm: Any, encoders: list[tuple[str, Any]], *, heads: int) -> VideoLMM:
    towers = [
        FAMILIES[family].create(geometry, frames_per_clip=FRAMES) for family, geometry in encoders
    ]
    resampler = PerceiverResampler(kind="perceiver", tokens_per_frame=16, heads=heads)
    connector = Connector(
        resampler,
        dims=[tower.dim for tower in towers],
        hidden=llm.config.hidden_size,
        frames_per_clip=FRAMES,
    )
    return VideoLMM(towers, connector, llm)


def batches(
    model: VideoLMM, *, steps: int, videos: int, clips: int, packed: bool
) -> Iterator[list[Batch]]:
    """Steps of one micro-batch of conversations, each about a video of noise."""
    rng = np.random.default_rng(0)
    vocabulary = model.llm.config.get_text_config().vocab_size
    side, per_clip = model.input_size, model.connector.tokens_per_clip
    frames = rng.integers(0, 256, (clips, FRAMES, side, side, 3), dtype=np.uint8)
    for _ in range(steps):
        encoded = [_conversation(rng, vocabulary, clips * per_clip) for _ in range(videos)]
        shown = [Shown(frames, ("",), 2.0, (clips,), (False,)) for _ in range(videos)]
        batch = collate(encoded, shown, range(videos), tokens_per_clip=per_clip)
        yield [pack(batch) if packed else batch]


def _conversation(rng: np.random.Generator, vocabulary: int, visual: int) -> Encoded:
    words = rng.integers(0, vocabulary, WORDS + ANSWER)
    tokens = np.concatenate([np.zeros(visual, np.int64), words])
    labels = np.full(len(tokens), IGNORED)
    labels[-ANSWER:] = tokens[-ANSWER:]
    source = np.concatenate([np.arange(visual), np.full(WORDS + ANSWER, TEXT)])
    return Encoded(tokens, labels, source)


def measure(asked: argparse.Namespace, stage: str, device: torch.device) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    with device:
        model = tiny_model() if asked.tiny else full_model()
    rates = STAGES[stage]
    packed = device.type == "cuda"
    prepare_attention(model.llm, "auto", packed=packed)
    if asked.compile:
        compile_blocks(model)
    if asked.activation_checkpointing:
        recompute_activations(model, vision="vision" in rates)
    most = peak_flops(torch.cuda.get_device_name(), "bfloat16") if device.type == "cuda" else None
    events: list[Any] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train(
        modules_of(model),
        model.loss,
        batches(model, steps=asked.steps, videos=asked.videos, clips=asked.clips, packed=packed),
        Recipe(rates, asked.steps, 0.03, 0.0, 1.0, "bfloat16"),
        device=device,
        report=events.append,
        extras=Extras(work=WorkMeter(model, tuple(rates), flops=True), peak_flops=most),
    )
    timed = events[asked.steps // 3 :]  # compilers and allocators have settled by then
    seconds = median(event["seconds"] - event["data_seconds"] for event in timed)
    used = median(event["mfu"] for event in timed) if most else None
    # Weights, and for what is trained a gradient and AdamW's two states: float32 each.
    sizes = {
        name: sum(p.numel() for p in part.parameters()) for name, part in modules_of(model).items()
    }
    states = 4 * (sum(sizes.values()) + 3 * sum(sizes[name] for name in rates))
    held = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    return (
        f"{stage:8}{1000 * seconds:>10.1f}{median(e['positions'] for e in timed) / seconds:>12,.0f}"
        f"{asked.videos * asked.clips / seconds:>10.1f}{_share(used):>8}"
        f"{states / 2**30:>12.2f}{_gib(held):>10}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _gib(value: int | None) -> str:
    return "-" if value is None else f"{value / 2**30:.2f}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="microworld parts, on a CPU")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--videos", type=int, default=8, help="conversations in a step")
    parser.add_argument("--clips", type=int, default=5, help="clips of each video (10 s are 5)")
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks")
    parser.add_argument("--activation-checkpointing", action="store_true")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    asked = parser.parse_args()
    if not asked.tiny and not torch.cuda.is_available():
        parser.error("a GPU is needed for the full size; --tiny runs on a CPU")
    device = settle(Execution(device="cpu" if asked.tiny else "cuda"))
    head = ("stage", "ms/step", "tokens/s", "clips/s", "MFU", "states GiB", "peak GiB")
    print("{:8}{:>10}{:>12}{:>10}{:>8}{:>12}{:>10}".format(*head))
    for stage in asked.stages:
        print(measure(asked, stage, device), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
