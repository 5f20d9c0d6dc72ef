"""Golden values on another study's table: seeds, ragged scales, and a metric at chance."""

import pytest
from score_tables import DCLM

from analysis.findings.compare import compare_scales
from analysis.findings.pair import Pair
from analysis.findings.sentences import describe_pair
from analysis.table.table import ScoreTable, TableOptions, load_table

OPTIONS = TableOptions.parse(design="dataset", scale="size", score="Core,Core_v1,mmlu", seed="seed")
Pairs = dict[tuple[str, str, str], Pair]


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return load_table(DCLM, OPTIONS)


@pytest.fixture(scope="module")
def pairs(table: ScoreTable) -> Pairs:
    return {(p.metric, p.small, p.large): p for p in compare_scales(table)}


def test_correlations_between_sizes_are_those_of_the_data(table: ScoreTable):
    shared = table.grid("Core_v1").dropna()
    r = shared.corr()
    assert len(shared) == 11
    assert (r.loc["400M", "7B"], r.loc["1B", "7B"]) == pytest.approx((0.8406, 0.951), abs=5e-4)
    assert table.grid("mmlu").dropna().corr().loc["400M", "7B"] == pytest.approx(0.014, abs=5e-4)


def test_the_best_line_and_the_identity_line_are_not_confused(pairs: Pairs):
    pair = pairs["Core", "1B", "7B"]
    assert pair.r2 == pytest.approx(0.875, abs=1e-3)
    assert pair.r2_identity == pytest.approx(-16, abs=0.5)


def test_mmlu_at_400m_is_flagged_as_without_signal(table: ScoreTable, pairs: Pairs):
    for large in ("1B", "7B"):
        pair = pairs["mmlu", "400M", large]
        assert "no signal: the metric is at its chance level at 400M" in pair.warnings
        assert pair.verdict == "undecidable"
    assert any("guessing is taken to score 0.25" in note for note in table.warnings)
    assert not any("no signal" in w for w in pairs["Core", "400M", "7B"].warnings)


def test_noise_is_told_only_where_runs_repeat(pairs: Pairs):
    known, partly = pairs["Core_v1", "1B", "7B"].noise, pairs["Core_v1", "400M", "7B"].noise
    assert known is not None
    assert partly is not None
    assert known.sources == {"small": ("seeds",), "large": ("seeds",)}
    assert known.r2_ceiling is not None
    assert (partly.sources["small"], partly.r2_ceiling) == ((), None)


def test_few_designs_are_warned_of(pairs: Pairs):
    assert any("only 11 designs" in w for w in pairs["Core", "400M", "7B"].warnings)
    assert not any("only" in w for w in pairs["Core", "1B", "7B"].warnings)


def test_noise_that_four_degrees_of_freedom_tell_of_is_told_and_does_not_weigh(pairs: Pairs):
    pair = pairs["Core", "1B", "7B"]
    assert (pair.verdict, pair.verdict_because) == ("transfers", "it holds throughout")
    assert pair.verdict_evidence.decidable == (None, None)
    said = describe_pair(pair, unit="points", digits=2)
    assert "0 % at 1B (4 degrees of freedom, too few to weigh)" in said
    assert "0 % at 7B (1 degree of freedom, too few to weigh)" in said
