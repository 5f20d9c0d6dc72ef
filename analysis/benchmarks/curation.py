"""Curate a benchmark: drop what needs no video, judge the selection rules, choose the items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.item_traits import fit_traits
from analysis.benchmarks.judging import (
    FEWEST_ITEMS,
    Judged,
    Split,
    calibration,
    judge_rules,
    random_splits,
    scale_splits,
    upward_split,
)
from analysis.benchmarks.responses import Responses
from analysis.benchmarks.selection_rules import RULES
from analysis.benchmarks.solvability import Solvability, lucky_majority, solvability
from analysis.errors import TableError

COSTS = (5.0, 10.0, 20.0, 41.0, 100.0, 240.0)
# Three models on either side: with fewer, a correlation says nothing.
FEWEST_MODELS = 6
_NEEDED = 3


@dataclass(frozen=True)
class CurationOptions:
    """What to choose and how to judge it.

    Attributes:
        rule: one of `RULES`; chooses the benchmark that is written.
        cheaper, budget: what it may cost, as a share of all items' seconds, or in seconds.
        fit: models that choose items in a split; None = ten in twenty-eight of those there are.
        splits, draws, seed: random splits, draws of a rule in each, and the stream of both.
        costs: how many times cheaper the judged subsets are.
        keep_solvable: choose also among items that are solved without video.
    """

    rule: str = "spread"
    cheaper: float = 41.0
    budget: float | None = None
    fit: int | None = None
    splits: int = 30
    draws: int = 3
    seed: int = 0
    costs: tuple[float, ...] = COSTS
    keep_solvable: bool = False


@dataclass(frozen=True)
class Blind:
    """Solvability of all items in one regime without video."""

    regime: str
    models: int
    unknown_guess: int
    solvable: int
    majority: int
    lucky: float
    items: Solvability


@dataclass(frozen=True)
class Benchmark:
    """The chosen items; `version` is a hash of items and categories, whatever chose them."""

    version: str
    rule: str
    items: tuple[str, ...]
    categories: tuple[str, ...]
    item_seconds: tuple[float, ...]
    seconds: float
    all_seconds: float
    calibration: tuple[float, float]


@dataclass(frozen=True)
class Curation:
    """Everything that the files say."""

    benchmark: Benchmark
    judged: tuple[Judged, ...]
    blind: tuple[Blind, ...]
    balance: tuple[tuple[str, int, int], ...]
    fit: int
    warnings: tuple[str, ...]


def curate(responses: Responses, options: CurationOptions) -> Curation:
    """Choose a benchmark from responses, with the evidence for every rule and cost.

    Raises:
        TableError: an option cannot be met, or there are too few models to hold some out.
    """
    _check(responses, options)
    blind = tuple(_blind(regime, responses) for regime in responses.blind)
    dropped = np.zeros(len(responses.items), dtype=bool)
    if not options.keep_solvable:
        for each in blind:
            dropped |= each.items.solvable
    kept = responses.without(dropped)
    total = float(kept.seconds.sum())
    budget = options.budget if options.budget is not None else total / options.cheaper
    if budget >= total:
        raise TableError(
            f"the budget of {budget:g} s pays all {len(kept.items)} items ({total:g} s); there is"
            " nothing to choose. Give a smaller --budget, or --cheaper above 1."
        )
    fit = options.fit or max(_NEEDED, round(len(kept.models) * 10 / 28))
    costs = _affordable(kept, options.costs)
    kinds = _kinds(kept, fit, options)
    judged = judge_rules(kept, kinds, costs, draws=options.draws, seed=options.seed)
    chosen, line = _choose(kept, options, budget)
    names, sizes = np.unique(kept.categories, return_counts=True)
    balance = tuple(
        (str(name), int(size), int((kept.categories[chosen] == name).sum()))
        for name, size in zip(names, sizes, strict=True)
    )
    benchmark = _benchmark(kept, chosen, line, options.rule)
    warnings = (*responses.warnings, *_alike(kept))
    return Curation(benchmark, tuple(judged), blind, balance, fit, warnings)


def _alike(responses: Responses) -> tuple[str, ...]:
    scores = responses.right.mean(axis=0)
    if np.ptp(scores) > 1e-12:
        return ()
    return (
        f"all {len(scores)} models have the same score on these items ({scores[0]:.1%}): nothing"
        " can be said of which items order models, and any choice is as good",
    )


def _check(responses: Responses, options: CurationOptions) -> None:
    models = len(responses.models)
    if models < FEWEST_MODELS:
        raise TableError(
            f"responses of {models} models; at least {FEWEST_MODELS} are needed: some choose the"
            " items, others judge the choice."
        )
    if options.rule not in RULES:
        raise TableError(f"--rule: no rule {options.rule!r}. Known: {', '.join(RULES)}.")
    if options.fit is not None and not _NEEDED <= options.fit <= models - _NEEDED:
        raise TableError(
            f"--fit: {options.fit} of {models} models; give {_NEEDED} to {models - _NEEDED}, so"
            f" that {_NEEDED} or more are left on either side."
        )
    if options.splits < 2 or options.draws < 1 or options.seed < 0:
        raise TableError("--splits must be 2 or more, --draws 1 or more, --seed 0 or more.")
    if wrong := [cost for cost in options.costs if not 1 < cost < np.inf]:
        raise TableError(f"--costs: {wrong[0]:g} must be above 1: how many times cheaper.")
    if not options.cheaper > 1:
        raise TableError(f"--cheaper: {options.cheaper:g} must be above 1.")
    if options.budget is not None and not options.budget >= responses.seconds.min():
        raise TableError(
            f"--budget: {options.budget:g} pays no item; the cheapest takes"
            f" {responses.seconds.min():g} s."
        )


def _affordable(responses: Responses, costs: Sequence[float]) -> list[float]:
    """Costs that leave enough items to be judged."""
    left = [cost for cost in costs if len(responses.items) / cost >= FEWEST_ITEMS]
    if not left:
        raise TableError(
            f"--costs: {len(responses.items)} items leave fewer than {FEWEST_ITEMS} at every cost"
            " named; give smaller ones, above 1."
        )
    return left


def _kinds(
    responses: Responses, fit: int, options: CurationOptions
) -> Mapping[str, Sequence[Split]]:
    splits = random_splits(len(responses.models), fit=fit, splits=options.splits, seed=options.seed)
    kinds: dict[str, Sequence[Split]] = {"random": list(splits)}
    for split in (upward_split(responses), *scale_splits(responses)):
        kinds[split.name] = [split]
    return kinds


def _blind(regime: str, responses: Responses) -> Blind:
    right = responses.blind[regime]
    found = solvability(right, responses.guess)
    known = np.isfinite(responses.guess)
    asked = np.isfinite(right).sum(axis=1)
    models = int(np.median(asked))
    majority = np.nansum(right, axis=1) > asked / 2
    pairs = zip(asked[known], responses.guess[known], strict=True)
    lucky = [lucky_majority(int(n), g) for n, g in pairs]
    return Blind(
        regime=regime,
        models=models,
        unknown_guess=int((~known).sum()),
        solvable=int(found.solvable.sum()),
        majority=int(majority.sum()),
        lucky=float(np.sum(lucky)),
        items=found,
    )


def _choose(
    responses: Responses, options: CurationOptions, budget: float
) -> tuple[NDArray[np.intp], tuple[float, float]]:
    """Choose with every model's answers: what is judged on some is then built from all."""
    category = np.unique(responses.categories, return_inverse=True)[1].astype(np.intp)
    traits = fit_traits(responses.right, category, responses.seconds)
    chosen = np.sort(RULES[options.rule](traits, budget, np.random.default_rng(options.seed)))
    if len(chosen) < 2:
        raise TableError(
            f"the budget of {budget:g} s pays {len(chosen)} item by rule {options.rule!r}; give"
            " more --budget or a smaller --cheaper."
        )
    return chosen, calibration(traits, chosen)


def _benchmark(
    responses: Responses, chosen: NDArray[np.intp], line: tuple[float, float], rule: str
) -> Benchmark:
    items = tuple(responses.items[place] for place in chosen)
    categories = tuple(str(responses.categories[place]) for place in chosen)
    text = json.dumps(sorted(zip(items, categories, strict=True)), ensure_ascii=False)
    return Benchmark(
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        rule=rule,
        items=items,
        categories=categories,
        item_seconds=tuple(float(s) for s in responses.seconds[chosen]),
        seconds=float(responses.seconds[chosen].sum()),
        all_seconds=float(responses.seconds.sum()),
        calibration=line,
    )
