"""How often each kind of interval holds the truth, by simulation.

    .venv/bin/python tests/benchmarks/interval_coverage.py [--trials 2000] [--draws 1000]

Prints the table of docs/statistics.md. Every interval claims 95 %; the standard error of a share
near 95 % over 2,000 trials is half a point. Truths are known by construction: normal scores of
correlation r have R² = r squared, Spearman's 6/pi asin(r/2), decision accuracy 1/2 + asin(r)/pi.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.findings.axes import shared_interval
from analysis.statistics import bootstrap, weighted
from analysis.statistics.consistency import within_blocks
from analysis.statistics.intervals import Interval, fisher_interval, square_interval
from analysis.statistics.item_scores import collect, resample, scores_under
from analysis.statistics.noise import resample_seeds, seed_noise
from analysis.statistics.scores import Scores
from analysis.statistics.selection import regret, top_k_recall, top_k_regret
from analysis.statistics.selection_noise import selection_noise

PAPER = Path(__file__).parents[1] / "data" / "apollo_table14_15.csv"
R2, N = 0.938, 21


@dataclass(frozen=True)
class Coverage:
    """How often the interval of a statistic held its true value, and its mean width."""

    case: str
    interval: str
    statistic: str
    trials: int
    covered: float
    width: float


Trial = Callable[[np.random.Generator, int], dict[tuple[str, str], tuple[float, Interval | None]]]


def simulate(case: str, trial: Trial, *, trials: int, draws: int, seed: int) -> Iterator[Coverage]:
    """Repeat a trial, which returns (interval, statistic) -> (truth, interval); count the hits."""
    rng = np.random.default_rng(seed)
    hits: dict[tuple[str, str], list[tuple[bool, float]]] = {}
    for _ in range(trials):
        for name, (truth, interval) in trial(rng, draws).items():
            low, high = interval or (np.nan, np.nan)
            held = low - 1e-9 <= truth <= high + 1e-9
            hits.setdefault(name, []).append((held, high - low))
    for (interval, statistic), found in hits.items():
        held, width = np.array(found).T
        yield Coverage(case, interval, statistic, trials, held.mean(), float(np.nanmean(width)))


def correlated(rng: np.random.Generator, r: float, n: int) -> tuple[Scores, Scores]:
    """Draw n designs whose scores at two scales have correlation r."""
    small, own = rng.normal(size=(2, n))
    return small, r * small + np.sqrt(1 - r * r) * own


def normal_designs(r2: float, n: int) -> Trial:
    """Independent designs of normal scores: Fisher's and the bootstrap's intervals."""
    r = float(np.sqrt(r2))
    truths = {
        "r2": r2,
        "spearman": 6 / np.pi * np.arcsin(r / 2),
        "decision_accuracy": 0.5 + np.arcsin(r) / np.pi,
        "slope": r,
    }

    def trial(rng: np.random.Generator, draws: int):
        small, large = correlated(rng, r, n)
        fisher = fisher_interval(float(np.corrcoef(small, large)[0, 1]), n)
        plain = bootstrap.design_bootstrap(small, large, rng, draws)
        found = {("BCa over designs", name): (t, plain[name].ci) for name, t in truths.items()}
        squared = None if fisher is None else square_interval(fisher)
        return {("Fisher", "r2"): (r2, squared), **found}

    return trial


def crossed_designs(blocks: int, configurations: int) -> Trial:
    """Designs = blocks x configurations, half the variance from blocks, 3/10 configurations."""
    shares, correlations = np.array([0.5, 0.3, 0.2]), (0.97, 0.9, 0.8)
    truth = float(shares @ correlations) ** 2
    n = blocks * configurations
    block = np.repeat(np.arange(blocks), configurations)
    configuration = np.tile(np.arange(configurations), blocks)

    def trial(rng: np.random.Generator, draws: int):
        sizes, places = (blocks, configurations, n), (block, configuration, np.arange(n))
        small, large = np.zeros(n), np.zeros(n)
        for share, r, size, place in zip(shares, correlations, sizes, places, strict=True):
            part = correlated(rng, r, size)
            small += np.sqrt(share) * part[0][place]
            large += np.sqrt(share) * part[1][place]
        fisher = fisher_interval(float(np.corrcoef(small, large)[0, 1]), n)
        plain = bootstrap.design_bootstrap(small, large, rng, draws)["r2"].ci
        both = bootstrap.crossed_bootstrap(small, large, block, configuration, rng, draws)
        return {
            ("Fisher", "r2"): (truth, None if fisher is None else square_interval(fisher)),
            ("BCa over designs", "r2"): (truth, plain),
            ("crossed", "r2"): (truth, both["r2"].ci),
        }

    return trial


def noisy_designs(n: int, *, videos: int, seeds: int) -> Trial:
    """Scores from answers to shared items with several seeds: all parts of the nested bootstrap."""
    r = 0.95

    def draw(rng: np.random.Generator, designs: int):
        ability = np.stack(correlated(rng, r, designs), axis=1)
        hard = rng.normal(size=videos)
        # A design's knack for an item is the same at both scales, as far as size lets it be.
        knack = 0.5 * rng.normal(size=(designs, 1, 1, videos))
        runs = ability[:, :, None] + 0.15 * rng.normal(size=(designs, 2, seeds))
        chance = 1 / (1 + np.exp(hard - 0.7 * runs[..., None] - knack))
        return (rng.random((designs, 2, seeds, videos)) < chance).astype(float)

    big = np.random.default_rng(0)
    means = [draw(big, 1500).mean(axis=(2, 3)) for _ in range(20)]
    truth = float(np.mean([np.corrcoef(m.T)[0, 1] for m in means])) ** 2

    def trial(rng: np.random.Generator, draws: int):
        right = draw(rng, n)
        runs = 100 * right.mean(axis=3)
        cell = np.repeat(np.arange(2 * n), seeds)
        noise = seed_noise(runs.ravel(), cell, shape=(n, 2))
        assert noise is not None
        shares = right.mean(axis=2).reshape(2 * n, videos)
        each = np.arange(videos)
        items = collect(shares, each, np.zeros(videos, int), shape=(n, 2), unit=100.0)
        small, large = runs.mean(axis=2).T
        errors = resample_seeds(noise, rng, draws) + resample(items, rng, draws)
        errors -= scores_under(items, np.ones((1, videos)))
        pair = errors[..., 0], errors[..., 1]
        together = bootstrap.joint_bootstrap(small, large, pair, rng, draws)
        alone = bootstrap.design_bootstrap(small, large, rng, draws)
        return {
            ("BCa over designs", "r2"): (truth, alone["r2"].ci),
            ("all: designs, items, seeds", "r2"): (truth, together["r2"].ci),
        }

    return trial


def blocked_designs(blocks: int, size: int) -> Trial:
    """Designs in blocks of their own means: Fisher's interval of what is left within blocks."""
    block = np.repeat(np.arange(blocks), size)

    def trial(rng: np.random.Generator, draws: int):
        small, large = correlated(rng, float(np.sqrt(0.9)), block.size)
        shift = 5.0 * rng.normal(size=blocks)[block]
        within = within_blocks(small + shift, large - shift, block)
        squared = None if within.pearson_ci is None else square_interval(within.pearson_ci)
        return {("Fisher, within blocks", "r2"): (0.9, squared)}

    return trial


def chosen_designs(*, seeds: int, error: float) -> Trial:
    """The paper's 4B and 7B scores as truth, with noise of seeds: what choosing costs."""
    table = pd.read_csv(PAPER).pivot_table(
        index=["variant", "data_mixture"], columns="llm", values="average"
    )
    small, large = table["Qwen1.5-4B-Chat"].to_numpy(), table["Qwen2-7B-Instruct"].to_numpy()
    n, true = small.size, np.stack([small, large], axis=1)
    again = true + error / np.sqrt(seeds) * np.random.default_rng(0).normal(size=(20_000, n, 2))
    mean_r2 = float(np.mean(weighted.pearson(np.ones((1, n)), again[..., 0], again[..., 1]) ** 2))

    def trial(rng: np.random.Generator, draws: int):
        runs = true[..., None] + error * rng.normal(size=(n, 2, seeds))
        noise = seed_noise(runs.ravel(), np.repeat(np.arange(2 * n), seeds), shape=(n, 2))
        assert noise is not None
        seen = runs.mean(axis=2)
        errors = resample_seeds(noise, rng, draws)
        drawn = seen + errors
        spread = bootstrap.noise_bootstrap(seen[:, 0], seen[:, 1], (errors[..., 0], errors[..., 1]))
        found = selection_noise(drawn[..., 0], drawn[..., 1], [3], sources=("seeds",))
        name = "seeds, designs fixed"
        return {
            (name, "r2, mean over new seeds"): (mean_r2, spread["r2"].ci),
            (name, "regret"): (regret(seen[:, 0], large) or 0.0, found.regret_ci),
            (name, "regret, best of top 3"): (
                top_k_regret(seen[:, 0], large, 3) or 0.0,
                found.top_k_regret_ci["3"],
            ),
            (name, "top-3 recall"): (
                top_k_recall(seen[:, 0], large, 3) or 0.0,
                found.top_k_recall_ci["3"],
            ),
        }

    return trial


def matched_designs(n: int) -> Trial:
    """Decision accuracy over pairs that share designs: the jackknife over designs."""
    r = float(np.sqrt(0.7))
    truth = 0.5 + float(np.arcsin(r)) / np.pi

    def trial(rng: np.random.Generator, draws: int):
        small, large = correlated(rng, r, n)
        members = np.stack(np.triu_indices(n, k=1))
        orders = (np.sign(x[members[0]] - x[members[1]]) for x in (small, large))
        agreement = (1 + np.prod(list(orders), axis=0)) / 2
        interval = shared_interval(agreement, members)
        return {("jackknife over designs", "decision accuracy"): (truth, interval)}

    return trial


CASES: dict[str, Trial] = {
    f"{N} designs, R² {R2}": normal_designs(R2, N),
    f"{N} designs, R² 0.5": normal_designs(0.5, N),
    f"10 designs, R² {R2}": normal_designs(R2, 10),
    "3 blocks x 7 configurations": crossed_designs(3, 7),
    "6 blocks x 7 configurations": crossed_designs(6, 7),
    "3 blocks of 7 designs, R² within 0.9": blocked_designs(3, 7),
    f"{N} designs, 300 items, 3 seeds": noisy_designs(N, videos=300, seeds=3),
    "the paper's 4B-7B, 3 seeds, error 0.5": chosen_designs(seeds=3, error=0.5),
    "the paper's 4B-7B, 3 seeds, error 1.5": chosen_designs(seeds=3, error=1.5),
    "matched pairs of 8 designs, R² 0.7": matched_designs(8),
    "matched pairs of 21 designs, R² 0.7": matched_designs(21),
}


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--draws", type=int, default=1_000)
    options = parser.parse_args()
    print("| case | interval | statistic | covered | mean width |")
    print("|---|---|---|---|---|")
    for case, trial in CASES.items():
        for row in simulate(case, trial, trials=options.trials, draws=options.draws, seed=1):
            cells = (row.case, row.interval, row.statistic, f"{row.covered:.1%}")
            print(f"| {' | '.join(cells)} | {row.width:.3f} |", flush=True)


if __name__ == "__main__":
    main()
