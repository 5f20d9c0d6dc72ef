"""Every decoder, for tests that hold for each."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from apollo_core.media.decoding import Decoder

NO_TORCHCODEC = pytest.mark.skipif(
    importlib.util.find_spec("torchcodec") is None,
    reason="torchcodec is an extra: pip install 'apollo-sweeps[torchcodec]'",
)


@pytest.fixture(
    scope="module",
    params=["pyav", "decord", pytest.param("torchcodec", marks=NO_TORCHCODEC)],
)
def video_decoder(request) -> Iterator[Decoder]:
    """A warm one of each kind."""
    with Decoder(decoder=request.param) as shared:
        yield shared
