"""The written audit: whole, self-contained, honest about what is missing, clear about bad input."""

# pandas annotates what it returns as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_worlds import SEES, answers

from analysis.benchmarks.audit_report import AuditReport, audit_files
from analysis.errors import TableError
from analysis.table.options import TableOptions


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def read_json(report: AuditReport) -> dict:
    return json.loads(report.json.read_text(encoding="utf-8"), parse_constant=refuse)


def audited(table: pd.DataFrame, folder: Path, **options: str) -> AuditReport:
    table.to_csv(folder / "items.csv", index=False)
    return audit_files([folder / "items.csv"], TableOptions.parse(**options), folder / "out")


def small(seed: int = 0, **options) -> pd.DataFrame:
    ability = options.pop("ability", np.linspace(-1, 1, 5))
    return answers(np.random.default_rng(seed), ability=ability, videos=12, **options)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    folder = tmp_path_factory.mktemp("audit")
    return audited(pd.concat([small(), small(1, benchmark="<b>&other")]), folder)


def test_an_audit_leaves_page_json_tables_and_both_halves_of_the_picture(report: AuditReport):
    folder = report.html.parent
    document = read_json(report)
    assert {p.name for p in folder.iterdir()} == {
        "audit.html",
        "audit.json",
        "figures",
        *(f"{name}.csv" for name in ("accuracy", "gaps", "text_shares", "redundancy", "copies")),
        "letters.csv",
        "items.csv",
    }
    drawn = sorted(p.relative_to(folder).as_posix() for p in folder.glob("figures/*"))
    assert drawn == document["figures"]
    assert {"figures/regimes.png", "figures/redundancy-0.svg"} <= set(drawn)
    gaps = pd.read_csv(folder / "gaps.csv")
    assert len(gaps) == len(document["gaps"]) == 2 * 4 * 6
    assert {"gap.ci.low", "gap.ci_models.high", "gap.p", "p_holm", "verdict"} <= set(gaps.columns)
    assert "sha256" in document["provenance"]


def test_the_page_is_self_contained_escapes_names_and_leads_with_sentences(report: AuditReport):
    page = report.html.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]{0,20})', page)
    assert addresses
    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert "<script" not in page
    assert "<b>&other" not in page
    assert "&lt;b&gt;&amp;other" in page
    assert page.index("% with video,") < page.index("<figure")


def test_the_same_table_in_another_order_and_in_two_files_gives_the_same_numbers(tmp_path: Path):
    table = small()
    first = read_json(audited(table, tmp_path))
    for name, part in (("a.parquet", table.iloc[::2]), ("b.parquet", table.iloc[1::2])):
        part.to_parquet(tmp_path / name)
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    again = read_json(audit_files(paths, TableOptions(), tmp_path / "again"))
    assert len(first["gaps"]) == len(again["gaps"])
    for a, b in zip(first["gaps"], again["gaps"], strict=True):
        assert a["gap"]["value"] == pytest.approx(b["gap"]["value"])
    assert again["letters"][0]["counts"] == first["letters"][0]["counts"]


def test_a_missing_regime_is_told_and_the_others_are_still_compared(tmp_path: Path):
    report = audited(small(sees={"video": 1.0, "text": 0.0}), tmp_path)
    assert any("no answers in the regime center_frame" in line for line in report.summary)
    found = {(g["first"], g["second"]) for g in read_json(report)["gaps"]}
    assert found == {("video", "text"), ("text", "chance")}


def test_an_unknown_regime_is_shown_but_compared_with_nothing(tmp_path: Path):
    report = audited(small(sees={**SEES, "upside_down": 0.0}), tmp_path)
    document = read_json(report)
    assert "upside_down" in {a["regime"] for a in document["accuracies"]}
    assert any("upside_down is compared with no other" in line for line in report.summary)


def test_shuffled_frames_are_compared_with_video(tmp_path: Path):
    report = audited(small(sees={**SEES, "shuffled": 1.0}), tmp_path)
    assert ("video", "shuffled") in {(g["first"], g["second"]) for g in read_json(report)["gaps"]}
    drawn = (report.html.parent / "figures" / "regimes.svg").read_text()
    assert drawn.count("<!-- shuffled frames") == 2  # in the legend, and over its differences


def test_a_model_that_lacks_a_benchmark_or_items_counts_where_it_has_both(tmp_path: Path):
    one, two = small(), small(1, benchmark="two")
    two = two[two["design"] != "m00"]
    one = one[~((one["design"] == "m01") & (one["regime"] == "text"))]
    document = read_json(audited(pd.concat([one, two]), tmp_path))
    counted = {
        (g["benchmark"], g["second"]): g["gap"]["models"]
        for g in document["gaps"]
        if g["column"] == "all" and g["first"] == "video"
    }
    assert counted[("bench", "center_frame")] == 5
    assert counted[("bench", "text")] == 4
    assert counted[("two", "text")] == 4
    (whole,) = [m for m in document["matrices"] if m["column"] == "all"]
    assert whole["pairs"][0]["n"] == 4
    assert any("two: no answers of 1 of 5 models (m00)" in w for w in document["warnings"])


def test_models_that_are_left_out_or_answered_little_are_named(tmp_path: Path):
    table = small()
    first = table["category"].iloc[0]
    table = table[~((table["design"] == "m00") & (table["category"] == first))]
    few = set(table[table["category"] != first].groupby("category")["item"].first())
    few.add(table.loc[table["category"] == first, "item"].iloc[0])
    table = table[(table["design"] != "m01") | table["item"].isin(few)]
    table = table[(table["design"] != "m02") | (table["regime"] != "text")]
    report = audited(table, tmp_path)
    said = "\n".join(report.summary)
    assert f"left out of the scores over all items are m00 (no {first})" in said
    assert f"m01 ({len(few)} of " in said
    assert "bench, regime text: no answers of m02" in said
    assert f"m00 (no {first})" in report.html.read_text(encoding="utf-8")
    counted = {a["accuracy"]["models"] for a in read_json(report)["accuracies"]
               if (a["column"], a["regime"]) == ("all", "video")}  # fmt: skip
    assert counted == {4}


def test_where_no_model_has_every_category_the_audit_is_refused(tmp_path: Path):
    one, two = small(), small(1)
    two[["design", "category"]] = "other " + two[["design", "category"]]
    two["item"] = "other " + two["item"].astype(str)
    with pytest.raises(TableError, match="no model has items of every category") as raised:
        audited(pd.concat([one, two]), tmp_path)
    assert "m00 (no other " in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_one_model_has_gaps_but_nothing_of_other_models_or_redundancy(tmp_path: Path):
    report = audited(small(ability=np.zeros(1)), tmp_path)
    document = read_json(report)
    gap, *_ = [g for g in document["gaps"] if (g["column"], g["second"]) == ("all", "text")]
    assert gap["gap"]["ci"] is not None
    assert gap["gap"]["ci_models"] is None
    assert all(pair["r2"] is None for m in document["matrices"] for pair in m["pairs"])
    assert any(line.startswith("Note: one model") for line in report.summary)


def test_one_video_one_category_and_a_missing_option_count_give_what_they_can(tmp_path: Path):
    table = small().drop(columns=["n_options", "duration_group", "choice", "answer"])
    table = table[table["video"] == "v0"].assign(category="all of it")
    document = read_json(audited(table, tmp_path))
    assert all(g["gap"]["ci"] is None for g in document["gaps"])
    assert {g["verdict"] for g in document["gaps"]} <= {"not testable", "identical"}
    assert document["letters"] == []
    assert document["solvable"] == []
    assert any("what guessing gets is not known" in w for w in document["warnings"])


def test_a_stated_chance_stands_in_for_option_counts(tmp_path: Path):
    table = small().drop(columns=["n_options"])
    document = read_json(audited(table, tmp_path, chance="bench=0.25"))
    assert {a["chance"] for a in document["accuracies"]} == {25.0}
    assert document["solvable"]


def test_seeds_of_one_model_are_averaged_and_checked_for_copies_apart(tmp_path: Path):
    again = small(0)
    table = pd.concat([small(0).assign(seed=0), again.assign(seed=1)])
    document = read_json(audited(table, tmp_path))
    assert document["models"] == ["m00", "m01", "m02", "m03", "m04"]
    assert {p["replicate"] for p in document["copies"]} >= {"m00#0", "m00#1"}


WRONG = {
    "no column 'benchmark'": lambda t: t.drop(columns=["benchmark"]),
    "row 2: 'correct' holds '0.5'": lambda t: t.assign(correct="0.5"),
    "the same answer twice": lambda t: pd.concat([t, t.iloc[:1]]),
    "row 2: the regime is empty": lambda t: t.assign(regime=""),
    "row 2: 'n_options' holds '1'": lambda t: t.assign(n_options=1),
    "has two values of 'answer'": lambda t: t.assign(
        answer=np.where((t["regime"] == "text") & (t["item"] == "0"), "Q", t["answer"])
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_table_is_named_by_its_place_and_nothing_is_written(message: str, tmp_path: Path):
    with pytest.raises(TableError, match=re.escape(message)):
        audited(WRONG[message](small()), tmp_path)
    assert not (tmp_path / "out").exists()


def test_answers_that_contradict_choice_and_key_are_counted(tmp_path: Path):
    table = small()
    table.loc[3, "correct"] = 1 - table.loc[3, "correct"]
    assert any(
        "in 1 of " in line and "(first: row 5)" in line for line in audited(table, tmp_path).summary
    )


def test_wrong_options_are_named(tmp_path: Path):
    small().to_csv(tmp_path / "items.csv", index=False)
    paths = [tmp_path / "items.csv"]
    with pytest.raises(TableError, match=r"no benchmark 'x' in the table. It has: bench"):
        audit_files(paths, TableOptions.parse(chance="x=.25"), tmp_path / "out")
    with pytest.raises(TableError, match=r"no column 'duration_groop'.*'duration_group'"):
        audit_files(paths, TableOptions(), tmp_path / "out", group_by=("duration_groop",))
    with pytest.raises(TableError, match="is a file"):
        audit_files(paths, TableOptions(), paths[0])
