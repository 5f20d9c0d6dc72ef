"""Names and marks of figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from score_tables import TIDY, write

from analysis.figures.data_sizes import draw_data_sizes
from analysis.figures.ranks import draw_ranks
from analysis.figures.style import distinct, shades, shorten
from analysis.findings.findings import find
from analysis.findings.ranks import rank_designs
from analysis.findings.study_sentences import describe_plateau
from analysis.flat_tables import flat_tables
from analysis.statistics.plateau import (
    fit_broken_stick,
    fit_linear,
    fit_saturating,
    fitted,
)
from analysis.table.table import TableOptions, load_table


def test_a_long_name_keeps_its_ends():
    assert shorten("short", 10) == "short"
    assert shorten("abcdefghijkl", 8) == "abc…ijkl"


def test_names_that_would_be_cut_alike_are_cut_where_they_part():
    names = [f"mixture_{'x' * 30}_{kind}_{'y' * 30}" for kind in ("wiki", "books")] + ["plain"]
    short = distinct(names, 20)
    assert len(set(short)) == 3
    assert "wiki" in short[0]
    assert short[2] == "plain"


def test_shades_of_scales_stay_in_order_in_grey_print():
    grey = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b, _ in shades(6)]
    assert np.all(np.diff(grey) > 0.05)


def test_ranks_are_of_the_designs_that_every_scale_has(tmp_path):
    table = load_table(write(tmp_path, TIDY), TableOptions())
    ranks = rank_designs(table, "b/video/overall")
    assert {(r.design, r.scale, r.rank, r.n) for r in ranks} == {
        ("fast", "s", 1.0, 2),
        ("fast", "l", 1.0, 2),
        ("base", "s", 2.0, 2),
        ("base", "l", 2.0, 2),
    }


def test_designs_tied_at_the_largest_scale_share_a_label():
    ranks = pd.DataFrame({"s": [1.0, 2.0, 3.0], "l": [1.5, 1.5, 3.0]}, index=list("abc"))
    drawn = draw_ranks("n", "m", ranks)
    assert drawn is not None
    assert b"<!-- a, b -->" in drawn.svg


@pytest.mark.parametrize("lower", [False, True])
def test_tables_in_csv_hold_intervals_as_two_columns(tmp_path, lower: bool):
    table = load_table(write(tmp_path, TIDY), TableOptions(lower_is_better=lower))
    files = flat_tables(table, find(table))
    assert b"seed" not in files["missing.csv"]
    header = files["effects.csv"].decode().splitlines()[0].split(",")
    assert {"metric", "reference", "axis", "level", "scale", "effect"} <= set(header)
    assert files["missing.csv"].decode().splitlines()[1] == "text,l,b/video/overall,no row"


@pytest.mark.parametrize(("sizes", "curves"), [(10, 1), (5, 3)])
def test_data_sizes_are_drawn_with_the_curves_fitted_to_them(
    tmp_path: Path, sizes: int, curves: int
):
    rng = np.random.default_rng(0)
    rows = [
        f"{2**k},{scale},{at},{min(k, 5) + at + rng.normal(scale=0.05)},{2**k}"
        for k in range(1, sizes + 1)
        for at, scale in enumerate("sl", start=1)
    ]
    text = "\n".join(["design,scale,scale_size,score,samples_seen", *rows]) + "\n"
    options = TableOptions.parse(data_size="samples_seen")
    table = load_table(write(tmp_path, text), options)
    (across,) = find(table).across_scales
    drawn = draw_data_sizes("sizes", across.plateaus, "points")
    svg = drawn.svg.decode()
    assert "mathdefault" not in svg
    assert drawn.png.startswith(b"\x89PNG")
    names = [name for name in ("linear", "broken stick", "saturating") if f"<!-- {name} -->" in svg]
    assert len(names) == curves
    told = describe_plateau(across.plateaus[0], "points", 2)
    assert ("a plateau. Broken stick by AICc, knee at" in told) == (curves == 1)
    assert ("none chosen" in told) == (curves == 3)


def test_a_fitted_curve_passes_through_the_scores_that_it_made():
    x = np.linspace(1.0, 4.0, 12)
    for fit, scores in (
        (fit_linear, 2.0 + 3.0 * x),
        (fit_broken_stick, 2.0 + 3.0 * x - 3.0 * np.maximum(x - 2.5, 0.0)),
        (fit_saturating, 9.0 - 4.0 * np.exp(-1.5 * (x - 1.0))),
    ):
        assert fitted(fit(x, scores), x, start=1.0) == pytest.approx(scores, abs=0.05)
