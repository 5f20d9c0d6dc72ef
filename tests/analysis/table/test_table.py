"""Tables as people bring them, good and bad."""

from pathlib import Path

import pandas as pd
import pytest
from score_tables import TIDY, write

from analysis.errors import TableError
from analysis.table.table import TableOptions, load_table


def test_the_tidy_form_needs_no_options(tmp_path: Path):
    table = load_table(write(tmp_path, TIDY), TableOptions())
    assert table.scales == ("s", "l")
    assert table.sizes == {"s": 0.1, "l": 0.4}
    assert table.axes == ("sampling", "mixture")
    assert table.grid("b/video/overall").loc["fast"].tolist() == [55.0, 66.0]


def test_seeds_are_averaged_and_uneven_seeds_are_said(tmp_path: Path):
    table = load_table(write(tmp_path, TIDY), TableOptions())
    assert table.grid("b/video/overall").loc["base", "s"] == 51.0
    assert any("1 to 2 seeds" in warning for warning in table.warnings)


def test_a_sweep_over_one_axis_has_that_axis_and_an_id_column_is_none(tmp_path: Path):
    rows = [f"{d},{s},1,id-{d},{d}" for s in "sl" for d in ("base", "x", "y")]
    text = "design,scale,score,variant_id,sampling\n" + "\n".join(rows) + "\n"
    assert load_table(write(tmp_path, text), TableOptions()).axes == ("sampling",)


def test_a_missing_cell_is_listed_and_never_filled(tmp_path: Path):
    empty = "text,l,0.4,0,b/video/overall,,base,text\n"
    for text, reason in ((TIDY, "no row"), (TIDY + empty, "empty")):
        table = load_table(write(tmp_path, text), TableOptions())
        assert [(m.design, m.scale, m.reason) for m in table.missing] == [("text", "l", reason)]
        assert pd.isna(table.grid("b/video/overall").loc["text", "l"])


def test_parquet_reads_as_csv_does(tmp_path: Path):
    path = write(tmp_path, TIDY)
    pd.read_csv(path).to_parquet(tmp_path / "scores.parquet")
    a, b = (load_table(p, TableOptions()) for p in (path, tmp_path / "scores.parquet"))
    pd.testing.assert_frame_equal(a.cells, b.cells)
    pd.testing.assert_frame_equal(a.designs, b.designs)


def test_a_wide_table_gives_a_metric_per_score_column(tmp_path: Path):
    path = write(tmp_path, "x,y,m,acc,f1\na,1,s,1,2\na,1,l,3,4\nb,2,s,5,6\nb,2,l,7,8\n")
    table = load_table(path, TableOptions.parse(design="x,y", scale="m", score="acc,f1"))
    assert table.metrics == ("acc", "f1")
    assert list(table.designs.index) == ["a/1", "b/2"]
    assert table.axes == ("x", "y")
    assert any("sorted by name" in warning for warning in table.warnings)


def test_sizes_sort_scales_before_any_order(tmp_path: Path):
    options = TableOptions.parse(scale_size="s=7,l=0.5", scale_order="s,l")
    table = load_table(write(tmp_path, TIDY), options)
    assert table.scales == ("l", "s")
    assert any("sorted by size" in warning for warning in table.warnings)


def test_two_scores_under_one_seed_are_two_runs_only_where_the_seed_column_is_named(
    tmp_path: Path,
):
    path = write(tmp_path, TIDY + "fast,l,0.4,0,b/video/overall,64,fast,base\n")
    table = load_table(path, TableOptions.parse(seed="seed"))
    assert table.grid("b/video/overall").loc["fast", "l"] == 65.0
    assert any("repeat a seed (first: row 8" in warning for warning in table.warnings)
    with pytest.raises(TableError, match="rows 6 and 8: the same cell twice"):
        load_table(path, TableOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("design,scale,metric,score\n", "no rows below its header"),
        ("design,size,metric,score\na,s,m,1\n", r"no column 'scale'.*--scale"),
        ("design,scale,metric,scores\na,s,m,1\n", "no column 'score'.*Did you mean 'scores'"),
        ("design,scale,metric,score\na,s,m,1\n\na,l,m,good\n", "row 4: 'score' holds 'good'"),
        ("design,scale,metric,score\na,s,m,1\na,l,m,inf\n", "row 3: .*not a finite number"),
        ("design,scale,metric,score\na,s,m,1\na,s,m,2\n", "rows 2 and 3: the same cell twice"),
        ("design,scale,metric,score\na,s,m,\na,l,m,nan\n", "every score in the table is empty"),
        ("design,scale,metric,score\n,s,m,1\na,l,m,2\n", "row 2: the design is empty"),
        ("design;scale;metric;score\na;s;m;1\n", "separated by semicolons"),
        ("design;scale;metric;score\na;s;m;1,5\n", "separated by semicolons"),
        ("design\tscale\tmetric\tscore\na\ts\tm\t1\n", "separated by tabs"),
        ("design,scale,score,score\na,s,1,1\n", "'score' stands twice in the header"),
        ("design,scale,metric,score\na,s,m,1\na,l,m,1,9\n", "not a CSV table"),
        (
            "design,scale,scale_size,metric,score\na,s,1,m,1\na,l,2,m,1\nb,l,3,m,1\n",
            "rows 3 and 4: the scale 'l' has two values of 'scale_size'",
        ),
    ],
)
def test_a_bad_table_gets_one_clear_message(tmp_path: Path, text: str, message: str):
    with pytest.raises(TableError, match=message):
        load_table(write(tmp_path, text), TableOptions())


def test_a_file_that_is_absent_or_no_text_is_named(tmp_path: Path):
    with pytest.raises(TableError, match="no such file"):
        load_table(tmp_path / "none.csv", TableOptions())
    for name in ("x.csv", "x.parquet"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00\x81 nothing")
        with pytest.raises(TableError, match=f"{name}: not"):
            load_table(tmp_path / name, TableOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_order": "s"}, "--scale-order: no value for l"),
        ({"scale_order": "s,l,xl"}, "--scale-order: no 'xl' in the table; it has: l, s"),
        ({"scale_size": "s=0.5"}, "--scale-size: no value for l"),
        ({"scale_size": "s=0.5,l=-1"}, "must be above 0"),
        ({"scale_size": "s=big"}, "'s=big' is not NAME=NUMBER"),
        ({"chance": "acc=.25"}, "--chance: no 'acc'"),
        ({"design": "a,,b"}, "--design: an empty name"),
        ({"block": "x,x"}, "--block: 'x' stands twice"),
        ({"scale": "a,b"}, "--scale: takes one column"),
        ({"block": "score"}, "two values of 'score'"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, options: dict[str, str], message: str):
    with pytest.raises(TableError, match=message):
        load_table(write(tmp_path, TIDY), TableOptions.parse(**options))  # pyright: ignore[reportArgumentType]


def test_a_metric_without_any_score_is_missing_everywhere_and_said(tmp_path: Path):
    empty = "".join(
        f"{d},{s},{z},0,c/video/overall,,{d},base\n"
        for d, s, z in (
            ("base", "s", 0.1),
            ("base", "l", 0.4),
            ("fast", "s", 0.1),
            ("fast", "l", 0.4),
        )
    )
    table = load_table(write(tmp_path, TIDY + empty), TableOptions())
    assert table.metrics == ("b/video/overall",)
    assert any("c/video/overall: no design has a score" in note for note in table.warnings)
    assert {m.scale for m in table.missing if m.metric == "c/video/overall"} == {"s", "l"}
