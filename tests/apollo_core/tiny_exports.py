"""Exported folders of tiny models with first weights."""

from tiny_models import qwen2

from apollo_core.connector.connector import Connector
from apollo_core.design import FpsSampling, PerceiverResampler
from apollo_core.encoders.families import build_encoder
from apollo_core.exported.writing import write_folder
from apollo_core.microworld.parts import ENCODERS
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.stages.identity import ModelIdentity, Part

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=2)
RESAMPLER = PerceiverResampler(
    kind="perceiver", tokens_per_frame=1, heads=2, kv_heads=1, head_dim=8
)


def write(folder, *names):
    """Export a model of these encoders of the microworld, with first weights."""
    identity = ModelIdentity(
        encoders=tuple(Part(family=ENCODERS[name].family, fingerprint=name) for name in names),
        llm=Part(family="causal-lm", fingerprint="llm"),
        resampler=RESAMPLER,
        frames_per_clip=4,
        integration="timestamps",
    )
    encoders = [
        build_encoder(part, f"micro:{name}", frames_per_clip=4, trained=None)
        for part, name in zip(identity.encoders, names, strict=True)
    ]
    llm = qwen2()
    connector = Connector(
        RESAMPLER,
        dims=[encoder.dim for encoder in encoders],
        hidden=llm.config.hidden_size,
        frames_per_clip=4,
    )
    model = VideoLMM(encoders, connector, llm)
    tokenizer = build_tokenizer()
    write_folder(
        model,
        tokenizer,
        identity,
        folder,
        sampling=SAMPLING,
        precision="float32",
        shard_size=5 * 10**9,
    )
    return model
