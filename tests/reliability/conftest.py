"""Its folder is where the tests of faults find `tiny_study`; here it is run without a fault."""

from __future__ import annotations

import pytest
from tiny_study import Study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study as it ends when nothing breaks. Tests copy it."""
    study = Study(tmp_path_factory.mktemp("undisturbed"))
    assert {outcome.status for outcome in study.run()} == {"done"}
    return study
