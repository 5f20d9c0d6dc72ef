"""A plan as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from orchestrator.cost.cost import PlanCost, Total
from orchestrator.cost.decoding import Decoding, PlanDecoding
from orchestrator.cost.devices_needed import StageNeed, stage_needs
from orchestrator.cost.feature_bytes import FeaturePlan
from orchestrator.cost.makespan import makespan
from orchestrator.cost.memory import StageMemory
from orchestrator.cost.sharing import axis_sharing
from orchestrator.cost.what_is_left import what_is_left
from orchestrator.plan.plan import Plan


def plan_document(
    plan: Plan,
    cost: PlanCost,
    memory: Mapping[str, StageMemory],
    *,
    device: float,
    gpus: float | None = None,
    decoding: PlanDecoding | None = None,
    done: Collection[str] = (),
) -> dict[str, object]:
    """What `apollo plan --json` prints; a stage's `kind` is its name in the sweep file.

    Args:
        plan, cost: what runs, and what it costs.
        memory: of each stage, by key.
        device: bytes of one GPU.
        gpus: of the cluster, for the time that the sweep takes at least.
        decoding: of each stage.
        done: keys of the stages that the store has.
    """
    time = makespan(plan, {k: each.seconds for k, each in cost.stages.items()}, gpus=gpus or 0)
    return {
        "name": plan.name,
        "provisional": plan.provisional,
        "not_yet": list(plan.not_yet),
        "unpinned": list(plan.unpinned),
        "variants": [
            {
                "id": variant.id,
                "design": variant.design,
                "levels": dict(variant.levels),
                "scale": variant.scale,
                "seed": variant.seed,
                "stages": list(variant.stages),
            }
            for variant in plan.variants
        ],
        "stages": [
            {
                "key": key,
                "kind": node.label,
                "parents": list(node.parents.values()),
                "used_by": node.used_by,
                "provisional": node.provisional,
                "done": key in done,
                "flops": cost.stages[key].flops,
                "seconds": cost.stages[key].seconds,
                "gpus": node.gpus,
                "bytes": cost.stages[key].bytes,
                "samples": cost.stages[key].samples,
                "checkpoint_bytes": cost.stages[key].checkpoint,
                "memory": memory[key].total,
                "memory_parts": _parts(memory[key]),
                **(_decoding(decoding.stages[key]) if decoding else {}),
            }
            for key, node in plan.stages.items()
        ],
        "left": asdict(what_is_left(plan, cost, done)),
        "cost": {
            "separate": _total(cost.separate),
            "shared": _total(cost.shared),
            "saved_share": cost.saved_share,
            "axes": [
                {
                    "axis": each.axis,
                    "levels": each.levels,
                    "shared": dict(each.shared),
                    "saved_share": each.saved_share,
                    "saved_gpu_hours": each.saved_gpu_hours,
                    "saved_disk": each.saved_disk,
                }
                for each in axis_sharing(plan, cost)
            ],
            "checkpoint_bytes": cost.largest_checkpoint,
            "critical_path_seconds": time.critical_path,
            "shortest_seconds": None if gpus is None else time.shortest,
            "speeds": {"cpu": cost.speeds.cpu_source, "gpu": cost.speeds.gpu_source},
        },
        "needs": [_need(each) for each in stage_needs(plan, memory, device=device)],
    }


def _decoding(told: Decoding) -> dict[str, float]:
    return {
        "frames": told.frames,
        "decoding_seconds": told.seconds,
        "decoders": told.decoders,
    }


def features_document(features: FeaturePlan) -> dict[str, object]:
    """What is kept of frozen encoders' features, cache by cache."""
    return {
        "budget": features.budget,
        "bytes": features.bytes,
        "caches": [
            {
                "key": cache.key,
                "encoder": cache.encoder,
                "view": cache.view,
                "sampling": cache.sampling.model_dump(mode="json") if cache.sampling else None,
                "trained": cache.trained,
                "media": cache.media,
                "reads": cache.reads,
                "stages": cache.stages,
                "bytes": cache.bytes,
                "flops_saved": cache.flops,
                "seconds_saved": cache.seconds,
                "kept": cache.is_kept,
                "verdict": cache.verdict,
            }
            for cache in features.caches
        ],
    }


def _total(total: Total) -> dict[str, float]:
    return {
        "flops": total.flops,
        "gpu_hours": total.gpu_hours,
        "samples": total.samples,
        "bytes": total.bytes,
    }


def _parts(memory: StageMemory) -> dict[str, object]:
    return {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimiser": memory.optimiser,
        "activations": memory.activations,
        "micro_batch": memory.micro_batch,
        "devices": memory.devices,
        "sharding": memory.sharding,
    }


def _need(need: StageNeed) -> dict[str, object]:
    return {
        "scale": need.scale,
        "stage": need.label,
        "design": need.design,
        "gpus": need.given,
        "needed": need.needed and need.needed.devices,
        "needed_with_checkpointing": need.recomputing and need.recomputing.devices,
        "fits": need.fits,
        "warning": None if need.fits else need.in_words,
    }
