"""What one sweep needs beyond what every sweep does: its weights, data, GPUs and disk."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from apollo_core.errors import BadInput
from apollo_core.media.video_file import DecoderName
from apollo_core.object_store import ObjectStore
from orchestrator.checkup.filesystem import nearest_folder
from orchestrator.checkup.finding import Finding, broken, ok
from orchestrator.checkup.machine import gpu_lines
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.speeds import measure_speeds
from orchestrator.engine.decoders_needed import lack_of, mend_of
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.remote_sets import remote_files
from orchestrator.spec.data_types import Data
from orchestrator.spec.sweep_types import Sweep
from orchestrator.store.store import Store

_HUB = re.compile(r"^\S+: [\w.-]+/[\w.-]+@\S+$")


def sweep_needs(sweep: Sweep, store: Store, *, on_cluster: bool) -> Iterator[Finding]:
    """Whether this sweep can run here.

    Args:
        on_cluster: GPUs and packages are a cluster's, so this machine's are not looked at.
    """
    plan = build_plan(sweep, store=store.root)
    yield from _at_hand(plan)
    if not on_cluster:
        yield _decoder(sweep.data.decoder)
    if sweep.data.is_remote:
        yield _bucket(sweep.data)
    missing = [key for key in plan.stages if not store.is_done(key)]
    if not on_cluster:
        yield _gpus(plan, missing)
    yield _disk(plan, missing, store)


def _at_hand(plan: Plan) -> Iterator[Finding]:
    if plan.not_yet:
        text = f"{plan.name}: not built yet: {', '.join(plan.not_yet)}"
        yield broken(text, "take these out of the sweep file")
    hub = [source for source in plan.unpinned if _HUB.search(source)]
    if hub:
        mend = "apollo fetch SWEEP, which also prints the lines that pin them"
        yield broken(f"{plan.name}: weights not here: {', '.join(hub)}", mend)
    absent = [source for source in plan.unpinned if source not in hub]
    if absent:
        mend = "put them there; check data.root and the environment variables in the sweep file"
        yield broken(f"{plan.name}: not at hand: {', '.join(absent)}", mend)
    if not plan.not_yet and not plan.unpinned:
        yield ok(f"{plan.name}: every weight is pinned, every manifest and medium is there")


def _decoder(name: DecoderName) -> Finding:
    if lack := lack_of(name):
        return broken(lack, mend_of(name))
    return ok(f"videos are read by {name}")


def _bucket(data: Data) -> Finding:
    assert data.root is not None
    try:
        objects = ObjectStore(os.path.expandvars(data.root))
        sets = {each.manifest for each in data.sets.values()}
        names = sorted({file for name in sets for file in remote_files(objects, name)})
        absent = [name for name in names if not objects.version(name)]
    except (BadInput, OSError) as error:
        mend = "media are read from there while stages run: every node needs this access"
        return broken(f"data.root: {error}", mend)
    if absent:
        return broken(f"{objects.name} lacks {', '.join(absent)}", "check data.root and data.sets")
    return ok(f"{objects.name} answers and has the manifests")


def _gpus(plan: Plan, missing: list[str]) -> Finding:
    needed = max((plan.stages[key].gpus for key in missing), default=0.0)
    there = len(gpu_lines())
    text = f"{plan.name}: a stage needs up to {needed:g} GPUs, this machine has {there}"
    if needed > there:
        return broken(text, "run with --address of a cluster, or lower the scales' `resources`")
    return ok(text)


def _disk(plan: Plan, missing: list[str], store: Store) -> Finding:
    flops = plan_flops(plan)
    cost = plan_cost(plan, flops, measure_speeds(plan, flops, store=store.root))
    needed = sum(cost.stages[key].bytes for key in missing)
    needed += max((cost.stages[key].checkpoint for key in missing), default=0)
    free = shutil.disk_usage(nearest_folder(Path(store.root))).free
    text = f"{plan.name}: {len(missing)} stages leave {needed / 1e9:.1f} GB, {free / 1e9:.1f} free"
    if needed > free:
        return broken(text, "make room, choose another --store, or take scales out")
    return ok(text)
