import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.benchmarks.solvability import lucky_majority, solvability
from analysis.errors import TableError


def test_a_bare_majority_of_ten_guessing_models_passes_two_and_thirty_eight_per_cent_of_items():
    assert lucky_majority(10, 1 / 4) == pytest.approx(0.0197, abs=5e-4)
    assert lucky_majority(10, 1 / 2) == pytest.approx(0.377, abs=5e-4)


@pytest.mark.parametrize("options", [2, 4])
def test_no_item_is_called_solvable_where_every_model_guesses(options):
    right = np.random.default_rng(0).random((2000, 10)) < 1 / options
    found = solvability(right.astype(float), np.full(2000, 1 / options))
    assert found.solvable.sum() == 0
    assert (right.sum(axis=1) > 5).mean() > 0.01


def test_items_that_all_models_know_are_found_among_items_that_they_guess():
    rng = np.random.default_rng(1)
    known = rng.random(1000) < 0.3
    right = rng.random((1000, 10)) < np.where(known, 0.95, 0.25)[:, None]
    found = solvability(right.astype(float), np.full(1000, 0.25))
    assert found.solvable[known].mean() > 0.75
    assert found.solvable[~known].mean() < 0.002
    truth = np.where(known, (0.95 - 0.25) / 0.75, 0.0)
    held = (found.low <= truth) & (truth <= found.high)
    assert held.mean() > 0.85


def test_an_item_of_unknown_guess_rate_is_not_judged_and_a_table_without_any_is_refused():
    right = np.ones((30, 10))
    guess = np.full(30, 0.25)
    guess[3] = np.nan
    assert np.isnan(solvability(right, guess).probability[3])
    with pytest.raises(TableError, match="--guess"):
        solvability(right, np.full(30, np.nan))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.sampled_from([0.25, 0.5]))
def test_more_right_answers_never_make_an_item_less_solvable(seed, models, guess):
    right = (np.random.default_rng(seed).random((40, models)) < 0.6).astype(float)
    found = solvability(right, np.full(40, guess))
    order = np.argsort(right.sum(axis=1), kind="stable")
    assert (np.diff(found.probability[order]) >= -1e-9).all()
    assert (found.low <= found.mean + 1e-9).all()
    assert (found.mean <= found.high + 1e-9).all()
