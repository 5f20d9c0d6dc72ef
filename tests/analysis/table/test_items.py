"""Item tables as people bring them, and what a report makes of them."""

# pandas annotates what it returns as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import TableError
from analysis.report import report_on_file
from analysis.table.item_table import load_items
from analysis.table.table import ScoreTable, TableOptions, load_table

DESIGNS, SCALES, CATEGORIES = [f"d{i}" for i in range(6)], ("s", "l"), ("ocr", "motion")


def answers(videos: int = 30, seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    """Answers of 6 designs at 2 scales with 2 seeds to 2 items of each video."""
    rng = np.random.default_rng(0)
    hard = rng.normal(size=videos)
    return pd.DataFrame(
        {
            "design": design,
            "scale": scale,
            "seed": seed,
            "benchmark": "b",
            "regime": "video",
            "video": f"v{video}",
            "item": item,
            "category": CATEGORIES[(video + item) % 2],
            "correct": int(rng.random() < 1 / (1 + np.exp(hard[video] - place / 2))),
        }
        for place, design in enumerate(DESIGNS)
        for scale in SCALES
        for seed in seeds
        for video in range(videos)
        for item in range(2)
    )


def scores_of(items: pd.DataFrame) -> pd.DataFrame:
    cell = ["design", "scale", "seed"]
    parts = items.groupby([*cell, "category"])["correct"].mean().mul(100).reset_index(name="score")
    overall = parts.groupby(cell)["score"].mean().reset_index().assign(category="overall")
    both = pd.concat([parts, overall])
    return both.assign(
        metric="b/video/" + both["category"], scale_size=both["scale"].map({"s": 1, "l": 2})
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    items = answers()
    items.to_csv(tmp_path / "items.csv", index=False)
    scores_of(items).to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path


def table_of(folder: Path) -> ScoreTable:
    return load_table(folder / "scores.csv", TableOptions())


def test_items_give_the_scores_again_and_tell_of_noise_in_the_report(folder: Path):
    report = report_on_file(
        folder / "scores.csv", TableOptions(), folder / "out", items=folder / "items.csv"
    )
    document = json.loads(report.paths.json.read_text(encoding="utf-8"))
    (pair,) = [p for p in document["pairs"] if p["metric"] == "b/video/overall"]
    assert pair["noise"]["sources"] == {"small": ["seeds", "items"], "large": ["seeds", "items"]}
    assert set(pair["resampling"]["parts"]) == {"designs", "seeds", "items", "all"}
    assert pair["resampling"]["selection"]["sources"] == ["seeds", "items"]
    assert (pair["held_out"]["of"], pair["held_out"]["parts"]) == ("videos", 30)
    errors = [e for e in document["cell_errors"] if e["metric"] == "b/video/overall"]
    assert len(errors) == 12
    assert all(0 < e["se_items"] < e["se"] for e in errors)
    assert "metrics covered: 3" in document["provenance"]["items"]


def test_a_compressed_table_and_one_of_parquet_read_as_plain_csv_does(folder: Path):
    table = table_of(folder)
    plain = load_items(folder / "items.csv", TableOptions(), table)
    with gzip.open(folder / "items.csv.gz", "wb") as file:
        file.write((folder / "items.csv").read_bytes())
    answers().to_parquet(folder / "items.parquet")
    for name in ("items.csv.gz", "items.parquet"):
        again = load_items(folder / name, TableOptions(), table)
        first, second = plain.metrics["b/video/ocr"], again.metrics["b/video/ocr"]
        np.testing.assert_array_equal(first.categories[0].right, second.categories[0].right)
        assert again.warnings == ()


def test_the_order_of_items_is_irrelevant(folder: Path):
    options, table = TableOptions(), table_of(folder)
    answers().sample(frac=1.0, random_state=1).to_csv(folder / "mixed.csv", index=False)
    first = load_items(folder / "items.csv", options, table).metrics["b/video/overall"]
    second = load_items(folder / "mixed.csv", options, table).metrics["b/video/overall"]
    for a in first.categories:
        assert any(np.array_equal(a.right, b.right) for b in second.categories)


def test_scores_that_the_items_do_not_give_again_are_said_and_not_used(folder: Path):
    scores = pd.read_csv(folder / "scores.csv")
    scores["score"] = np.where(scores["metric"] == "b/video/ocr", 50.0, scores["score"])
    scores.to_csv(folder / "scores.csv", index=False)
    found = load_items(folder / "items.csv", TableOptions(), table_of(folder))
    assert set(found.metrics) == {"b/video/motion", "b/video/overall"}
    assert any("does not give the scores of b/video/ocr again" in w for w in found.warnings)


def test_one_video_tells_nothing_of_others_and_that_is_said(folder: Path):
    items = answers(videos=1)
    items.to_csv(folder / "items.csv", index=False)
    scores_of(items).to_csv(folder / "scores.csv", index=False)
    found = load_items(folder / "items.csv", TableOptions(), table_of(folder))
    assert found.metrics == {}
    assert any("b/video/overall has one video" in w for w in found.warnings)


def test_rows_of_other_designs_are_counted_and_named(folder: Path):
    items = answers()
    items.loc[items["design"] == "d5", "design"] = "other"
    items.to_csv(folder / "items.csv", index=False)
    found = load_items(folder / "items.csv", TableOptions(), table_of(folder))
    assert any(
        "240 rows are of designs or scales that the score table" in w for w in found.warnings
    )
    assert np.isnan(found.metrics["b/video/overall"].categories[0].right).sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": "yes"}, "item table, row 2: 'correct' holds 'yes'"),
        ({"item": 1}, "item table, rows 2 and 3: the same answer twice"),
        ({"category": "other"}, "has two categories"),
    ],
)
def test_a_bad_item_table_gets_one_clear_message(
    folder: Path, change: dict[str, object], message: str
):
    items = answers().astype(object)
    for column, value in change.items():
        items.loc[0, column] = value
    items.to_csv(folder / "items.csv", index=False)
    with pytest.raises(TableError, match=message):
        load_items(folder / "items.csv", TableOptions(), table_of(folder))


def test_a_missing_column_is_named(folder: Path):
    answers().drop(columns="correct").to_csv(folder / "items.csv", index=False)
    with pytest.raises(TableError, match=r"no column 'correct'.*--items"):
        load_items(folder / "items.csv", TableOptions(), table_of(folder))
