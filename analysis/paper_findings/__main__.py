"""Write the page of findings from folders of reports: see `--help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.errors import TableError
from analysis.paper_findings.by_data_size import AtSize, r2_by_data_size
from analysis.paper_findings.claims import CLAIMS, STUDY
from analysis.paper_findings.page import findings_page
from analysis.paper_findings.shown import Report, proxies, read_report

# With its seeds the study says the same with smaller errors.
_WITH_SEEDS = f"{STUDY}_seeds"
_SAMPLES = "micro_samples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read what there is and write the page; exit code 2 where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m analysis.paper_findings", description=__doc__)
    parser.add_argument("results", type=Path, help="a folder of reports, one folder a study")
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.add_argument("--metric", default="microbench/video/overall", help="of every report")
    told = parser.parse_args(arguments)
    try:
        text = page_of(told.results, told.metric)
    except TableError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command line's own output
        return 2
    told.page.write_text(text, encoding="utf-8")
    return 0


def page_of(results: Path, metric: str) -> str:
    """The page, from every study that has its folder below `results`.

    `about.md` and `by_construction.json` (axis -> sentence) stand beside the folders.

    Raises:
        TableError: a report cannot be read, or the main study has none.
    """
    names = {contrast.study for claim in CLAIMS for contrast in claim.contrasts}
    reports: dict[str, Report] = {
        name: read_report(results / name) for name in sorted(names) if (results / name).is_dir()
    }
    if (results / _WITH_SEEDS).is_dir():
        reports[STUDY] = read_report(results / _WITH_SEEDS)
    if STUDY not in reports:
        raise TableError(f"{results}: no folder {STUDY}, the study that most findings are about.")
    about, forced = results / "about.md", results / "by_construction.json"
    return findings_page(
        reports,
        metric,
        proxies=proxies(reports[STUDY], metric),
        by_data_size=_by_data_size(results / _SAMPLES, metric),
        by_construction=_sentences(forced),
        about=about.read_text(encoding="utf-8").strip() if about.exists() else "",
    )


def _by_data_size(folder: Path, metric: str) -> list[AtSize]:
    scores = folder / "scores.csv"
    return r2_by_data_size(scores, metric, "samples") if scores.exists() else []


def _sentences(path: Path) -> Mapping[str, str]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TableError(f"{path}: not JSON ({error})") from error


if __name__ == "__main__":
    raise SystemExit(main())
