"""A curated benchmark and its evidence as files, each whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from analysis.benchmarks.curation import Blind, Curation, CurationOptions
from analysis.benchmarks.judging import CLOSE, MEASURES, Judged
from analysis.benchmarks.responses import Responses
from analysis.benchmarks.solvability import SURE
from analysis.errors import TableError
from analysis.figures.curation import draw_curation
from analysis.page.curation_page import render_curation
from analysis.written_folder import write_folder


def write_curation(
    responses: Responses,
    curation: Curation,
    options: CurationOptions,
    out_dir: Path,
    *,
    provenance: Mapping[str, object],
) -> Path:
    """Write benchmark.csv, benchmark.json, evidence.csv, curation.html, figures, evidence.json.

    Returns:
        The page's path.

    Raises:
        TableError: `out_dir` cannot be written.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise TableError(f"{out_dir}: is a file; give a folder for the benchmark.")
    own = [row for row in curation.judged if row.kind == "random"]
    pictures = draw_curation(own)
    page = render_curation(responses, curation, options, pictures, provenance=provenance)
    files: dict[str, bytes] = {}
    for picture in pictures:
        files[f"figures/{picture.name}.png"] = picture.png
        files[f"figures/{picture.name}.svg"] = picture.svg
    chosen = curation.benchmark
    rows = zip(chosen.items, chosen.categories, chosen.item_seconds, strict=True)
    files["benchmark.csv"] = _csv(("item", "category", "seconds"), rows)
    files["benchmark.json"] = _json(asdict(chosen) | {"provenance": dict(provenance)})
    files["evidence.csv"] = _evidence(curation.judged)
    if curation.blind:
        files["solvability.csv"] = _solvability(responses, curation.blind)
    files["curation.html"] = page.encode()
    document = {
        "judged": [asdict(row) for row in curation.judged],
        "close": CLOSE,
        "fit": curation.fit,
        "options": asdict(options),
        "balance": [list(row) for row in curation.balance],
        "solvability": [
            {k: v for k, v in vars(each).items() if k != "items"} | {"sure": SURE}
            for each in curation.blind
        ],
        "version": chosen.version,
        "warnings": list(curation.warnings),
        "provenance": dict(provenance),
        "figures": [name for name in files if name.startswith("figures/")],
    }
    files["evidence.json"] = _json(document)
    write_folder(out_dir, files, document="evidence.json")
    return out_dir / "curation.html"


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _evidence(judged: Sequence[Judged]) -> bytes:
    parts = ("mean", "error", "gain", "gain_error", "won")
    header = ["kind", "rule", "cheaper", "items", "seconds", "splits"]
    names = [f"{measure}_{part}" for measure in MEASURES for part in parts]
    rows = [
        [row.kind, row.rule, row.cheaper, row.items, row.seconds, row.splits]
        + [getattr(row, part)[measure] for measure in MEASURES for part in parts]
        for row in judged
    ]
    return _csv([*header, *names], rows)


def _solvability(responses: Responses, blind: Sequence[Blind]) -> bytes:
    rows = [
        [each.regime, item, category, mean, low, high, probability]
        for each in blind
        for item, category, mean, low, high, probability in zip(
            responses.items,
            responses.categories,
            each.items.mean,
            each.items.low,
            each.items.high,
            each.items.probability,
            strict=True,
        )
    ]
    header = ("regime", "item", "category", "solvability", "low", "high", "probability")
    return _csv(header, rows)
