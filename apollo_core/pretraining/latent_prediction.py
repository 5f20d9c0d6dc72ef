r"""Predict features of what is hidden: V-JEPA.

$\frac{1}{|H|} \sum_{p \in H} \lVert g(f(x_V), p) - \operatorname{LN}(\bar f(x))_p \rVert_1$: a
predictor $g$ reads the encoder's features of the visible tokens and tells, for each hidden place,
what the teacher $\bar f$, the moving average of the encoder, makes of it with the whole clip in
sight. LN has no weights; no gradient goes through the teacher.

Source: Bardes et al. (2024), V-JEPA, section 3. Theirs predicts from two masks at a time (eight
blocks of 0.15 of a frame, two of 0.7) and has a momentum that rises from 0.998 over some 90,000
steps; V-JEPA 2 (Assran et al., 2025) keeps the objective.
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.decoder import Decoder
from apollo_core.pretraining.masks import blocks, pick_tokens
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.seen_tokens import encode_kept
from apollo_core.pretraining.teacher import Teacher
from apollo_core.pretraining.watched import Watched

_BLOCKS = 4
_SHARE = 0.25
# For some hundreds of steps: a teacher of the last hundred.
_MOMENTUM = 0.99


class LatentPrediction(Objective):
    """Rectangles are hidden through all of time; a narrow predictor says what they look like."""

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> None:
        super().__init__(encoder, geometry, frames=frames)
        self.teacher = Teacher(encoder, momentum=_MOMENTUM)
        self.predictor = Decoder(
            geometry.dim,
            width=geometry.dim // 2,
            heads=geometry.heads,
            depth=2,
            out=geometry.dim,
            grid=self.grid,
        )

    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss of a batch."""
        self.teacher.follow(self.encoder)
        clips = self.prepared(watched)
        masked = blocks(len(clips), self.grid, count=_BLOCKS, share=_SHARE, device=clips.device)
        told = self.predictor(encode_kept(self.encoder, clips, masked.kept), masked)
        return functional.l1_loss(told, pick_tokens(self._targets(clips), masked.hidden))

    @torch.no_grad()
    def _targets(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips tokens dim"]:
        teacher = self.teacher.module
        assert isinstance(teacher, VideoEncoder)
        features = rearrange(teacher.encode(clips), "b t h w d -> b (t h w) d")
        return functional.layer_norm(features, features.shape[-1:])
