from apollo_core.execution import Execution
from orchestrator.store.provenance import _reachable, code_hash, provenance


def test_each_kind_of_stage_has_its_own_code():
    hashes = {code_hash(kind) for kind in ("pretrain", "train", "evaluate")}
    assert len(hashes) == 3


def test_the_code_of_a_stage_is_what_it_imports_and_nothing_else():
    modules = _reachable(["apollo_core.stages.train"])
    assert {"apollo_core.model", "apollo_core.stages.identity"} <= modules
    assert "apollo_core.stages.evaluate" not in modules


def test_provenance_tells_versions_times_and_the_attempt():
    told = provenance("train", Execution(), attempt=2, started=0.0, ended=1.5)
    assert (told["attempt"], told["seconds"], told["device"]) == (2, 1.5, "cpu")
    assert told["started"] == "1970-01-01T00:00:00.000+00:00"
    packages = told["packages"]
    assert isinstance(packages, dict)
    assert "numpy" in packages
