"""Run an encoder on some of a clip's tokens, or with its class token: what only pretraining asks.

The adapters give a whole grid without the class token; objectives that hide tokens save their cost
by leaving them out, and those that bind to text read the class token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from apollo_core.encoders.clip import Clip
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.internvideo2 import InternVideo2
from apollo_core.encoders.languagebind_video import LanguageBindVideo
from apollo_core.encoders.siglip import Siglip
from apollo_core.encoders.videomae import VideoMae
from apollo_core.encoders.vjepa import Vjepa
from apollo_core.encoders.vjepa2 import Vjepa2
from apollo_core.pretraining.masks import pick_tokens

Clips = Float[Tensor, "clips frames 3 size size"]
Kept = Int[Tensor, "clips kept"]
Seen = Float[Tensor, "clips kept dim"]


def encode_kept(encoder: VideoEncoder, clips: Clips, kept: Kept) -> Seen:
    """Features of the tokens at `kept`, which see no others (but a class token, if there is one).

    Args:
        encoder: one of the families whose objectives hide tokens.
        clips: as `encoder.encode` takes them.
        kept: places among a clip's tokens: time, then rows, then columns.
    """
    return _KEPT[type(encoder)](encoder, clips, kept)


def _videomae(encoder: Any, clips: Clips, kept: Kept) -> Seen:
    embeddings = encoder.model.embeddings
    tokens = embeddings.patch_embeddings(clips) + embeddings.position_embeddings
    seen = encoder.model.encoder(pick_tokens(tokens, kept)).last_hidden_state
    return encoder.model.layernorm(seen)


def _vjepa(encoder: Any, clips: Clips, kept: Kept) -> Seen:
    tokens = pick_tokens(encoder.patch_embed(clips) + encoder.pos_embed, kept)
    for block in encoder.blocks:
        tokens = block(tokens)
    return encoder.norm(tokens)


def _vjepa2(encoder: Any, clips: Clips, kept: Kept) -> Seen:
    tokens = pick_tokens(encoder.model.embeddings(clips), kept)
    for layer in encoder.model.layer:
        tokens = layer(tokens, kept)[0]
    return encoder.model.layernorm(tokens)


def _internvideo2(encoder: Any, clips: Clips, kept: Kept) -> Seen:
    start, table = encoder.pos_embed.tensor_split([1], dim=1)
    tokens = pick_tokens(encoder.patch_embed(clips) + table, kept)
    first = (encoder.cls_token + start).expand(len(clips), -1, -1)
    tokens = torch.cat([first, tokens], dim=1)
    for block in encoder.blocks:
        tokens = block(tokens)
    return tokens[:, 1:]


_KEPT: dict[type[VideoEncoder], Callable[[Any, Clips, Kept], Seen]] = {
    VideoMae: _videomae,
    Vjepa: _vjepa,
    Vjepa2: _vjepa2,
    InternVideo2: _internvideo2,
}


def encode_frames(
    encoder: VideoEncoder, clips: Clips
) -> tuple[Float[Tensor, "images tokens dim"], Float[Tensor, "images dim"] | None]:
    """All tokens of each frame, and of the families that have one the class token again.

    Args:
        encoder: one of the families that bind to text.
        clips: as `encoder.encode` takes them.
    """
    images = rearrange(clips, "b t c h w -> (b t) c h w")
    match encoder:
        case Siglip():
            return encoder.encode_images(images), None
        case Clip():
            tokens = encoder.model(pixel_values=images).last_hidden_state
        case LanguageBindVideo():
            tokens = rearrange(encoder.with_class(clips), "b t n d -> (b t) n d")
        case _:
            raise AssertionError(f"{type(encoder).__name__} binds no frames to text")
    return tokens, tokens[:, 0]
