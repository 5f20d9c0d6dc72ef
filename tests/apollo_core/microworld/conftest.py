"""A small world, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apollo_core.microworld.world import WorldSpec, generate

SMALL = WorldSpec(
    train_videos=6,
    bench_videos=6,
    images=4,
    multi_images=3,
    texts=8,
    corpus=10,
    pretrain_images=2,
    pretrain_videos=2,
    max_seconds=6,
)


@pytest.fixture(scope="session")
def small_spec() -> WorldSpec:
    """The spec of `small_world`."""
    return SMALL


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that makes `SMALL` with some fields changed, in a folder of its own."""

    def make(**changes: object) -> Path:
        root = tmp_path_factory.mktemp("world")
        generate(WorldSpec.model_validate({**SMALL.model_dump(), **changes}), root)
        return root

    return make


@pytest.fixture(scope="session")
def small_world(make_world: Callable[..., Path]) -> Path:
    """Root of a finished world of `SMALL`; tests only read it."""
    return make_world()
