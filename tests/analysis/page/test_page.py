"""The page: every number in it is in report.json, and it stays readable for any table."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from score_tables import DCLM, OPTIONS, PAPER, write

from analysis.report import FileReport, report_on_file
from analysis.table.table import TableOptions


def numbers_of(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers_of(part)
    elif isinstance(value, int | float):
        yield float(value)


def read(report: FileReport) -> tuple[str, dict[str, list[dict]]]:
    page = report.paths.html.read_text(encoding="utf-8")
    return page, json.loads(report.paths.json.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dclm(tmp_path_factory: pytest.TempPathFactory) -> FileReport:
    options = TableOptions.parse(
        design="dataset", scale="size", score="Core,Core_v1,mmlu", seed="seed"
    )
    return report_on_file(DCLM, options, tmp_path_factory.mktemp("dclm"))


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> FileReport:
    return report_on_file(PAPER, OPTIONS, tmp_path_factory.mktemp("paper"))


def draw(folder: Path, *, designs: int, scales: int = 3, metrics: int = 1) -> FileReport:
    """A table of simulated scores, its metrics called m0, m1, ..."""
    rng = np.random.default_rng(0)
    names = [f"m{i}" for i in range(metrics)]
    rows = [
        ",".join([f"d{d}", f"s{s}", *(f"{d + rng.normal():.3f}" for _ in names)])
        for d in range(designs)
        for s in range(scales)
    ]
    path = write(folder, "\n".join([",".join(["design", "scale", *names]), *rows]) + "\n")
    options = TableOptions.parse(
        score=",".join(names), scale_order=",".join(f"s{s}" for s in range(scales))
    )
    return report_on_file(path, options, folder / "out")


@pytest.mark.parametrize("name", ["paper", "dclm"])
def test_every_number_of_the_tables_is_in_the_json(name: str, request: pytest.FixtureRequest):
    page, document = read(request.getfixturevalue(name))
    known = {
        text
        for value in set(numbers_of(document))
        for digits in range(5)
        for text in (f"{value:.{digits}f}", f"{100 * value:.{digits}f}")
    }
    cells = re.findall(r'<td class="n[^"]*"[^>]*>(.*?)</td>', page)
    shown = re.findall(r"[−+]?\d+(?:\.\d+)?", " ".join(re.sub(r"<.*?>", " ", c) for c in cells))
    assert len(shown) > 200
    wanted = {text.replace("−", "-").lstrip("+") for text in shown}
    assert {text for text in wanted if text not in known and f"-{text}" not in known} == set()


def test_a_metric_without_signal_is_greyed_wherever_it_stands(dclm: FileReport):
    page, document = read(dclm)
    mmlu = [pair for pair in document["pairs"] if pair["metric"] == "mmlu"]
    assert not any(pair["verdict_evidence"]["signal"] for pair in mmlu)
    rows = re.findall(r'<tr class="([^"]*)"><td class="design">(\w+)</td>', page)
    assert {metric for kind, metric in rows if kind == "quiet"} == {"mmlu"}
    assert {metric for kind, metric in rows if not kind} == {"Core", "Core_v1"}


def test_axes_come_before_all_designs_together(paper: FileReport):
    page, _ = read(paper)
    assert page.index('<p class="kind">Axis by axis') < page.index("All designs together")
    # The interval that knows of three mixtures stands beside Fisher's.
    assert "Believe the wide interval (of pairs ordered alike 53 % to 100 %)" in page


def test_an_unknown_noise_is_said_and_a_known_one_drawn(paper: FileReport, dclm: FileReport):
    assert "no design was run with two seeds and no items were given" in read(paper)[0]
    assert any("noise" in path.name for path in dclm.paths.figures)


def test_the_letters_of_all_figures_are_written_once(dclm: FileReport):
    page, _ = read(dclm)
    names = re.findall(r'<path id="(letter-[^"]*)"', page)
    assert len(names) == len(set(names))
    used = set(re.findall(r'href="#(letter-[^"]*)"', page))
    assert used == set(names)
    assert len(page) < 700_000


def test_twelve_metrics_get_fewer_figures_each_and_a_table_of_all(tmp_path: Path):
    report = draw(tmp_path, designs=6, metrics=12)
    page, _ = read(report)
    assert "All metrics at a glance" in page
    assert len(report.paths.figures) == 2 * 3 * 12
    assert page.count("<h2 id=") == 12


def test_two_hundred_designs_are_drawn_and_the_table_says_what_it_leaves_out(tmp_path: Path):
    report = draw(tmp_path, designs=200, scales=2)
    page, document = read(report)
    assert "140 more designs are in scores.csv" in page
    assert len(document["ranks"]) == 400


def test_four_designs_make_a_page(tmp_path: Path):
    page, _ = read(draw(tmp_path, designs=4))
    assert "only 4 designs" in page.lower()


def test_names_that_are_cut_stay_apart_and_markup_in_them_is_text(tmp_path: Path):
    long = "x" * 40
    names = [f"{long}{i}{long}<svg onload=1>" for i in range(6)]
    rows = [f"{n},{s},{i + k}" for i, n in enumerate(names) for k, s in enumerate("ab")]
    path = write(tmp_path, "design,scale,score\n" + "\n".join(rows) + "\n")
    report = report_on_file(path, TableOptions.parse(scale_order="a,b"), tmp_path / "out")
    assert "<svg onload" not in read(report)[0]
