"""What selection rules are worth on real answers: 28 language models on MMLU-Pro.

    .venv/bin/python tests/benchmarks/curation.py --responses FILE [--splits 30] [--draws 5]

Prints the table of docs/benchmarks.md: 10 models choose, 18 judge; 293 and 50 of 12,002 items (41x
and 240x cheaper). FILE: a column `question_id`, `category` and one a model (TIGER-AI-Lab/MMLU-Pro,
eval_results); without it the 1,500 items of tests/data, at 5x and 30x.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.benchmarks.judging import Judged, judge_rules, random_splits
from analysis.benchmarks.responses import ResponseColumns, read_responses

SAMPLE = Path(__file__).parents[1] / "data" / "mmlupro_1500_items_28_models.csv.gz"


def main() -> None:
    """Judge every rule and print a row each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--responses", type=Path)
    parser.add_argument("--splits", type=int, default=30)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    responses = read_responses(given.responses or SAMPLE, ResponseColumns())
    items = len(responses.items)
    costs = [items / 293, items / 50] if items > 2930 else [5.0, 30.0]
    splits = list(
        random_splits(len(responses.models), fit=10, splits=given.splits, seed=given.seed)
    )
    rows = judge_rules(responses, {"random": splits}, costs, draws=given.draws, seed=given.seed)
    print("| items | rule | R² | less random's | won | close pairs | less random's | won | tau |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.items:.0f} | {row.rule} | {row.mean['r2']:.3f} | {_gain(row, 'r2')} |"
            f" {row.mean['close_pairs']:.3f} | {_gain(row, 'close_pairs')} |"
            f" {row.mean['kendall']:.3f} |"
        )


def _gain(row: Judged, measure: str) -> str:
    if row.rule == "random":
        return "|"
    gain, error, won = row.gain[measure], row.gain_error[measure], row.won[measure]
    assert gain is not None
    assert error is not None
    assert won is not None
    return f"{gain:+.4f} ± {error:.4f} | {100 * won:.0f} %"


if __name__ == "__main__":
    main()
