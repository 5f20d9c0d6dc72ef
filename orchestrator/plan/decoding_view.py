"""Whether decoders keep up with the models, on the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from orchestrator.cost.cost import PlanCost
from orchestrator.cost.decoding import PlanDecoding
from orchestrator.plan.amounts import counted, duration, si
from orchestrator.plan.plan import Plan

# Seconds: who could save less by more decoders is not told to start them.
_WORTH_SAVING = 10.0


def decoding_lines(plan: Plan, cost: PlanCost, decoding: PlanDecoding) -> Iterator[str]:
    """What there is to decode, and where that takes much longer than learning, if anywhere.

    Args:
        plan, cost: the stages, and how long each learns.
        decoding: how long each decodes.
    """
    frames = math.fsum(each.frames for each in decoding.stages.values())
    if not frames:
        return
    yield (
        f"Decoding: {si(frames).strip()} frames at {1000 * decoding.frame:.3g} ms of a processor "
        f"each ({decoding.source}; --decode-ms)."
    )
    slower = [
        key
        for key in decoding.slower(cost)
        if decoding.stages[key].seconds - cost.stages[key].seconds > _WORTH_SAVING
    ]
    if not slower:
        return
    key = slower[0]
    worst, learns = decoding.stages[key], cost.stages[key].seconds
    variant = next(each for each in plan.variants if key in each.stages)
    enough = math.ceil(worst.least_decoders(learns) / plan.stages[key].processes)
    yield (
        f"[yellow]decoding:[/yellow] {counted(len(slower), 'stage')} would wait for it, most "
        f"of all {plan.stages[key].label} of {variant.id}: {duration(worst.seconds)} with "
        f"{counted(worst.decoders, 'decoder')} for {duration(learns)} of learning. "
        f"`execution: {{workers: {enough}}}` would keep up, or smaller videos."
    )
