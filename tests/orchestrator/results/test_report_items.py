"""`apollo report` with an item table beside the scores."""

import json
import sys
from pathlib import Path

import pytest

from orchestrator.cli import main

# What the figures stand on warns of its own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")

RIGHT = {"a": "110", "b": "100", "c": "000", "d": "111"}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Scores and items of four designs at two scales: three videos with one item each."""
    scores, items = ["design,scale,scale_size,seed,metric,score"], []
    for design, right in RIGHT.items():
        for size, scale in enumerate(("s", "l"), start=1):
            mean = 100 * sum(map(int, right)) / 3
            scores.append(f"{design},{scale},{size},0,b/video/overall,{mean}")
            items += [
                f"{design},{scale},0,b,video,v{i},i{i},ocr,{bit}" for i, bit in enumerate(right)
            ]
    head = "design,scale,seed,benchmark,regime,video,item,category,correct"
    (tmp_path / "scores.csv").write_text("\n".join(scores) + "\n")
    (tmp_path / "items.csv").write_text("\n".join([head, *items]) + "\n")
    return tmp_path / "scores.csv", tmp_path / "items.csv"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["apollo", "report", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_items_and_a_tie_band_reach_the_report(
    tables: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    words = ("--scores", tables[0], "--items", tables[1], "--tie-band", "40", "--out", out)
    assert run(monkeypatch, *words) == 0
    (pair,) = json.loads((out / "report.json").read_text())["pairs"]
    assert pair["noise"]["sources"] == {"small": ["items"], "large": ["items"]}
    assert pair["decision_accuracy"] == 1.0
    assert pair["decision_accuracy_banded"] == pytest.approx((3 * 1.0 + 3 * 0.5) / 6)


def test_a_sweep_brings_its_own_items_and_a_bad_item_table_exits_2(
    tables: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    out = tmp_path / "out"
    assert run(monkeypatch, "sweep.yaml", "--items", tables[1], "--out", out) == 2
    assert "--items goes with --scores" in capsys.readouterr().err
    assert run(monkeypatch, "--scores", tables[0], "--items", tables[0], "--out", out) == 2
    assert "no column 'benchmark'" in capsys.readouterr().err
    assert not out.exists()
