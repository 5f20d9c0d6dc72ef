"""What a study would have cost without sharing, measured on variants picked by lot.

Each picked variant is trained once more by itself: all of its stages one after another, in a
folder of its own, as a trial of plain Ray Tune on a warm worker does it (`plain_tune`), from the
pretrained parts that the store has. Its answers are held against those that the study left.

From what these took beside the seconds that the study's own stages took, all variants are
extrapolated: as such trials; and as separate pipelines, each of which also pretrains its parts.
What a pipeline's start and its world would cost comes on top.

    .venv/bin/python tests/benchmarks/study_cost.py sweeps/micro84.yaml --store out/store
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from plain_tune import run_variant

from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan, Variant
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store

_SAME = {True: "yes", False: "NO"}


@dataclass(frozen=True)
class Again:
    """One variant, trained again by itself.

    Attributes:
        seconds: that it took.
        in_study: seconds that the same stages took in the study.
        same: whether it gave the same answers, byte by byte.
    """

    variant: str
    seconds: float
    in_study: float
    same: bool


def seconds_of(store: Store, key: str) -> float:
    """Of the attempt that finished a stage."""
    told = (store.provenance(key) or {}).get("seconds")
    if not isinstance(told, int | float):
        raise SystemExit(f"stage {key[:12]} is not done in {store.root}: run the sweep there first")
    return float(told)


def parts_of(plan: Plan, variant: Variant) -> tuple[str, ...]:
    """Keys of the stages that pretrain its parts."""
    return tuple(key for key in variant.stages if plan.stages[key].identity.kind == "pretrain")


def train_again(plan: Plan, variant: Variant, store: Store) -> Again:
    """Train and evaluate it in a folder of its own."""
    parts = set(parts_of(plan, variant))
    keys = [key for key in variant.stages if key not in parts]
    with TemporaryDirectory() as folder:
        pretrained = Store(Path(folder) / "parts")
        pretrained.prepare()
        for key in parts:
            pretrained.stage_folder(key).symlink_to(store.stage_folder(key).absolute())
        begin = time.perf_counter()
        run_variant(plan, variant.id, Path(folder), pretrained)
        took = time.perf_counter() - begin
        own = Store(Path(folder) / "store")
        asked = [key for key in keys if plan.stages[key].identity.kind == "evaluate"]
        same = all(
            (own.stage_folder(key) / "items.jsonl").read_bytes()
            == (store.stage_folder(key) / "items.jsonl").read_bytes()
            for key in asked
        )
    return Again(variant.id, took, sum(seconds_of(store, key) for key in keys), same)


def pick(plan: Plan, count: int, seed: int) -> list[Variant]:
    """Variants by lot, of different scales as far as there are so many."""
    lot = random.Random(seed)
    by_scale: dict[str, list[Variant]] = {}
    for variant in plan.variants:
        by_scale.setdefault(variant.scale, []).append(variant)
    scales = lot.sample(sorted(by_scale), len(by_scale))
    return [lot.choice(by_scale[scales[at % len(scales)]]) for at in range(count)]


def told(plan: Plan, store: Store, again: Sequence[Again]) -> list[str]:
    """The table, line by line."""
    ratio = sum(one.seconds for one in again) / sum(one.in_study for one in again)
    every = {key: seconds_of(store, key) for key in plan.stages}
    parts = {variant.id: parts_of(plan, variant) for variant in plan.variants}
    chains = sum(every[key] for v in plan.variants for key in v.stages if key not in parts[v.id])
    pretraining = sum(every[key] for keys in parts.values() for key in keys)
    rows = [
        ("as it ran: every stage once", sum(every.values())),
        ("as trials on warm workers, parts given", ratio * chains),
        ("as separate pipelines, each with its own parts", ratio * chains + pretraining),
    ]
    lines = ["| variant by lot | alone, s | its stages in the study, s | same answers |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {one.variant} | {one.seconds:.0f} | {one.in_study:.0f} | {_SAME[one.same]} |"
        for one in again
    ]
    lines += [
        "",
        f"Alone they took {ratio:.2f} of the seconds that their stages took in the study.",
    ]
    lines += ["", f"| {len(plan.variants)} variants | core hours | |", "|---|---|---|"]
    lines += [
        f"| {name} | {seconds / 3600:.1f} | {seconds / rows[0][1]:.1f} |" for name, seconds in rows
    ]
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Say what a study would have cost unshared.")
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--store", type=Path, required=True, help="in which the sweep is done")
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the lot")
    given = parser.parse_args()
    store = Store(given.store.absolute())
    plan = build_plan(load_sweep(given.sweep), store=store.root)
    for key in plan.stages:
        seconds_of(store, key)
    picked = pick(plan, given.variants, given.seed)
    again = [train_again(plan, variant, store) for variant in picked]
    for line in told(plan, store, again):
        print(line)


if __name__ == "__main__":
    main()
