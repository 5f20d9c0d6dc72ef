"""V-JEPA 2: a video encoder over tubelets, through transformers' own class.

Its positions are rotary, so that clips of any length fit. A clip of one frame is shown twice, as
the class does itself.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from transformers import VJEPA2Config, VJEPA2Model

from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, VideoEncoder
from apollo_core.encoders.pretrained import load_whole
from apollo_core.encoders.tubelets import whole_tubelets
from apollo_core.geometry import VisionGeometry

# The head of a checkpoint fine-tuned to classify.
LEFT_OUT = (r"(pooler|classifier)\..*",)


class Vjepa2(VideoEncoder):
    """Features after the final norm, one for each tubelet.

    Of the model only the encoder is kept: the predictor, pretraining's other half, is not used
    (`skip_predictor` in transformers), and would be trained in name and never change.
    """

    def __init__(self, model: VJEPA2Model) -> None:
        super().__init__()
        self.model = model.encoder
        self._adopt(model.config, mean=IMAGENET_MEAN, std=IMAGENET_STD, size=model.config.crop_size)

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots side side dim"]:
        """One temporal slot per tubelet."""
        features = self.model(pixel_values_videos=clips).last_hidden_state
        return rearrange(features, "b (t h w) d -> b t h w d", h=self._side, w=self._side)


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Vjepa2:
    """A V-JEPA 2 of this size with fresh weights, for clips of `frames_per_clip` frames."""
    _check_length(frames_per_clip, geometry.tubelet)
    config = VJEPA2Config(
        hidden_size=geometry.dim,
        mlp_ratio=geometry.mlp_ratio,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        crop_size=geometry.size,
        patch_size=geometry.patch,
        tubelet_size=geometry.tubelet,
        initializer_range=geometry.dim**-0.5,
        pred_num_hidden_layers=0,  # the class builds a predictor; the encoder alone is kept
    )
    return Vjepa2(VJEPA2Model(config))


def load(source: str, *, revision: str, frames_per_clip: int) -> Vjepa2:
    """A published or local V-JEPA 2 checkpoint, with its predictor."""
    model = load_whole(VJEPA2Model, source, revision=revision, left_out=LEFT_OUT)
    _check_length(frames_per_clip, model.config.tubelet_size)
    return Vjepa2(model)


def _check_length(frames: int, tubelet: int) -> None:
    if frames > 1:
        whole_tubelets(frames, tubelet, encoder="V-JEPA 2")
