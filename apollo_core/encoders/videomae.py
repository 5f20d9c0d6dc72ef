"""VideoMAE: a video encoder over tubelets, through transformers' own class.

The class takes exactly `num_frames` frames: its sin-cos position table is computed at construction
and not stored, so that building it for the study's clip length is all that another length needs.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import VideoMAEConfig, VideoMAEModel

from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, VideoEncoder
from apollo_core.errors import BadData, BadInput
from apollo_core.geometry import VisionGeometry
from apollo_core.pretrained import load_whole


class VideoMae(VideoEncoder):
    """Features of every tubelet; the connector's norm covers checkpoints without a final one."""

    def __init__(self, model: VideoMAEModel) -> None:
        super().__init__()
        self.model = model
        self._adopt(model.config, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots side side dim"]:
        """One temporal slot per tubelet (two frames in the published models)."""
        features = self.model(pixel_values=clips).last_hidden_state
        return rearrange(features, "b (t h w) d -> b t h w d", h=self._side, w=self._side)


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> VideoMae:
    """A VideoMAE of this size with fresh weights, for clips of `frames_per_clip` frames."""
    config = VideoMAEConfig(
        hidden_size=geometry.dim,
        intermediate_size=geometry.mlp,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        image_size=geometry.size,
        patch_size=geometry.patch,
        tubelet_size=geometry.tubelet,
        num_frames=_whole_tubelets(frames_per_clip, geometry.tubelet),
        use_mean_pooling=False,
        initializer_range=geometry.dim**-0.5,
    )
    return VideoMae(VideoMAEModel(config))


def load(source: str, *, revision: str, frames_per_clip: int) -> VideoMae:
    """A published or local VideoMAE checkpoint, its position table made for the clip length."""
    try:
        config = VideoMAEConfig.from_pretrained(source, revision=revision)
    except OSError as error:
        raise BadData(f"{source}: has no config that can be read: {error}") from error
    config.num_frames = _whole_tubelets(frames_per_clip, config.tubelet_size)
    return VideoMae(load_whole(VideoMAEModel, source, revision=revision, config=config))


def _whole_tubelets(frames: int, tubelet: int) -> int:
    if frames % tubelet:
        raise BadInput(
            f"sampling.frames_per_clip: {frames} frames are not a whole number of VideoMAE's "
            f"tubelets of {tubelet} frames; choose a multiple of {tubelet}."
        )
    return frames
