r"""Bind pictures and clips to their captions: SigLIP, CLIP, LanguageBind.

$z_{ij} = e^{s}\, \hat v_i \cdot \hat t_j + b$ with unit vectors of a medium (the mean over its
clips and frames of a pooled vector) and of a text; $s$ and $b$ are learned. The texts are the
sentences of all captions of the batch, each once, right for every medium of which it is said: whole
captions are told from sixty others by a colour or two, and shapes or motion would never be learned.
(Zheng et al., 2024, DreamLIP, bind to the sentences of long captions, too.) The families differ in
loss and in how a frame becomes a vector:

- SigLIP and SigLIP 2: `sigmoid_loss`; a learned query attends to the patches. Of SigLIP 2 its
  captioning decoder and its self-distillation are left out.
- CLIP: `softmax_loss`; the class token, through a last block that the adapter leaves out.
- LanguageBind: CLIP's, to a text tower that is never trained and is the same for all modalities:
  here one drawn from a stream of its own, so that its image and its video encoder bind to one
  space, though each is pretrained alone. (Theirs is OpenCLIP's, trained before.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.contrast import sigmoid_loss, softmax_loss
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.pooling import AttentionPool
from apollo_core.pretraining.seen_tokens import encode_frames
from apollo_core.pretraining.text_tower import TextTower
from apollo_core.pretraining.watched import Watched
from apollo_core.streams import torch_stream

Loss = Literal["sigmoid", "softmax"]
_LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": sigmoid_loss,
    "softmax": softmax_loss,
}
# e^s and b at the start. CLIP's is as published; SigLIP's b of -10 is for batches of 32,768, whose
# log odds it is: here it is -log(64), about the batches that parts learn in.
_START: dict[Loss, tuple[float, float]] = {
    "sigmoid": (10.0, -math.log(64)),
    "softmax": (1 / 0.07, 0.0),
}
# CLIP's bound on e^s.
_MOST_SCALE = 100.0


class TextBinding(nn.Module):
    """Unit vectors compared with those of captions.

    Args:
        dim, heads: of the text tower.
        loss: which.
        frozen: seed of a text tower that is never trained; None = one that learns.
    """

    def __init__(self, dim: int, *, heads: int, loss: Loss, frozen: int | None = None) -> None:
        super().__init__()
        self._loss = _LOSSES[loss]
        scale, bias = _START[loss]
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(bias)) if bias else None
        if frozen is None:
            self.tower = TextTower(dim, heads=heads)
        else:
            with torch_stream(frozen, "initialise shared text tower"):
                self.tower = TextTower(dim, heads=heads)
        self._learns = frozen is None
        self.project = nn.Linear(dim, dim, bias=False)

    def forward(self, pooled: Float[Tensor, "media dim"], watched: Watched) -> Float[Tensor, ""]:
        """The loss of media against all sentences of the batch."""
        texts, said_of = watched.told()
        with torch.set_grad_enabled(self._learns and torch.is_grad_enabled()):
            said = functional.normalize(self.tower(texts), dim=-1)
        seen = functional.normalize(self.project(pooled), dim=-1)
        logits = self.log_scale.exp().clamp(max=_MOST_SCALE) * seen @ said.T
        if self.bias is not None:
            logits = logits + self.bias
        return self._loss(logits, said_of)


class BindToText(Objective):
    """A contrast with captions, over a batch of media.

    Args:
        encoder, geometry, frames: as `Objective`.
        loss, frozen: as `TextBinding`.
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        geometry: VisionGeometry,
        *,
        frames: int,
        loss: Loss,
        frozen: int | None = None,
    ) -> None:
        super().__init__(encoder, geometry, frames=frames)
        self.pool = AttentionPool(geometry.dim, geometry.heads, geometry.mlp)
        self.text = TextBinding(geometry.dim, heads=geometry.heads, loss=loss, frozen=frozen)

    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss of a batch."""
        tokens, query = encode_frames(self.encoder, self.prepared(watched))
        of_clips = reduce(self.pool(tokens, query), "(b t) d -> b d", "mean", b=len(watched.clips))
        return self.text(watched.mean_of_clips(of_clips), watched)
