"""How often intervals of effects, transfers, axes and knees hold the truth, and tests err.

    .venv/bin/python tests/benchmarks/effect_coverage.py [--trials 2000] [--draws 200]

Prints the two tables of docs/statistics-of-a-study.md, in the manner of `interval_coverage`.
Intervals claim 95 %; tests claim to find what is not there in 5 % of studies.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from interval_coverage import Trial, simulate

from analysis.findings.axes import Matched, shared_interval
from analysis.findings.axis_verdicts import axis_interval
from analysis.statistics.agreement import expected_decision_accuracy
from analysis.statistics.correlation_tests import dependent_z
from analysis.statistics.effect_transfer import effect_transfer
from analysis.statistics.effects import Variance, paired_effect, paired_seed_variance
from analysis.statistics.interaction import crossed_anova, nested_anova
from analysis.statistics.intervals import Z95
from analysis.statistics.plateau import find_plateau

Error = Callable[[np.random.Generator, int], dict[str, bool]]


def seeded_effect(designs: int, seeds: int) -> Trial:
    """One level against base; seeds move all designs by twice what they move each."""

    def trial(rng: np.random.Generator, _: int):
        runs = rng.normal(0, 2, (1, seeds)) + rng.normal(0, 1, (designs, seeds))
        noise = paired_seed_variance(runs)
        assert noise is not None
        variance = Variance(2 * noise.value / seeds, noise.freedom)
        found = paired_effect(np.array([runs[1].mean() - runs[0].mean()]), seeds=[variance])
        return {("t, paired seeds", "effect"): (0.0, found.ci)}

    return trial


def context_effect(contexts: int, items: int) -> Trial:
    """One level against base in several contexts, which share their items."""

    def trial(rng: np.random.Generator, _: int):
        shared = rng.normal(0, 1, items)
        apart = rng.normal(0, 1, (contexts, items)) + shared
        true = rng.normal(0, 0.1, contexts)
        psi = (apart - apart.mean(axis=1, keepdims=True)) / np.sqrt(items * (items - 1.0))
        found = paired_effect(true + apart.mean(axis=1), influence=psi)
        return {("t, contexts and items", "effect"): (0.0, found.ci)}

    return trial


def transfer(effects: int, noise: float) -> Trial:
    """Effects of standard deviation 1 that keep 0.8 of their size; both scales are noisy."""

    def trial(rng: np.random.Generator, _: int):
        true = rng.normal(0, 1, effects)
        small, large = (x + rng.normal(0, noise, effects) for x in (true, 0.8 * true))
        se = np.full(effects, noise)
        found = effect_transfer(small, large, small_se=se, large_se=se)
        return {("jackknife over effects", "Deming slope"): (0.8, found.slope_ci)}

    return trial


def axis(designs: int, r: float) -> Trial:
    """All pairs of designs of one axis; scores correlate with r."""
    truth = expected_decision_accuracy(r)

    def trial(rng: np.random.Generator, _: int):
        small = rng.normal(0, 1, designs)
        large = r * small + np.sqrt(1 - r * r) * rng.normal(0, 1, designs)
        members = np.stack(np.triu_indices(designs, k=1))
        orders = [np.sign(x[members[0]] - x[members[1]]) for x in (small, large)]
        agreement = (1 + orders[0] * orders[1]) / 2
        ci = shared_interval(agreement, members)
        matched = Matched("s", "l", agreement.size, designs, float(agreement.mean()), ci)
        return {("axis verdict's", "decision accuracy"): (truth, axis_interval(matched))}

    return trial


def knee(sizes: int, noise: float) -> Trial:
    """A rise of 10 points per tenfold that stops two thirds of the way along four of them."""

    def trial(rng: np.random.Generator, draws: int):
        x = np.linspace(3, 7, sizes)
        y = 10 * np.minimum(x, 5.6) + rng.normal(0, noise, sizes)
        found = find_plateau(10**x, y, rng=rng, draws=draws)
        ci = found.knee_ci and tuple(np.log10(found.knee_ci).tolist())
        return {("residual bootstrap", "knee, tenfolds"): (5.6, ci)}

    return trial


def still_growing(rng: np.random.Generator, draws: int) -> dict[str, bool]:
    """A rise that bends to a fifth of a wide margin more than standstill: never a plateau."""
    x = np.linspace(3, 7, 14)
    y = 10 * np.minimum(x, 5) + 3 * np.maximum(x - 5, 0) + rng.normal(0, 0.5, 14)
    return {"plateau declared": find_plateau(10**x, y, rng=rng, draws=draws).declared}


def no_interaction(rng: np.random.Generator, draws: int) -> dict[str, bool]:
    """Three scales, seven designs, three seeds; or 200 items of unequal noise."""
    scale, design, _ = (axis.ravel() for axis in np.indices((3, 7, 3)))
    scores = 5.0 * scale + design + rng.normal(0, 1, scale.size)
    by_seed = nested_anova(scores, scale, design, rng=rng, draws=draws)[2]
    noise = np.geomspace(0.5, 2, 21).reshape(3, 7, 1)
    by_item = crossed_anova(noise * rng.normal(0, 1, (3, 7, 200)), rng=rng, draws=draws)[2]
    return {
        "interaction by seeds, F": (by_seed.p or 1.0) <= 0.05,
        "interaction by seeds, permutation": (by_seed.p_permutation or 1.0) <= 0.05,
        "interaction by items of unequal noise, F": (by_item.p or 1.0) <= 0.05,
        "interaction by items of unequal noise, sign flips": (by_item.p_permutation or 1.0) <= 0.05,
    }


def equal_proxies(rng: np.random.Generator, _: int) -> dict[str, bool]:
    """Two proxies of 21 designs, both correlated .9 with the target and .85 with each other."""
    root = np.linalg.cholesky([[1, 0.9, 0.9], [0.9, 1, 0.85], [0.9, 0.85, 1]])
    r = np.atleast_2d(np.corrcoef(root @ rng.normal(size=(3, 21))))
    z = dependent_z(r[0, 1], r[0, 2], r[1, 2], 21)
    return {"a bigger proxy called better or worse": z is not None and abs(z) > Z95}


CASES: dict[str, Trial] = {
    "a level, 3 designs x 3 seeds": seeded_effect(3, 3),
    "a level, 21 designs x 3 seeds": seeded_effect(21, 3),
    "a level in 3 contexts, 300 items": context_effect(3, 300),
    "a level in 7 contexts, 300 items": context_effect(7, 300),
    "8 effects, noise 0.2": transfer(8, 0.2),
    "20 effects, noise 0.2": transfer(20, 0.2),
    "20 effects, noise 0.5": transfer(20, 0.5),
    "an axis of 6 designs, R² 0.5": axis(6, 0.5**0.5),
    "an axis of 6 designs, R² 0": axis(6, 0.0),
    "an axis of 12 designs, R² 0.9": axis(12, 0.9**0.5),
    "a knee in 12 sizes": knee(12, 0.5),
    "a knee in 20 sizes": knee(20, 0.5),
}
ERRORS: tuple[Error, ...] = (no_interaction, equal_proxies, still_growing)


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    print("| case | interval | statistic | covered | mean width |\n|---|---|---|---|---|")
    for case, trial in CASES.items():
        for row in simulate(case, trial, trials=options.trials, draws=options.draws, seed=1):
            cells = (row.case, row.interval, row.statistic, f"{row.covered:.1%}")
            print(f"| {' | '.join(cells)} | {row.width:.3f} |", flush=True)
    print("\n| where there is nothing to find | found |\n|---|---|")
    for error in ERRORS:
        rng = np.random.default_rng(1)
        found = [error(rng, options.draws) for _ in range(options.trials)]
        for name in found[0]:
            print(f"| {name} | {np.mean([f[name] for f in found]):.1%} |", flush=True)


if __name__ == "__main__":
    main()
