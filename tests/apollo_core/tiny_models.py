"""Tiny models of the real classes, and conversations to put through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from apollo_core.batch import Batch, collate
from apollo_core.connector.connector import Connector
from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    Joining,
    MemoryBank,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
    Resampler,
)
from apollo_core.encoders import siglip, videomae
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry
from apollo_core.media.reader import Shown
from apollo_core.microworld.parts import VOCABULARY_SIZE
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.text.chat import encode_answer, encode_training
from apollo_core.text.integration import VISUAL

FRAMES = 4
IMAGE = VisionGeometry(dim=16, depth=2, heads=2, mlp=32, size=32, patch=8)
VIDEO = VisionGeometry(dim=24, depth=2, heads=2, mlp=48, size=16, patch=8, frames=16, tubelet=2)
SIZES: dict[str, Any] = dict(  # noqa: C408 - keywords of a config
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=VOCABULARY_SIZE,
    max_position_embeddings=512,
    initializer_range=0.2,
)
PERCEIVER = PerceiverResampler(
    kind="perceiver", tokens_per_frame=2, heads=4, kv_heads=2, head_dim=8
)
POOLING = MlpAvgResampler(kind="mlp_avg", tokens_per_frame=2)
QFORMER = QFormerResampler(kind="qformer", tokens_per_frame=2, width=24, heads=4)
ASKED = QFORMER.model_copy(update={"text": True})
# One of each kind, and the text-conditioned one beside.
RESAMPLERS: dict[str, Resampler] = {
    "perceiver": PERCEIVER,
    "mlp_avg": POOLING,
    "conv_avg": ConvAvgResampler(kind="conv_avg", tokens_per_frame=2),
    "attention_pool": AttentionPoolResampler(
        kind="attention_pool", tokens_per_frame=2, heads=4, head_dim=8
    ),
    "qformer": QFORMER,
    "qformer-asked": ASKED,
}


def qwen2(*, tied: bool = True) -> Qwen2ForCausalLM:
    """A language model of the Qwen2 class."""
    return Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=tied)).eval()


def llama() -> LlamaForCausalLM:
    """A language model of another class, its head not tied."""
    return LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=False)).eval()


def image_encoder() -> VideoEncoder:
    """A SigLIP."""
    return siglip.create(IMAGE, frames_per_clip=FRAMES).eval()


def video_encoder() -> VideoEncoder:
    """A VideoMAE."""
    return videomae.create(VIDEO, frames_per_clip=FRAMES).eval()


def lmm(
    llm: PreTrainedModel | None = None,
    *,
    encoders: Sequence[VideoEncoder] | None = None,
    resampler: Resampler = PERCEIVER,
    joining: Joining = "unified",
    memory: MemoryBank | None = None,
    seed: int = 0,
) -> VideoLMM:
    """A whole model from one seed; both encoders unless told otherwise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        towers = [image_encoder(), video_encoder()] if encoders is None else encoders
        language = qwen2() if llm is None else llm
        dims = [tower.dim for tower in towers]
        connector = Connector(
            resampler,
            dims=dims,
            hidden=32,
            frames_per_clip=FRAMES,
            joining=joining,
            per_frame=[tower.per_frame for tower in towers],
            memory=memory,
        )
        return VideoLMM(towers, connector, language).eval()


def token_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of `text` as it stands, nothing added."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def clips(count: int, seed: int = 0) -> np.ndarray:
    """Frames of `count` clips, as decoded."""
    shape = (count, FRAMES, 32, 32, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def a_video(frames: np.ndarray) -> Shown:
    """A video of these clips."""
    return Shown(frames, (VISUAL * len(frames),), 2.0, (len(frames),), (False,))


def an_image(frames: np.ndarray) -> Shown:
    """One picture for each clip, of its first frame."""
    repeated = frames[:, :1].repeat(FRAMES, axis=1)
    count = len(frames)
    return Shown(repeated, (VISUAL,) * count, 0.0, (1,) * count, (True,) * count)


def of_clips(frames: np.ndarray) -> Batch:
    """A batch that is only its clips."""
    nobody = encode_answer(build_tokenizer(), VISUAL * len(frames), "7", tokens_per_clip=1)
    return collate([nobody], [a_video(frames)], [0], tokens_per_clip=1)


def conversation(tokenizer: PreTrainedTokenizerBase, media: int = 0, answer: str = "red") -> Batch:
    """One conversation about `media` clips."""
    return conversations(tokenizer, [(media, answer)])


def conversations(
    tokenizer: PreTrainedTokenizerBase, asked: Sequence[tuple[int, str]], *, per_clip: int = 8
) -> Batch:
    """A batch of conversations, each about its own number of clips, with its answer."""
    encoded = [
        encode_training(
            tokenizer,
            [("user", VISUAL * count + "\nwhat colour is the circle?"), ("assistant", answer)],
            tokens_per_clip=per_clip,
        )
        for count, answer in asked
    ]
    media = [a_video(clips(count, seed)) for seed, (count, _) in enumerate(asked) if count]
    numbers = iter(range(len(media)))
    shown = [next(numbers) if count else -1 for count, _ in asked]
    return collate(encoded, media, shown, tokens_per_clip=per_clip)
