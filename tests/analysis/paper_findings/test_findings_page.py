"""The page that lays the paper's findings beside a study's."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.paper_findings.__main__ import main, page_of
from analysis.paper_findings.by_data_size import r2_by_data_size
from analysis.paper_findings.claims import CLAIMS
from analysis.paper_findings.weighing import weigh
from analysis.report import report_on_file
from analysis.table.options import TableOptions

METRIC = "microbench/video/overall"
SCALES = {"xs": 0.1, "s": 0.2, "l": 0.8}


def study(folder: Path, effects: dict[tuple[str, str], float], *, seeds: int = 3) -> None:
    """A one-factor study: base at 60, each level its effect higher, seeds apart."""
    axes = sorted({axis for axis, _ in effects})
    rows = []
    levels = {("", ""): 0.0, **effects}
    for number, ((axis, level), effect) in enumerate(levels.items()):
        named = {name: level if name == axis else "base" for name in axes}
        for scale, size in SCALES.items():
            for seed in range(seeds):
                wobble = 0.5 * ((seed + 2) * (number + 3) % 5 - 2)
                rows.append(
                    {
                        "design": f"{axis}={level}" if axis else "base",
                        **named,
                        "scale": scale,
                        "scale_size": size,
                        "seed": seed,
                        "metric": METRIC,
                        "score": 60 + 5 * size + effect + wobble,
                    }
                )
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
    report_on_file(folder / "scores.csv", TableOptions(), folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    study(
        folder / "micro84",
        {
            ("encoders", "siglip"): -9.0,
            ("resampler", "mlp-avg"): 8.0,
            ("integration", "plain"): 0.0,
            ("sampling", "uniform-4"): -12.0,
        },
    )
    (folder / "about.md").write_text("Trained on two cores.\n")
    (folder / "by_construction.json").write_text('{"encoders": "motion needs two frames."}')
    return folder


def row_of(page: str, level: str) -> str:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {level} |")]
    return line


def test_each_contrast_is_told_with_effect_interval_and_verdict(results):
    page = page_of(results, METRIC)
    assert "| -5.2 | -9" in row_of(page, "siglip")
    assert row_of(page, "siglip").endswith("| same direction |")
    assert row_of(page, "mlp-avg").endswith("| opposite |")
    assert row_of(page, "plain").endswith("| no evidence |")
    assert "[-" in row_of(page, "siglip")


def test_what_was_not_run_and_what_the_world_forces_are_said(results):
    page = page_of(results, METRIC)
    assert "Not run: internvideo2 (micro84)" in page
    assert "By construction: motion needs two frames." in page
    assert "Trained on two cores." in page


def test_small_scales_stand_beside_the_largest(results):
    page = page_of(results, METRIC)
    assert row_of(page, "xs").count("|") == row_of(page, "s").count("|") == 6


def test_a_page_is_written_and_a_folder_without_the_study_refused(results, tmp_path, capsys):
    assert main([str(results), str(tmp_path / "findings.md")]) == 0
    assert (tmp_path / "findings.md").read_text() == page_of(results, METRIC)
    assert main([str(tmp_path), str(tmp_path / "other.md")]) == 2
    assert "no folder micro84" in capsys.readouterr().err


def test_agreement_at_each_amount_of_data_is_the_correlation_there(tmp_path):
    rows = [
        {
            "design": f"{design}-{samples}",
            "config": design,
            "samples": samples,
            "scale": scale,
            "scale_size": size,
            "seed": 0,
            "metric": METRIC,
            # On little data the small scale orders designs otherwise than the large one.
            "score": 50 + (number if samples == 800 or scale == "l" else (number * 5) % 7),
        }
        for number, design in enumerate("abcdef")
        for samples in (100, 800)
        for scale, size in (("xs", 0.1), ("l", 0.8))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "scores.csv", index=False)
    little, much = r2_by_data_size(tmp_path / "scores.csv", METRIC, "samples")
    assert (little.samples, much.samples) == (100, 800)
    assert much.r2 == pytest.approx(1)
    assert little.r2 is not None
    assert little.r2 < 0.5
    assert little.r2_with_most == pytest.approx(little.r2)
    assert little.n == 6


@pytest.mark.parametrize(
    ("effect", "p", "said"),
    [
        (-3.0, 0.01, "same direction"),
        (3.0, 0.01, "opposite"),
        (-3.0, 0.2, "no evidence"),
        (-3.0, None, "no evidence"),
    ],
)
def test_a_direction_counts_only_where_the_effect_is_beyond_noise(effect, p, said):
    assert weigh(effect, p, "below") == said


def test_no_contrast_stands_twice():
    found = [(c.study, c.axis, c.level) for claim in CLAIMS for c in claim.contrasts]
    assert len(found) == len(set(found))
