"""Intervals of effects, transfers, axes and knees hold what docs/statistics-of-a-study.md says."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "statistics-of-a-study.md"


@pytest.fixture(scope="module")
def simulation() -> Iterator[ModuleType]:
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    yield import_module("effect_coverage")
    sys.path.remove(folder)


def test_the_documentation_tells_of_every_case_that_is_simulated(simulation: ModuleType):
    page = PAGE.read_text(encoding="utf-8")
    assert not [case for case in simulation.CASES if f"| {case} |" not in page]
    rng = np.random.default_rng(0)
    names = [name for error in simulation.ERRORS for name in error(rng, 20)]
    assert not [name for name in names if f"| {name} |" not in page]


@pytest.mark.slow
def test_no_interval_promises_much_more_than_it_holds(simulation: ModuleType):
    for case, trial in simulation.CASES.items():
        for row in simulation.simulate(case, trial, trials=100, draws=200, seed=2):
            assert row.covered >= 0.84, row
