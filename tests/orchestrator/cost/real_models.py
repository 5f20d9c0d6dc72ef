"""Real models of planned sizes, and batches for them, to hold the cost model to."""

from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from apollo_core.batch import Batch
from apollo_core.connector.connector import Connector
from apollo_core.encoders.families import FAMILIES
from apollo_core.model import VideoLMM
from apollo_core.stages.pretrain_llm import create_llm
from apollo_core.text.chat import IGNORED, Encoded


def build(sizes):
    """The model that `sizes` tells of, with fresh weights."""
    encoders = [
        FAMILIES[each.family].create(each, frames_per_clip=sizes.frames_per_clip)
        for each in sizes.encoders
    ]
    connector = Connector(
        sizes.resampler,
        dims=[each.dim for each in sizes.encoders],
        hidden=sizes.llm.hidden,
        frames_per_clip=sizes.frames_per_clip,
        joining=sizes.joining,
        per_frame=[each.frames == 1 for each in sizes.encoders],
        memory=sizes.memory,
    )
    return VideoLMM(encoders, connector, create_llm(sizes.llm, pad=0, end=1))


def modules(model):
    """By the names of a schedule."""
    return {"vision": model.vision, "connector": model.connector, "llm": model.llm}


def batch_of(sizes, samples, clips, *, still=False):
    """So many conversations, each about a medium of so many clips, all of its text supervised."""
    side, visual = max(each.size for each in sizes.encoders), sizes.visual_tokens(clips)
    length, words = visual + sizes.text_tokens, sizes.llm.vocabulary
    tokens = torch.randint(2, words, (samples, length))
    labels, source = tokens.clone(), torch.full((samples, length), -1)
    labels[:, :visual] = -100
    source[:, :visual] = torch.arange(samples * visual).view(samples, visual)
    shape = (samples * clips, sizes.frames_per_clip, side, side, 3)
    media = samples if clips else 0
    return Batch(
        tokens=tokens,
        labels=labels,
        attended=torch.ones(samples, length, dtype=torch.bool),
        source=source,
        clips=torch.randint(0, 255, shape, dtype=torch.uint8),
        still=torch.full((samples * clips,), still),
        medium=torch.arange(media).repeat_interleave(clips),
        places=torch.full((media,), visual // sizes.clip_tokens),
        asked=torch.randint(2, words, (media, sizes.text_tokens)),
    )


def row_of(sizes, visual, seed):
    """A conversation about so many visual tokens, all of its text but the first supervised."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, sizes.llm.vocabulary, visual + sizes.text_tokens)
    tokens[:visual] = 0  # as nothing stands there, so that rows about one video begin alike
    labels = tokens.copy()
    labels[: visual + 1] = IGNORED
    source = np.full(len(tokens), -1)
    source[:visual] = np.arange(visual)
    return Encoded(tokens, labels, source)


def peak_bytes(run):
    """Most bytes that torch's own allocator held at one time beyond those before `run`."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    assert profiled.profiler is not None
    kineto: Any = profiled.profiler.kineto_results
    found = kineto.events()
    changes = [event for event in found if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most
