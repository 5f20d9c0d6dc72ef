"""The evidence behind a curated benchmark as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.benchmarks.curation import Curation, CurationOptions
from analysis.benchmarks.judging import CLOSE, CONTROL, Judged
from analysis.benchmarks.responses import Responses
from analysis.benchmarks.solvability import SURE
from analysis.figures.style import Picture
from analysis.findings.sentences import number
from analysis.page.rendering import render

MOST_CATEGORIES = 60


def render_curation(
    responses: Responses,
    curation: Curation,
    options: CurationOptions,
    pictures: Sequence[Picture],
    *,
    provenance: Mapping[str, object],
) -> str:
    """Render the page; what it shows is in evidence.json and benchmark.json too."""
    rows = [row for row in curation.judged if row.kind == "random"]
    return render(
        "curation.html",
        title=f"Benchmark {curation.benchmark.version}",
        filters={"gained": gained},
        values={
            "responses": responses,
            "options": options,
            "chosen": curation.benchmark,
            "curation": curation,
            "by_cost": {cost: [r for r in rows if r.cheaper == cost] for cost in _costs(rows)},
            "others": [row for row in curation.judged if row.kind != "random"],
            "verdict": verdict(rows, curation.benchmark.rule),
            "close": 100 * CLOSE,
            "sure": SURE,
            "most": MOST_CATEGORIES,
            "pictures": pictures,
            "provenance": provenance,
        },
    )


def verdict(rows: Sequence[Judged], rule: str) -> str:
    """Say where the rule surely beats random items and where it surely loses (two errors)."""
    if rule == CONTROL:
        return "Items were chosen at random: the control itself."
    words = {"r2": "R²", "close_pairs": "close pairs"}
    said: list[str] = []
    for measure, name in words.items():
        won, lost = [], []
        for row in rows:
            gain, error = row.gain[measure], row.gain_error[measure]
            if row.rule != rule or gain is None or error is None:
                continue
            if gain > 2 * error:
                won.append(f"{row.cheaper:g}×")
            elif gain < -2 * error:
                lost.append(f"{row.cheaper:g}×")
        said.append(
            f"in {name} it is better at {', '.join(won) or 'none of these costs'}"
            + (f", worse at {', '.join(lost)}" if lost else "")
        )
    return (
        f"Against random items on the same splits, beyond two standard errors: {'; '.join(said)};"
        " elsewhere the two cannot be told apart."
    )


def gained(row: Judged, measure: str, digits: int = 3) -> str:
    """Write a paired gain with its error, as `+0.012 ± 0.004`; a dash where there is none."""
    gain, error = row.gain[measure], row.gain_error[measure]
    if row.rule == CONTROL or gain is None:
        return "–"
    text = f"{'+' if gain > 0 else ''}{number(gain, digits)}"
    return text if error is None else f"{text} ± {number(error, digits)}"


def _costs(rows: Sequence[Judged]) -> list[float]:
    return sorted({row.cheaper for row in rows})
