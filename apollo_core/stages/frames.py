"""What a stage reads media with: decoders of its own, decoded frames that outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from apollo_core.design import Integration, MemoryBank, Sampling
from apollo_core.execution import Execution
from apollo_core.features.feature_keeper import FeatureKeeper, feature_keeper
from apollo_core.media.decoding import Decoder
from apollo_core.media.frame_cache import FrameCache
from apollo_core.media.reader import MediaReader
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.model import VideoLMM
from apollo_core.stages.context import StageContext

_CACHES: dict[int, FrameCache] = {}


@contextmanager
def media_readers(
    context: StageContext,
    sampling: Sampling,
    integration: Integration,
    *,
    size: int,
    memory: MemoryBank | None = None,
    frozen: VideoLMM | None = None,
    decoder: DecoderName = DEFAULT_DECODER,
) -> Iterator[list[MediaReader]]:
    """`execution.workers` readers (at least one), each with a decoder that ends with the block.

    With `frozen`, the model that sees the media and whose encoders the stage does not train, what
    is kept of their features needs no decoding.
    """
    execution = context.execution
    cache = frame_cache(execution)
    with ExitStack() as stack:
        decoders = [
            stack.enter_context(
                Decoder(deadline_s=execution.decode_deadline_s, cache=cache, decoder=decoder)
            )
            for _ in range(max(1, execution.workers))
        ]
        kept = stack.enter_context(kept_features(context, frozen)) if frozen is not None else None
        yield [
            MediaReader(decoder, context.media_root, sampling, integration, size, memory, kept)
            for decoder in decoders
        ]


@contextmanager
def kept_features(context: StageContext, model: VideoLMM) -> Iterator[FeatureKeeper | None]:
    """What is kept of the features of `model`'s encoders; None where the plan keeps none."""
    if context.features is None:
        yield None
        return
    device = model.connector.marks.device
    with feature_keeper(
        context.features, context.execution, device, size=model.input_size, sees=model.sees
    ) as keeper:
        yield keeper


def frame_cache(execution: Execution) -> FrameCache | None:
    """This process's cache of the size that `execution` allows, or None where that is 0.

    One for the process and not for the stage: variants look at the same videos, and a worker that
    goes on to the next variant would otherwise decode all of them again.
    """
    if not execution.frame_cache_mb:
        return None
    size = execution.frame_cache_mb * 2**20
    return _CACHES.setdefault(size, FrameCache(size))
