"""Optimise: one learning rate per module, warm-up and cosine, loss averaged over tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from apollo_core.errors import Diverged
from apollo_core.stages.context import Event
from apollo_core.stages.identity import Precision

Micro = TypeVar("Micro", bound="MicroBatch")


@runtime_checkable
class MicroBatch(Protocol):
    """What fits through the model at once."""

    @property
    def supervised(self) -> int:
        """Terms of its loss."""
        ...

    def to(self: Micro, device: torch.device) -> Micro:
        """The same on another device."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a stage is optimised.

    Attributes:
        rates: peak learning rate by module; modules without one are frozen.
        steps: optimiser steps in all.
        warmup: part of the steps in which the rate rises from 0.
        weight_decay, clip_norm: AdamW's; gradients are clipped to this norm over all modules.
        precision: of the arithmetic; weights and optimiser states stay in float32.
    """

    rates: Mapping[str, float]
    steps: int
    warmup: float
    weight_decay: float
    clip_norm: float
    precision: Precision


def schedule(step: int, *, steps: int, warmup: float) -> float:
    """Factor on the peak rate at `step` (0-based): linear warm-up, then cosine to 0.

    The first step already learns, and the last one still does.
    """
    rise = math.ceil(warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def set_trainable(modules: Mapping[str, nn.Module], trained: Iterable[str]) -> None:
    """Train exactly the modules in `trained`; freeze the others, in eval mode."""
    chosen = set(trained)
    for name, module in modules.items():
        module.requires_grad_(name in chosen)
        module.train(name in chosen)


def train(
    modules: Mapping[str, nn.Module],
    loss: Callable[[Micro], Tensor],
    batches: Iterable[list[Micro]],
    recipe: Recipe,
    *,
    device: torch.device,
    report: Callable[[Event], None],
) -> None:
    """Run all steps.

    The loss of a step is the mean over all supervised tokens of its micro-batches, so that the
    size of a micro-batch changes no more than the last digit.

    Args:
        modules: by the names that `recipe.rates` uses.
        loss: summed over its supervised terms (tokens), in nats.
        batches: the micro-batches of each step; an empty step is passed over.
        recipe: how.
        device: where the modules are.
        report: takes `step` (1-based), `steps`, `loss`, `grad_norm`, `tokens` and `lr/MODULE`.

    Raises:
        Diverged: loss or gradient is not finite.
    """
    set_trainable(modules, recipe.rates)
    groups = [
        {"params": list(modules[name].parameters()), "lr": rate, "peak": rate}
        for name, rate in recipe.rates.items()
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
    parameters = [parameter for group in groups for parameter in group["params"]]
    half = recipe.precision == "bfloat16"
    for step, micro_batches in enumerate(batches):
        factor = schedule(step, steps=recipe.steps, warmup=recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        tokens = sum(batch.supervised for batch in micro_batches)
        if not tokens:
            continue
        total = 0.0
        for batch in micro_batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                mean = loss(batch.to(device)) / tokens
            # Text alone reaches no frozen language model's connector: nothing to learn, no error.
            if mean.requires_grad:
                mean.backward()
            total += mean.item()
        norm = nn.utils.clip_grad_norm_(parameters, recipe.clip_norm).item()
        if not (math.isfinite(total) and math.isfinite(norm)):
            raise Diverged(f"step {step + 1} of {recipe.steps}: loss {total}, gradient norm {norm}")
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        rates = {f"lr/{name}": rate * factor for name, rate in recipe.rates.items()}
        report(
            {
                "step": step + 1,
                "steps": recipe.steps,
                "loss": total,
                "grad_norm": norm,
                "tokens": tokens,
                **rates,
            }
        )
