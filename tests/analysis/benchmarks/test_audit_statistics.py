"""What an audit says of simulated benchmarks whose truth is known."""

# pandas annotates what it returns as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_worlds import BLIND, SEES, answers, copied
from scipy import stats

from analysis.benchmarks.answer_sheets import AnswerSheets, read_sheets
from analysis.benchmarks.audit import audit
from analysis.benchmarks.copied_regimes import _compare, regime_pairs
from analysis.benchmarks.group_scores import ALL, groups_of, score_group
from analysis.benchmarks.letter_balance import ANSWERS, _count, letter_counts
from analysis.benchmarks.redundancy import matrices
from analysis.benchmarks.regime_gaps import Gap, adjusted, gaps, mean_of
from analysis.benchmarks.text_share import fieller, text_shares
from analysis.statistics.effects import holm
from analysis.statistics.item_scores import collect, resample
from analysis.table.options import TableOptions


def sheets_of(*tables: pd.DataFrame, folder: Path) -> AnswerSheets:
    path = folder / "items.parquet"
    pd.concat(tables).to_parquet(path)
    return read_sheets([path], TableOptions())


def overall(found: list[Gap], first: str, second: str) -> Gap:
    (gap,) = [g for g in found if (g.column, g.first, g.second) == (ALL, first, second)]
    return gap


def letters_of(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice(list("ABCD"), size=n)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_benchmark_solvable_by_text_is_told_from_one_that_needs_its_videos(tmp_path: Path):
    blind = answers(rng_of(0), benchmark="blind", sees=BLIND, videos=150)
    seeing = answers(rng_of(1), benchmark="seeing", videos=150)
    found = audit(sheets_of(blind, seeing, folder=tmp_path), rng_of(0))
    own = {name: [g for g in found.gaps if g.benchmark == name] for name in ("blind", "seeing")}
    assert overall(own["blind"], "video", "text").verdict in ("undecided", "equal within 2 points")
    assert overall(own["blind"], "text", "chance").verdict == "higher"
    assert overall(own["seeing"], "video", "text").verdict == "higher"
    assert overall(own["seeing"], "video", "center_frame").verdict == "higher"
    shares = {s.benchmark: s for s in found.text_shares if s.regime == "text"}
    assert shares["blind"].ci is not None
    assert shares["blind"].ci[0] < 1.0 < shares["blind"].ci[1]
    assert shares["seeing"].ci is not None
    assert shares["seeing"].ci[1] < 0.8
    flagged = {s.benchmark: s.flagged for s in found.solvable if s.regime == "text"}
    assert flagged["blind"] > flagged["seeing"]


def test_the_interval_for_other_videos_is_that_of_a_bootstrap_over_videos(tmp_path: Path):
    (sheet,) = sheets_of(answers(rng_of(3), videos=80), folder=tmp_path).sheets
    found = overall(gaps(sheet), "video", "text").gap
    rows = np.concatenate([sheet.by_model("video"), sheet.by_model("text")])
    kinds = np.unique(sheet.groups["category"], return_inverse=True)[1]
    items = collect(rows, sheet.videos, kinds, shape=(2, 8), unit=100.0)
    drawn = resample(items, rng_of(0), 2000)
    differences = (drawn[:, 0] - drawn[:, 1]).mean(axis=1)
    assert found.ci is not None
    half = (found.ci[1] - found.ci[0]) / 2
    assert half == pytest.approx(1.99 * differences.std(), rel=0.08)
    assert found.value == pytest.approx(differences.mean(), abs=0.3)


def test_both_intervals_hold_the_truth_as_often_as_they_say():
    """Differences = 5 + video effects + model effects + both: other videos, and other models."""
    rng, hits, trials = rng_of(7), np.zeros(2), 600
    for _ in range(trials):
        by_video, by_model = rng.normal(size=30), rng.normal(size=12)
        cells = 5.0 + by_video + by_model[:, None] + rng.normal(size=(12, 30))
        values = cells.mean(axis=1)
        moved = (cells - values[:, None]) / 30 * np.sqrt(30 / 29)
        found = mean_of(values, moved, items=30)
        assert found.ci is not None
        assert found.ci_models is not None
        ours = 5.0 + by_model.mean()
        hits += [
            found.ci[0] <= ours <= found.ci[1],
            found.ci_models[0] <= 5.0 <= found.ci_models[1],
        ]
    assert hits / trials == pytest.approx(0.95, abs=0.03)


def test_of_benchmarks_without_any_difference_at_most_one_in_twenty_shows_one(tmp_path: Path):
    """Holm over 6 groups and 3 comparisons' own families: false claims of video - text."""
    false = 0
    for seed in range(24):
        table = answers(rng_of(seed), sees=BLIND, videos=24, ability=rng_of(seed).normal(size=4))
        (sheet,) = sheets_of(table, folder=tmp_path).sheets
        found = adjusted(gaps(sheet))
        false += any(
            g.verdict in ("higher", "lower")
            for g in found
            if (g.first, g.second) == ("video", "text")
        )
    # 24 draws at 5 %: more than 5 come with a chance of .1 %.
    assert false <= 5


def test_holm_is_over_all_groups_of_a_comparison(tmp_path: Path):
    (sheet,) = sheets_of(answers(rng_of(2)), folder=tmp_path).sheets
    raw = gaps(sheet)
    family = [g for g in adjusted(raw) if (g.first, g.second) == ("video", "text")]
    assert len(family) == 6  # all, 3 categories, 2 duration groups
    smallest = min(family, key=lambda g: g.gap.p or 1.0)
    assert smallest.p_holm == pytest.approx(6 * (smallest.gap.p or 1.0))


def test_text_share_has_fiellers_interval_and_none_where_video_is_at_chance(tmp_path: Path):
    # With no noise below, the ratio's interval is the numerator's.
    assert fieller(2.0, 4.0, (0.25, 0.0), 0.0, 10**9) == pytest.approx(
        ((2 - 1.96 * 0.5) / 4, (2 + 1.96 * 0.5) / 4), abs=1e-3
    )
    assert fieller(1.0, 1.0, (1.0, 1.0), 0.0, 50) is None
    guessed = answers(rng_of(4), guessing=True, videos=20)
    (sheet,) = sheets_of(guessed, folder=tmp_path).sheets
    assert all(share.ci is None for share in text_shares(sheet))


def test_a_text_share_of_one_video_a_category_has_no_interval_rather_than_one_of_no_width(
    tmp_path: Path,
):
    rows = [
        {"design": "m", "scale": "s", "benchmark": "b", "regime": regime, "video": place,
         "item": f"{place}{at}", "category": place, "correct": str(int(at > 0)), "n_options": "4"}
        for regime in ("video", "text") for place in ("ocr", "ego") for at in range(3)
    ]  # fmt: skip
    (sheet,) = sheets_of(pd.DataFrame(rows), folder=tmp_path).sheets
    assert [(share.share, share.ci) for share in text_shares(sheet)] == [(1.0, None)]


def test_a_redundant_pair_of_benchmarks_is_found_and_a_distinct_one_kept_apart(tmp_path: Path):
    one, two = rng_of(0).normal(size=(2, 28)) * 1.3
    tables = [
        answers(rng_of(10 + i), benchmark=name, ability=ability, videos=200, sees={"video": 1.0})
        for i, (name, ability) in enumerate((("a", one), ("again", one), ("other", two)))
    ]
    found = matrices(sheets_of(*tables, folder=tmp_path).sheets)
    (whole,) = [m for m in found if m.column == ALL]
    verdicts = {(pair.first, pair.second): pair.verdict for pair in whole.pairs}
    assert verdicts == {
        ("a", "again"): "redundant",
        ("a", "other"): "distinct",
        ("again", "other"): "distinct",
    }
    pair = whole.pairs[0]
    assert pair.warning is None
    assert pair.r2 is not None
    assert pair.r2_ceiling == pytest.approx(pair.r2, abs=0.06)


def test_few_items_make_low_r2_undecided_rather_than_distinct_and_few_models_warn(tmp_path: Path):
    rng = rng_of(5)
    ability = 0.3 * rng.normal(size=14)
    tables = [
        answers(rng, benchmark=name, ability=ability, videos=15, sees={"video": 1.0})
        for name in ("a", "b")
    ]
    (pair,) = matrices(sheets_of(*tables, folder=tmp_path).sheets)[0].pairs
    assert pair.verdict == "undecided"
    assert pair.warning == "n = 14 models, fewer than 15"


def test_a_copied_regime_is_flagged_for_its_model_alone(tmp_path: Path):
    table = copied(answers(rng_of(0)), "m03", "center_frame")
    found = [pair for pair in regime_pairs(sheets_of(table, folder=tmp_path).sheets) if pair.flag]
    assert [(p.replicate, p.first, p.second) for p in found] in (
        [("m03", "video", "center_frame")],
        [("m03", "center_frame", "video")],
    )
    assert found[0].differing == 0
    assert found[0].kappa == 1.0


def test_a_copy_is_found_from_correctness_where_choices_are_not_written(tmp_path: Path):
    table = copied(answers(rng_of(0), videos=80), "m03", "text").drop(columns=["choice", "answer"])
    found = [pair for pair in regime_pairs(sheets_of(table, folder=tmp_path).sheets) if pair.flag]
    assert [(p.replicate, p.compared) for p in found] == [("m03", "correctness")]


def test_a_model_that_always_says_the_same_letter_is_no_copy_but_uneven(tmp_path: Path):
    table = answers(rng_of(0))
    table["choice"] = table["choice"].where(table["design"] != "m02", "B")
    table["correct"] = (table["choice"] == table["answer"]).astype(int)
    read = sheets_of(table, folder=tmp_path)
    assert not any(pair.flag for pair in regime_pairs(read.sheets))
    assert all(p.kappa is None for p in regime_pairs(read.sheets) if p.replicate == "m02")
    uneven = [c for c in letter_counts(read.sheets, rng_of(0)) if c.flag]
    assert {(c.of, c.favourite) for c in uneven} == {("m02", "B")}
    assert {c.share for c in uneven} == {1.0}


def test_regimes_that_agree_at_kappa_90_are_flagged_no_more_often_than_stated():
    """At the edge of the null, in 400 audits of 3 tests each."""
    rng, flagged = rng_of(1), 0
    for _ in range(400):
        ps: list[float | None] = []
        for _ in range(3):
            a = rng.integers(4, size=300)
            # Kappa .9: another draw for one answer in ten.
            b = np.where(rng.random(300) < 0.1, rng.integers(4, size=300), a)
            found = _compare("b", "m", ("video", "text"), "choices", a.astype(str), b.astype(str))
            ps.append(found.p)
        flagged += any(p is not None and p <= 0.05 for p in holm(ps))
    assert flagged / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_an_uneven_key_is_flagged_and_even_keys_no_more_often_than_stated(tmp_path: Path):
    uneven = answers(rng_of(0), key=np.array([0.1, 0.2, 0.5, 0.2]))
    (key,) = [
        c
        for c in letter_counts(sheets_of(uneven, folder=tmp_path).sheets, rng_of(0))
        if c.of == ANSWERS
    ]
    assert (key.flag, key.favourite, key.share_expected) == (True, "C", 0.25)
    assert key.items == 120
    rng = rng_of(1)
    ps = [
        found.p
        for _ in range(600)
        if (found := _count(letters_of(rng, 60), np.full(60, 4), ("b", ANSWERS, ""), rng))
    ]
    assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_chi_square_is_pearsons_and_few_items_are_simulated(tmp_path: Path):
    many = answers(rng_of(9), ability=np.zeros(1), sees={"video": 0.0}, videos=60)
    (key, *_) = letter_counts(sheets_of(many, folder=tmp_path).sheets, rng_of(0))
    expected = stats.chisquare(list(key.counts.values()))
    assert (key.chi2, key.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert not key.simulated
    few = many[many["item"].astype(int) < 12]
    (key, *_) = letter_counts(sheets_of(few, folder=tmp_path).sheets, rng_of(0))
    assert key.simulated
    assert key.p == pytest.approx(stats.chisquare(list(key.counts.values())).pvalue, abs=0.12)


def test_items_with_two_and_with_four_options_each_have_their_own_even_letters(tmp_path: Path):
    two = answers(rng_of(0), options=2, videos=100).assign(item=lambda t: "x" + t["item"])
    four = answers(rng_of(1), options=4, videos=100)
    (key, *rest) = letter_counts(sheets_of(two, four, folder=tmp_path).sheets, rng_of(0))
    assert key.freedom == 1 + 3
    # A and B are right far more often than C and D, as they should be.
    assert key.counts["A"] > key.counts["C"] + 50
    assert not key.flag
    assert not any(c.flag for c in rest)


def test_pure_guessing_leaves_no_item_solvable_and_no_score_above_chance(tmp_path: Path):
    read = sheets_of(answers(rng_of(6), guessing=True, videos=80), folder=tmp_path)
    found = audit(read, rng_of(0))
    assert sum(each.flagged for each in found.solvable) == 0
    assert overall(list(found.gaps), "text", "chance").verdict != "higher"


def test_a_score_is_the_mean_over_categories_and_a_groups_the_share_of_its_items(tmp_path: Path):
    table = answers(rng_of(0), videos=20)
    table = table[~((table["category"] == "ocr") & (table["item"].astype(int) > 20))]
    (sheet,) = sheets_of(table, folder=tmp_path).sheets
    own = table[table["regime"] == "video"]
    everything, *_ = groups_of(sheet)
    scores = score_group(sheet, everything, sheet.by_model("video")[None])
    assert scores is not None
    expected = own.groupby(["design", "category"])["correct"].mean().groupby("design").mean()
    assert scores.values[0] == pytest.approx(100 * expected.to_numpy())
    assert set(SEES) == set(sheet.right)
