"""The written report: whole, self-contained, strict, and the same from the same table."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from score_tables import FOUR, OPTIONS, PAPER, SEVEN, TIDY, write

from analysis.errors import TableError
from analysis.report import FileReport, report_on_file, shown_metrics
from analysis.table.table import TableOptions

# What a plain install has not.
HEAVY = {"torch", "ray", "transformers", "mlflow", "decord", "yaml", "apollo_core", "orchestrator"}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def read_json(path: Path) -> dict[str, list[dict]]:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def paper_report(tmp_path_factory: pytest.TempPathFactory) -> FileReport:
    return report_on_file(PAPER, OPTIONS, tmp_path_factory.mktemp("report"))


def test_the_report_has_page_json_scores_and_figures(paper_report: FileReport):
    paths = paper_report.paths
    document = read_json(paths.json)
    assert {"pairs", "axes", "proxies", "missing", "provenance"} <= set(document)
    assert len(document["pairs"]) == 6
    assert (
        sorted(p.relative_to(paths.html.parent).as_posix() for p in paths.figures)
        == (document["figures"])
    )
    # Two heatmaps, six scatters, ranks, margins, two forests, proxies: each as PNG and SVG.
    assert len(paths.figures) == 26
    # Nothing else is left in the folder.
    assert {p.name for p in paths.html.parent.iterdir()} == {
        "report.html",
        "report.json",
        "figures",
        *(p.name for p in paths.tables),
    }
    assert {"scores.csv", "pairs.csv", "axes.csv", "effects.csv", "proxies.csv"} <= {
        p.name for p in paths.tables
    }


def test_the_page_loads_nothing_from_outside_itself(paper_report: FileReport):
    page = paper_report.paths.html.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]{0,20})', page)
    assert addresses
    assert all(address.startswith(("#", "data:image/")) for address in addresses)
    assert "@import" not in page
    assert "url(http" not in page
    assert "<script" not in page


def test_the_page_leads_with_verdicts_and_their_numbers(paper_report: FileReport):
    page = paper_report.paths.html.read_text(encoding="utf-8")
    believed = (
        "R² 0.938 (95 % interval 0.39 to 0.99, or 0.85 to 0.98 if designs were independent, n"
    )
    assert page.index(believed) < page.index("<figure")


def test_the_terminal_summary_names_every_pair(paper_report: FileReport):
    lines = [line for line in paper_report.summary if line.startswith(f"{FOUR} -> {SEVEN}")]
    assert lines
    assert "aggregate; R² 0.938 [0.39, 0.99] (data_mixture redrawn), Spearman" in lines[0]
    assert f"data_mixture, {FOUR} -> {SEVEN}: transfers; decision accuracy 0.952" in "\n".join(
        paper_report.summary
    )


def test_the_copied_scores_give_the_same_pairs(paper_report: FileReport, tmp_path: Path):
    options = TableOptions.parse(block="data_mixture", scale_order=",".join(OPTIONS.scale_order))
    again = report_on_file(paper_report.paths.scores, options, tmp_path / "again")
    first, second = (read_json(p.paths.json) for p in (paper_report, again))
    assert first["pairs"] == second["pairs"]
    assert first["axes"] == second["axes"]


def test_the_json_tells_of_axes_effects_proxies_all_scales_and_the_next_study(
    paper_report: FileReport,
):
    document = read_json(paper_report.paths.json)
    (variant, mixture) = document["axes"]
    assert {v["verdict"] for v in mixture["verdicts"] if v["large"] == SEVEN} == {"transfers"}
    last = next(v for v in variant["verdicts"] if (v["small"], v["large"]) == (FOUR, SEVEN))
    assert last["verdict"] == "transfers only in aggregate"
    assert last["evidence"]["accuracy"] == pytest.approx(0.714, abs=5e-4)
    assert [entry["axis"] for entry in document["effects"]] == [
        "variant",
        "data_mixture",
        "all axes",
    ]
    assert {"level", "scale", "effect", "ci", "p_holm", "not_testable"} <= set(
        document["effects"][0]["effects"][0]
    )
    assert document["interaction"][0]["not_testable"] is not None
    assert [len(document[key]) for key in ("across_scales", "planning")] == [1, 1]
    assert document["proxies"][-1]["r2_within"]["data_mixture"] == pytest.approx(0.9, abs=5e-4)
    assert document["proxies"][-1]["surely_enough"] == []


def test_names_from_the_table_cannot_inject_markup(tmp_path: Path):
    text = TIDY.replace("fast", "<b>$x$</b>")
    page = report_on_file(write(tmp_path, text), TableOptions(), tmp_path / "out").paths.html
    assert "<b>$x$" not in page.read_text(encoding="utf-8")


def test_a_table_of_two_designs_reports_without_intervals(tmp_path: Path):
    report = report_on_file(write(tmp_path, TIDY), TableOptions(), tmp_path / "out")
    document = read_json(report.paths.json)
    (pair,) = document["pairs"]
    assert (pair["n"], pair["r2"], pair["r2_ci"]) == (2, pytest.approx(1.0), None)
    assert pair["verdict"] == "undecidable"
    assert document["missing"] == [
        {"design": "text", "scale": "l", "metric": "b/video/overall", "reason": "no row"}
    ]


def test_effects_are_levels_less_base_at_each_scale(tmp_path: Path):
    report = report_on_file(write(tmp_path, TIDY), TableOptions(), tmp_path / "out")
    axes = {axis["axis"]: axis for axis in read_json(report.paths.json)["axes"]}
    assert axes["sampling"]["effects"] == [
        {"level": "fast", "scale": "s", "n": 1, "effect": 4.0},
        {"level": "fast", "scale": "l", "n": 1, "effect": 6.0},
    ]
    assert [effect["scale"] for effect in axes["mixture"]["effects"]] == ["s"]
    assert axes["sampling"]["matched"][0]["decision_accuracy"] == 1.0


def test_a_constant_column_is_named_and_never_a_nan(tmp_path: Path):
    text = "design,scale,score\na,l,1\nb,l,2\na,s,5\nb,s,5\n"
    options = TableOptions.parse(scale_order="s,l")
    (pair,) = read_json(report_on_file(write(tmp_path, text), options, tmp_path / "o").paths.json)[
        "pairs"
    ]
    assert pair["r2"] is None
    assert any("same score at s" in warning for warning in pair["warnings"])


def test_a_loss_ranks_the_lowest_first(tmp_path: Path):
    text = "design,scale,score\na,l,1\nb,l,2\nc,l,4\na,s,6\nb,s,5\nc,s,7\n"
    options = TableOptions.parse(scale_order="s,l", lower_is_better=True)
    report = report_on_file(write(tmp_path, text), options, tmp_path / "o")
    (pair,) = read_json(report.paths.json)["pairs"]
    assert (pair["winner"], pair["best"], pair["regret"]) == (["b"], ["a"], 1.0)


def test_a_metric_at_its_chance_level_has_no_signal(tmp_path: Path):
    small = [0.26, 0.24, 0.25, 0.27, 0.23]
    rows = [f"d{i},s,{score}\nd{i},l,{0.4 + i / 100}" for i, score in enumerate(small)]
    path = write(tmp_path, "design,scale,acc\n" + "\n".join(rows) + "\n")
    options = TableOptions.parse(score="acc", scale_order="s,l", chance="acc=.25")
    (pair,) = read_json(report_on_file(path, options, tmp_path / "o").paths.json)["pairs"]
    assert "no signal: the metric is at its chance level at s" in pair["warnings"]


def test_the_page_shows_overall_metrics_and_the_json_all(tmp_path: Path):
    rows = TIDY.splitlines()[1:]
    text = TIDY + "\n".join(row.replace("overall", "ocr") for row in rows) + "\n"
    report = report_on_file(write(tmp_path, text), TableOptions(), tmp_path / "out")
    assert len(read_json(report.paths.json)["pairs"]) == 2
    assert "<h2>b/video/ocr" not in report.paths.html.read_text(encoding="utf-8")


def test_a_second_report_replaces_the_first_and_leaves_other_files(tmp_path: Path):
    out = tmp_path / "out"
    report_on_file(write(tmp_path, TIDY), TableOptions(), out)
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    (out / "figures" / "mine.png").write_bytes(b"mine")
    report_on_file(write(tmp_path, TIDY), TableOptions(), out)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    renamed = report_on_file(
        write(tmp_path, TIDY.replace("b/video", "c/video")), TableOptions(), out
    )
    assert {p.name for p in (out / "figures").iterdir()} == {
        "mine.png",
        *(p.name for p in renamed.paths.figures),
    }


def test_a_table_of_one_scale_gives_scores_and_effects_without_pairs_and_says_so(tmp_path: Path):
    text = "".join(line + "\n" for line in TIDY.splitlines() if ",l," not in line)
    report = report_on_file(write(tmp_path, text), TableOptions(), tmp_path / "out")
    document = read_json(report.paths.json)
    assert (document["pairs"], document["proxies"]) == ([], [])
    # Effects need no second scale.
    assert all("effects" in path.name for path in report.paths.figures)
    assert [axis["effects"][0]["effect"] for axis in document["axes"]] == [4.0, -6.0]
    assert any("one scale only, s" in line for line in document["warnings"])
    page = report.paths.html.read_text(encoding="utf-8")
    assert "one scale only" in page
    assert "Scores by design" in page
    assert "R² between scales" not in page
    assert any("fast" in line for line in report.summary)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match=r"file.inner: the report cannot be written there"):
        report_on_file(write(tmp_path, TIDY), TableOptions(), tmp_path / "file" / "inner")


def test_bad_input_writes_nothing(tmp_path: Path):
    with pytest.raises(TableError):
        report_on_file(write(tmp_path, ""), TableOptions(), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(TableError, match="is a file"):
        report_on_file(PAPER, OPTIONS, tmp_path / "scores.csv")


def test_of_hundreds_of_metrics_the_first_get_a_section_each():
    assert shown_metrics([f"m{i}" for i in range(500)]) == tuple(f"m{i}" for i in range(24))
    assert shown_metrics(["a/v/x", "a/v/overall"]) == ("a/v/overall",)


def test_the_package_reports_with_torch_and_ray_blocked_and_imports_lightly(tmp_path: Path):
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import analysis
assert not {{"numpy", "pandas", "matplotlib"}} & set(sys.modules)
from pathlib import Path
from analysis.report import report_on_file
from analysis.table.table import TableOptions
options = TableOptions.parse(design="variant,data_mixture", scale="llm", score="average")
print(report_on_file(Path({str(PAPER)!r}), options, Path({str(tmp_path)!r})).paths.html)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000
