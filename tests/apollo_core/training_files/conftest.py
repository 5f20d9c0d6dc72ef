from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("APOLLO_SCRATCH", str(folder))
    return folder
