"""Options that say what a metric, a scale and a column mean."""

from pathlib import Path

import pytest
from score_tables import write

from analysis.errors import TableError
from analysis.findings.across_scales import look_across
from analysis.findings.compare import compare_scales
from analysis.findings.proxies import list_proxies
from analysis.table.table import ScoreTable, TableOptions, load_table

GROWTH = (50, 52, 55, 58, 57)
TEXT = "design,scale,acc,loss,amount\n" + "".join(
    f"{name},{scale},{score + gain},{5 - (score + gain) / 50},{10 * 2**place}\n"
    for scale, gain in (("s", 0), ("m", 3), ("l", 10))
    for place, (name, score) in enumerate(zip("abcde", GROWTH, strict=True))
)


def read(folder: Path, text: str = TEXT, **options: str | bool) -> ScoreTable:
    parsed = TableOptions.parse(score="acc,loss", scale_order="s,m,l", **options)  # pyright: ignore[reportArgumentType]
    return load_table(write(folder, text), parsed)


def test_a_loss_and_an_accuracy_each_have_their_own_better_side(tmp_path: Path):
    table = read(tmp_path, lower_is_better="loss")
    winners = {(p.metric, p.small): p.winner for p in compare_scales(table)}
    assert set(winners.values()) == {("d",)}
    assert read(tmp_path, lower_is_better=True).lower_is_better == {"acc", "loss"}
    assert read(tmp_path, lower_is_better="").lower_is_better == {"acc", "loss"}
    assert read(tmp_path).lower_is_better == set()
    with pytest.raises(TableError, match="--lower-is-better: no 'los' in the table"):
        read(tmp_path, lower_is_better="los")


def test_proxies_are_ordered_by_the_costs_given(tmp_path: Path):
    table = read(tmp_path, scale_cost="s=3,m=1,l=12")
    pairs = [pair for pair in compare_scales(table) if pair.metric == "acc"]
    across = look_across(table, "acc", pairs, seed=0)
    assert across.cost == "the costs given"
    assert list(across.enough[0].bounds) == ["m", "s"]
    costs = {proxy.proxy: (proxy.cost, proxy.cost_share) for proxy in list_proxies(table, pairs)}
    assert costs == {"s": (3.0, 0.25), "m": (1.0, pytest.approx(1 / 12))}


@pytest.mark.parametrize(
    ("given", "message"),
    [("s=1,m=2", "--scale-cost: no value for l"), ("s=1,m=0,l=2", "--scale-cost: m=0 must be")],
)
def test_costs_are_all_there_and_above_nothing(tmp_path: Path, given: str, message: str):
    with pytest.raises(TableError, match=message):
        read(tmp_path, scale_cost=given)


def test_a_plateau_is_looked_for_over_the_column_that_is_named(tmp_path: Path):
    table = read(tmp_path, data_size="amount")
    across = look_across(table, "acc", compare_scales(table), seed=0)
    assert [curve.sizes for curve in across.plateaus] == [(10, 20, 40, 80, 160)] * 3
    with pytest.raises(TableError, match="row 4: 'amount' holds 'much', not an amount of data"):
        read(tmp_path, TEXT.replace(",40\n", ",much\n"), data_size="amount")
