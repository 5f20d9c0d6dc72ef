"""The decoders that stages read videos by, and whether they are installed where stages run."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from apollo_core.errors import BadInput
from apollo_core.media.video_file import PACKAGES, DecoderName
from apollo_core.stages.identity import PretrainIdentity
from orchestrator.engine.task import StageTask


def decoders_of(tasks: Iterable[StageTask]) -> tuple[DecoderName, ...]:
    """What these stages read videos by; those of pretraining read what was generated."""
    identities = (task.identity for task in tasks)
    return tuple(
        sorted({each.decoder for each in identities if not isinstance(each, PretrainIdentity)})
    )


def lack_of(decoder: DecoderName) -> str:
    """What keeps this process from reading videos by a decoder; "" = nothing does."""
    module, _ = PACKAGES[decoder]
    # Found, not imported: a decoder's libraries belong into the process that decodes.
    return "" if find_spec(module) else f"data.decoder: {decoder}: {module} is missing"


def mend_of(decoder: DecoderName) -> str:
    """What brings it."""
    return f"pip install {PACKAGES[decoder][1]!r}"


def refuse_what_cannot_be_read(tasks: Iterable[StageTask]) -> None:
    """Raise `BadInput` for a decoder that is not installed here, where the stages are to run."""
    for decoder in decoders_of(tasks):
        if lack := lack_of(decoder):
            raise BadInput(f"{lack}; {mend_of(decoder)}, or choose another `data.decoder`")
