"""A plan as one JSON document."""

from __future__ import annotations

from orchestrator.cost.cost import PlanCost, Total
from orchestrator.plan.plan import Plan


def plan_document(plan: Plan, cost: PlanCost) -> dict[str, object]:
    """What `apollo plan --json` prints; a stage's `kind` is its name in the sweep file."""
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
                "flops": cost.stages[key].flops,
                "seconds": cost.stages[key].seconds,
                "gpus": node.gpus,
                "bytes": cost.stages[key].bytes,
            }
            for key, node in plan.stages.items()
        ],
        "cost": {
            "separate": _total(cost.separate),
            "shared": _total(cost.shared),
            "saved_share": cost.saved_share,
            "speeds": {"cpu": cost.speeds.cpu_source, "gpu": cost.speeds.gpu_source},
        },
    }


def _total(total: Total) -> dict[str, float]:
    return {"flops": total.flops, "gpu_hours": total.gpu_hours}
