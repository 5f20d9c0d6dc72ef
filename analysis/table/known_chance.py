"""What guessing scores on well-known benchmarks, for tables that do not say."""

from __future__ import annotations

from analysis.statistics.scores import Scores

# Shares right by guessing among the options that every question has, from the benchmarks' papers.
# Benchmarks whose questions differ in their number of options are left out.
KNOWN = {
    "commonsense_qa": 1 / 5,
    "copa": 1 / 2,
    "gpqa": 1 / 4,
    "hellaswag": 1 / 4,
    "mmlu": 1 / 4,
    "openbook_qa": 1 / 4,
    "piqa": 1 / 2,
    "winogrande": 1 / 2,
}


def known_chance(metric: str, scores: Scores) -> float | None:
    """Return what guessing scores, in the unit the scores are in; None where it is not known.

    Scores below 0 are centred on chance already, and above 100 they are no shares.

    Args:
        metric: the name of the metric, which has to be the benchmark's own.
        scores: all of its scores, not empty.
    """
    chance = KNOWN.get(metric.lower().replace("-", "_"))
    if chance is None or scores.min() < 0 or scores.max() > 100:
        return None
    return chance if scores.max() <= 1 else 100 * chance
