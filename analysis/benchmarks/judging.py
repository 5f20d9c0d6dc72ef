"""How well a subset of items stands for all of them, on models that did not choose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.item_traits import ItemTraits, fit_traits
from analysis.benchmarks.responses import Responses
from analysis.benchmarks.selection_rules import RULES
from analysis.statistics.consistency import kendall, pearson
from analysis.statistics.scores import Scores

# Models whose full scores differ by less are close: the pairs that benchmarks are bought for.
CLOSE = 0.05
# What is measured of a subset; `level_error` is better when lower.
MEASURES = ("r2", "close_pairs", "kendall", "level_error")
CONTROL = "random"
# Fewer items tell nothing of 18 models; costs that leave fewer are not tried.
FEWEST_ITEMS = 10


@dataclass(frozen=True)
class Split:
    """Places of the models that choose items and of those that judge the choice."""

    fit: NDArray[np.intp]
    judged: NDArray[np.intp]
    name: str = "random"


@dataclass(frozen=True)
class Judged:
    """One rule at one cost, over splits.

    Attributes:
        mean, error: of each measure; the error is the standard error over splits. Splits share
            models, so it speaks of splits of these models, not of other models.
        gain, gain_error, won: paired difference from `random` on the same splits, oriented so that
            above 0 is better, its standard error, and the share of splits that won (ties 1/2).
        items, seconds: what was chosen, mean over splits.
    """

    kind: str
    rule: str
    cheaper: float
    items: float
    seconds: float
    splits: int
    mean: Mapping[str, float | None]
    error: Mapping[str, float | None]
    gain: Mapping[str, float | None]
    gain_error: Mapping[str, float | None]
    won: Mapping[str, float | None]


def random_splits(models: int, *, fit: int, splits: int, seed: int) -> Iterator[Split]:
    """Split models at random, `fit` to choose items and the rest to judge."""
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        order = rng.permutation(models)
        yield Split(np.sort(order[:fit]), np.sort(order[fit:]))


def upward_split(responses: Responses) -> Split:
    """The weaker half of the models chooses, the stronger half judges: as with models to come."""
    order = np.argsort(responses.right.mean(axis=0), kind="stable")
    half = len(order) // 2
    return Split(np.sort(order[:half]), np.sort(order[half:]), "weaker to stronger")


def scale_splits(responses: Responses) -> Iterator[Split]:
    """Hold out each scale in turn, where the table has scales of three models or more."""
    scales = np.array(responses.scales)
    for scale in dict.fromkeys(responses.scales):
        judged = np.flatnonzero(scales == scale)
        if scale and len(judged) >= 3 and len(scales) - len(judged) >= 3:
            yield Split(np.flatnonzero(scales != scale), judged, f"scale {scale} held out")


def judge(subset: Scores, full: Scores, line: tuple[float, float]) -> Scores:
    """Measure subset scores against full scores, in the order of `MEASURES`.

    Close-pair accuracy is over pairs of models whose full scores differ, by less than `CLOSE`; a
    pair that ties in the subset counts one half. Level error is the mean distance of the
    calibrated score from the full one.

    Args:
        subset, full: scores of the judged models, shape (models,).
        line: intercept and slope that calibrate, from the models that chose.
    """
    r = pearson(subset, full)
    tau = kendall(subset, full)
    first, second = np.triu_indices(len(full), 1)
    true, seen = full[first] - full[second], subset[first] - subset[second]
    close = (np.abs(true) < CLOSE) & (true != 0)
    # Sums of many answers differ in the last bits where they tie.
    agreed = np.where(np.abs(seen) < 1e-9, 0.5, np.sign(seen) == np.sign(true))
    calibrated = line[0] + line[1] * subset
    return np.array(
        [
            np.nan if r is None else r**2,
            agreed[close].mean() if close.any() else np.nan,
            np.nan if tau is None else tau,
            np.abs(calibrated - full).mean(),
        ]
    )


def calibration(traits: ItemTraits, chosen: NDArray[np.intp]) -> tuple[float, float]:
    r"""Intercept and slope of the line from subset scores to full scores.

    A model z standard deviations above the mean is expected at $\bar p + \bar\lambda z$, over all
    items as over the chosen ones; z eliminated, that is a line. Difficulties and slopes are the
    shrunken ones: the line through the fitted models' own scores would be too flat, for items are
    chosen where luck made those models look far apart.
    """
    slope = float(traits.slope[chosen].mean())
    ratio = float(traits.slope.mean()) / slope if slope > 0 else 1.0
    return float(traits.difficulty.mean() - ratio * traits.difficulty[chosen].mean()), ratio


def judge_rules(
    responses: Responses,
    kinds: Mapping[str, Sequence[Split]],
    costs: Sequence[float],
    *,
    draws: int = 3,
    seed: int = 0,
    rules: Sequence[str] = tuple(RULES),
) -> list[Judged]:
    """Judge every rule at every cost on every split; draws of a rule are averaged in a split.

    Args:
        kinds: name -> its splits; each is summed up by itself.
        costs: how many times cheaper than all items, in seconds.
        draws: how often a rule, all of which draw or break ties by chance, is repeated.
    """
    found: list[Judged] = []
    for kind, splits in kinds.items():
        measured: dict[tuple[str, float], list[Scores]] = {}
        for at, split in enumerate(splits):
            for key, row in _measure_split(responses, split, rules, costs, draws, (seed, at)):
                measured.setdefault(key, []).append(row)
        for (rule, cost), rows in measured.items():
            control = np.array(measured[(CONTROL, cost)])
            found.append(_summed(kind, rule, cost, np.array(rows), control))
    return found


def _measure_split(
    responses: Responses,
    split: Split,
    rules: Sequence[str],
    costs: Sequence[float],
    draws: int,
    seed: tuple[int, int],
) -> Iterator[tuple[tuple[str, float], Scores]]:
    """Yield the measures of every rule and cost on one split, then items and seconds chosen."""
    category = np.unique(responses.categories, return_inverse=True)[1].astype(np.intp)
    fitted, held = responses.right[:, split.fit], responses.right[:, split.judged]
    traits = fit_traits(fitted, category, responses.seconds)
    full = held.mean(axis=0)
    total = float(responses.seconds.sum())
    for cost in costs:
        for rule in rules:
            rows: list[Scores] = []
            for draw in range(draws):
                # Of rule and cost as well, so that a rule's result needs no other rule's.
                rng = np.random.default_rng([*seed, draw, *rule.encode(), round(1000 * cost)])
                chosen = RULES[rule](traits, total / cost, rng)
                part = held[chosen].mean(axis=0)
                spent = float(responses.seconds[chosen].sum())
                rows.append(
                    np.array([*judge(part, full, calibration(traits, chosen)), len(chosen), spent])
                )
            yield (rule, cost), np.mean(rows, axis=0)


def _summed(kind: str, rule: str, cost: float, rows: Scores, control: Scores) -> Judged:
    """Mean, standard error and paired difference from the control, NaN splits left out."""
    sign = np.array([1.0, 1.0, 1.0, -1.0])
    values = rows[:, : len(MEASURES)]
    gains = sign * (values - control[:, : len(MEASURES)])
    won = np.where(np.isfinite(gains), np.where(gains == 0, 0.5, gains > 0), np.nan)
    return Judged(
        kind=kind,
        rule=rule,
        cheaper=cost,
        items=float(rows[:, -2].mean()),
        seconds=float(rows[:, -1].mean()),
        splits=len(rows),
        mean=_named(values, np.mean),
        error=_named(values, _standard_error),
        gain=_named(gains, np.mean),
        gain_error=_named(gains, _standard_error),
        won=_named(won, np.mean),
    )


def _named(columns: Scores, of: Callable[[Scores], float]) -> dict[str, float | None]:
    named: dict[str, float | None] = {}
    for name, column in zip(MEASURES, columns.T, strict=True):
        known = column[np.isfinite(column)]
        value = float(of(known)) if len(known) else np.nan
        named[name] = value if np.isfinite(value) else None
    return named


def _standard_error(values: Scores) -> float:
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))
