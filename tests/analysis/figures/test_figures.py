"""Names and marks of figures."""

import numpy as np
import pandas as pd
import pytest
from score_tables import TIDY, write

from analysis.figures.ranks import draw_ranks
from analysis.figures.style import distinct, shades, shorten
from analysis.findings.findings import find
from analysis.findings.ranks import rank_designs
from analysis.flat_tables import flat_tables
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
