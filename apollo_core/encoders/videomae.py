"""VideoMAE: a video encoder over tubelets, through transformers' own class.

The class takes exactly `num_frames` frames: its sin-cos position table is computed at construction
and not stored, so that building it for the study's clip length is all that another length needs.
Positions count patches through, so the table of a shorter clip is the longer one's beginning.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from transformers import VideoMAEConfig, VideoMAEModel

from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, VideoEncoder
from apollo_core.encoders.pretrained import load_config, load_whole
from apollo_core.encoders.tubelets import whole_tubelets
from apollo_core.geometry import VisionGeometry

# Pretraining's decoder, and the head of a checkpoint fine-tuned to classify.
LEFT_OUT = (r"decoder\..*", r"encoder_to_decoder\..*", "mask_token", r"(fc_norm|classifier)\..*")


class VideoMae(VideoEncoder):
    """Normalised features of every tubelet.

    A checkpoint fine-tuned to classify (`use_mean_pooling`) has no final norm: its head norms the
    mean over all tubelets. Those weights fit the mean's statistics, not a tubelet's, so here each
    tubelet gets a LayerNorm without any.
    """

    def __init__(self, model: VideoMAEModel) -> None:
        super().__init__()
        # The class holds its table on the CPU and copies it to the device in every forward.
        table = model.embeddings.position_embeddings
        del model.embeddings.position_embeddings
        model.embeddings.register_buffer("position_embeddings", table, persistent=False)
        self.model = model
        self._adopt(model.config, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        plain = nn.LayerNorm(self.dim, eps=model.config.layer_norm_eps, elementwise_affine=False)
        self.norm = plain if model.config.use_mean_pooling else nn.Identity()

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots side side dim"]:
        """One temporal slot per tubelet (two frames in the published models)."""
        features = self.norm(self.model(pixel_values=clips).last_hidden_state)
        return rearrange(features, "b (t h w) d -> b t h w d", h=self._side, w=self._side)


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> VideoMae:
    """A VideoMAE of this size with fresh weights, for clips of `frames_per_clip` frames."""
    whole_tubelets(frames_per_clip, geometry.tubelet, encoder="VideoMAE")
    config = VideoMAEConfig(
        hidden_size=geometry.dim,
        intermediate_size=geometry.mlp,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        image_size=geometry.size,
        patch_size=geometry.patch,
        tubelet_size=geometry.tubelet,
        num_frames=frames_per_clip,
        use_mean_pooling=False,
        initializer_range=geometry.dim**-0.5,
    )
    return VideoMae(VideoMAEModel(config))


def load(source: str, *, revision: str, frames_per_clip: int) -> VideoMae:
    """A published or local VideoMAE checkpoint, its position table made for the clip length."""
    config = load_config(VideoMAEConfig, source, revision=revision)
    whole_tubelets(frames_per_clip, config.tubelet_size, encoder="VideoMAE")
    config.num_frames = frames_per_clip
    model = load_whole(VideoMAEModel, source, revision=revision, left_out=LEFT_OUT, config=config)
    return VideoMae(model)
