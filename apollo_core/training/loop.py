"""Optimise: one learning rate per module, warm-up and cosine, loss averaged over tokens.

One process or several do the same: losses, tokens and gradients are sums, over micro-batches and
then over ranks, and are divided once, by all tokens of the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from apollo_core.errors import Diverged
from apollo_core.stages.context import Event
from apollo_core.stages.identity import Precision
from apollo_core.training.distributed import NOBODY_ELSE, Peers
from apollo_core.training.distributed_gradients import clip_gradients, sum_gradients
from apollo_core.training.training_state import TrainingState
from apollo_core.training.waited import Waited
from apollo_core.training.work import Work, speeds

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


@dataclass(frozen=True)
class Extras(Generic[Micro]):
    """What a loop does beside learning; by default nothing.

    Attributes:
        resume: takes over an earlier attempt's state before the first step.
        keep: is asked after each step, before it is reported; the state is kept when the block,
            in which the step is reported, ends without an error.
        read: is called when a step's micro-batches have all been taken, on every rank.
        work: counts what a micro-batch costs, for the speeds that are reported.
        peak_flops: of all ranks' devices together, per second, where known.
        fused: the optimiser in one kernel.
        lost_above: what makes a finite loss a diverged one (`LossWatch.is_lost`); None = nothing.
        peers: the ranks that take each step together, each with micro-batches of its own.
        idle: where the model is sharded: a micro-batch of no weight, for a rank that has none left
            while another has.
    """

    resume: Callable[[TrainingState], None] = lambda _: None
    keep: Callable[[TrainingState], AbstractContextManager[None]] = lambda _: nullcontext()
    read: Callable[[], None] = lambda: None
    work: Callable[[Micro], Work] = lambda _: Work()
    peak_flops: float | None = None
    fused: bool = True
    lost_above: float | None = None
    peers: Peers = NOBODY_ELSE
    idle: Micro | None = None


def train(
    modules: Mapping[str, nn.Module],
    loss: Callable[[Micro], Tensor],
    batches: Iterable[Iterable[Micro]],
    recipe: Recipe,
    *,
    device: torch.device,
    report: Callable[[Event], None],
    extras: Extras[Micro] | None = None,
) -> None:
    """Run all steps.

    The loss of a step is the mean over all supervised tokens of its micro-batches, so that the
    size of a micro-batch changes no more than the last digit.

    Args:
        modules: by the names that `recipe.rates` uses.
        loss: summed over its supervised terms (tokens), in nats.
        batches: the micro-batches of each step, from the first that is still to be done; an empty
            step is passed over.
        recipe: how.
        device: where the modules are.
        report: takes, on every rank alike but for the speeds, `step` (1-based), `steps`, `loss`,
            `grad_norm`, `tokens` (supervised) and `lr/MODULE`; `spike` (0 or 1) and their number so
            far, `spikes`, which a view that leaves out steps still shows; `seconds` of the step,
            and `data_seconds` of them spent waiting for data; where `extras.work` counts them,
            `positions` through the language model, `tokens_per_second` of those, their sum so far,
            `tokens_seen`, and `mfu`.
        extras: what is done beside.

    Raises:
        Diverged: loss or gradient is not finite, or the loss is lost (`extras.lost_above`).
    """
    beside = extras or Extras[Micro]()
    set_trainable(modules, recipe.rates)
    trained = {name: modules[name] for name in recipe.rates}
    optimiser = _optimiser(trained, recipe, fused=beside.fused)
    state = TrainingState(trained, optimiser, device, beside.peers)
    beside.resume(state)
    waited = Waited()
    for micro_batches in waited.each(batches):
        rates = _set_rates(state.optimiser, recipe, state.step)
        mine = _learn(loss, waited.each(micro_batches), recipe, beside, device)
        beside.read()
        learned = mine.together(beside.peers)
        if not learned.tokens:
            # Zeros would let momentum move what a later step gives no gradient.
            state.optimiser.zero_grad(set_to_none=True)
            state.step += 1
            continue
        norm = _update(state, learned, recipe, beside.peers)
        state.step += 1
        state.tokens_seen += learned.work.positions
        spike = int(state.watch.is_spike(learned.loss))
        state.spikes += spike
        _refuse_what_is_lost(state, recipe, beside.lost_above)
        lap = waited.lap()
        event: dict[str, float | int | str] = {
            "step": state.step,
            "steps": recipe.steps,
            "loss": learned.loss,
            "grad_norm": norm,
            "tokens": learned.tokens,
            "spike": spike,
            "spikes": state.spikes,
            **{f"lr/{name}": rate for name, rate in rates.items()},
            **lap,
            **speeds(learned.work, lap["seconds"], state.tokens_seen, beside.peak_flops),
        }
        with beside.keep(state):
            report(event)


def _refuse_what_is_lost(state: TrainingState, recipe: Recipe, factor: float | None) -> None:
    if factor is not None and state.watch.is_lost(factor):
        raise Diverged(
            f"step {state.step} of {recipe.steps}: the median loss of the last "
            f"{len(state.watch.recent)} steps is more than {factor:g} times that of the first "
            f"{len(state.watch.first)} (execution.diverged_above)"
        )


@dataclass
class _Learned:
    """Of one step, over its `tokens`: summed gradients lie in the parameters."""

    total: float = 0.0
    tokens: int = 0
    work: Work = field(default_factory=Work)

    @property
    def loss(self) -> float:
        """The mean."""
        return self.total / max(1, self.tokens)

    def together(self, peers: Peers) -> _Learned:
        """That of all ranks; their gradients are summed by `_update`."""
        mine = self.total, self.tokens, self.work.positions, self.work.flops
        total, tokens, positions, flops = peers.sums(*mine)
        return _Learned(total, int(tokens), Work(int(positions), flops))


def _learn(
    loss: Callable[[Micro], Tensor],
    micro_batches: Iterable[Micro],
    recipe: Recipe,
    beside: Extras[Micro],
    device: torch.device,
) -> _Learned:
    """Forward and backward of one step's micro-batches, which are let go one by one.

    How many tokens the step has is only known at its end, so the sum is differentiated and
    `_update` divides.
    """
    learned = _Learned()
    sharded = beside.idle is not None
    half = recipe.precision == "bfloat16"
    for batch in _in_step(micro_batches, beside):
        # Kept casts would be a second, unsharded model on each rank.
        with torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=not sharded):
            summed = loss((batch or cast(Micro, beside.idle)).to(device))
        if batch is None:
            (0 * summed).backward()
            continue
        # Text alone reaches no frozen language model's connector: nothing to learn, no error.
        if summed.requires_grad:
            summed.backward()
        cost = beside.work(batch)
        learned.total += summed.item()
        learned.tokens += batch.supervised
        learned.work = Work(
            learned.work.positions + cost.positions, learned.work.flops + cost.flops
        )
    return learned


def _in_step(micro_batches: Iterable[Micro], beside: Extras[Micro]) -> Iterator[Micro | None]:
    """The micro-batches of a step; of a sharded model all ranks take as many, the last ones None.

    With less than one each, a rank would wait for ever for another to put a block together.
    """
    if beside.idle is None:
        yield from micro_batches
        return
    coming = iter(micro_batches)
    batch = next(coming, None)
    while beside.peers.any(batch is not None):
        yield batch
        batch = next(coming, None)


def _update(state: TrainingState, learned: _Learned, recipe: Recipe, peers: Peers) -> float:
    """One step of the optimiser; the gradient's norm before it was clipped."""
    parameters = [p for group in state.optimiser.param_groups for p in group["params"]]
    sum_gradients(parameters, peers)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad /= learned.tokens
    norm = clip_gradients(parameters, recipe.clip_norm)
    if not (math.isfinite(learned.loss) and math.isfinite(norm)):
        raise Diverged(
            f"step {state.step + 1} of {recipe.steps}: loss {learned.loss}, gradient norm {norm}"
        )
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    return norm


def _optimiser(trained: Mapping[str, nn.Module], recipe: Recipe, *, fused: bool) -> AdamW:
    groups = [
        {"params": list(trained[name].parameters()), "lr": rate}
        for name, rate in recipe.rates.items()
    ]
    return AdamW(groups, weight_decay=recipe.weight_decay, fused=fused)


def _set_rates(optimiser: Optimizer, recipe: Recipe, step: int) -> dict[str, float]:
    """The rates of `step` (0-based), by module."""
    factor = schedule(step, steps=recipe.steps, warmup=recipe.warmup)
    rates = {name: rate * factor for name, rate in recipe.rates.items()}
    for group, rate in zip(optimiser.param_groups, rates.values(), strict=True):
        group["lr"] = rate
    return rates
