"""What goes through a model at once, and the bytes of it outside the towers: frames, features, the
connector's places and tokens, logits.

Throughout: D channels of the joined grid, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from apollo_core.design import AttentionPoolResampler, PerceiverResampler, QFormerResampler
from apollo_core.geometry import LlmGeometry
from apollo_core.stages.identity import Precision
from orchestrator.cost.model_sizes import ModelSizes


@dataclass(frozen=True)
class Load:
    """What goes through the model at once.

    Attributes:
        samples: conversations.
        clips: of each.
        still: whether a clip is one picture, which image encoders see once.
    """

    samples: int
    clips: int
    still: bool = False


def frames_bytes(sizes: ModelSizes, load: Load) -> float:
    """The decoded frames, a byte a value, at the size of the largest encoder's input."""
    side = max(encoder.size for encoder in sizes.encoders)
    return 3.0 * load.samples * load.clips * sizes.frames_per_clip * side**2


def feature_bytes(sizes: ModelSizes, load: Load) -> float:
    """Grids of all encoders that see the clips, in float32."""
    frames = sizes.frames_per_clip
    seen = sizes.seeing(still=load.still)
    return 4.0 * load.samples * load.clips * sum(each.tokens(frames) * each.dim for each in seen)


def vision_in_passing(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """The most that encoders hold while no gradient is wanted: pixels, and an MLP with its input.

    Pixels are there as they were decoded and as one encoder takes them, 4 bytes a value.
    """
    side = max(encoder.size for encoder in sizes.encoders)
    clips = load.samples * load.clips
    most = 0.0
    for encoder in sizes.seeing(still=load.still):
        frames = sizes.frames_seen(encoder, still=load.still)
        pixels = 12.0 * clips * (sizes.frames_per_clip * side**2 + frames * encoder.size**2)
        width, mlp = (8, 8) if precision == "float32" else (10, 4)
        block = clips * encoder.tokens(frames) * (width * encoder.dim + mlp * encoder.mlp)
        most = max(most, pixels + block)
    return most


def positions(sizes: ModelSizes, load: Load) -> int:
    """Positions of the language model."""
    return load.samples * (sizes.visual_tokens(load.clips) + sizes.text_tokens)


def logits_bytes(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """Logits of a micro-batch; all text is taken to be supervised."""
    return logits_of(sizes.llm, load.samples * sizes.text_tokens, precision)


def logits_of(llm: LlmGeometry, supervised: int, precision: Precision) -> float:
    """Their logarithms of shares in float32, and either these' gradient or the logits themselves;
    in bfloat16 the logits once more, as the head gives them."""
    return (8.0 if precision == "float32" else 10.0) * supervised * llm.vocabulary


def connector_kept(sizes: ModelSizes, load: Load, *, precision: Precision) -> float:
    """Bytes that the branch of the clips keeps: for each place of the joined grid and each token.

    The grids themselves, which the norms keep, are counted as features.
    """
    half = precision == "bfloat16"
    b = 2 if half else 4
    frames = sizes.frames_per_clip
    seen = sizes.seeing(still=load.still)
    channels = sum(each.dim for each in seen)
    sides = ((each.slots(frames), each.side, each.side) for each in seen)
    places = math.prod(max(axis) for axis in zip(*sides, strict=True))
    tokens, hidden, spec = sizes.clip_tokens, sizes.llm.hidden, sizes.resampler
    if isinstance(spec, PerceiverResampler):
        inner = spec.heads * spec.head_dim
        read = 4 * hidden + 2 * b * inner
        place = b * channels + b * hidden + spec.depth * read
        mlp = (2 + 4 * spec.mlp_ratio) * hidden
        token = spec.depth * (4 * 4 * hidden + b * (mlp + 3 * inner + hidden)) + 8 * hidden
    elif isinstance(spec, AttentionPoolResampler):
        inner = spec.heads * spec.head_dim
        place = b * channels + b * hidden + 4 * hidden + 2 * b * inner
        token = b * (3 * inner + hidden) + 8 * hidden
    elif isinstance(spec, QFormerResampler):
        width = spec.width
        place = b * channels + b * width + 4 * width + spec.depth * 2 * b * width
        layer = (4 * 3 + b * (9 + 2 * spec.mlp_ratio)) * width
        token = spec.depth * layer + b * width + 4 * width
        words = sizes.text_tokens * (8 * hidden + spec.depth * 3 * b * width) if spec.text else 0
        token += words / tokens
    else:
        place = b * channels + 2 * b * hidden + 4 * hidden
        place += b * channels if spec.kind == "conv_avg" else 0
        token = 0.0
    return float(load.samples * load.clips * (places * place + tokens * token))
