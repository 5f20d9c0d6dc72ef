"""Its folder is where the tests of faults find `tiny_study`; here it is run without a fault."""

from __future__ import annotations

import pytest
import slow_stages
from tiny_study import Study

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study as it ends when nothing breaks. Tests copy it."""
    study = Study(tmp_path_factory.mktemp("undisturbed"))
    assert {outcome.status for outcome in study.run()} == {"done"}
    return study


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The scores that slow stages come to when nothing breaks, however fast they are."""
    study = Study(tmp_path_factory.mktemp("expected"))
    study.store.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow_stages, "STEP_SECONDS", 0)
        LocalEngine().run(
            Frontier(study.tasks()), run_stage=slow_stages.slow_stage, on_outcome=lambda _: None
        )
    return study.scores()
