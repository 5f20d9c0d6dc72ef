r"""Predict hidden pixels from the rest: VideoMAE.

$\frac{1}{|H|} \sum_{p \in H} \lVert f(x_{V})_p - \bar x_p \rVert^2 / m$: of the hidden tubelets
$H$, the mean square error of their $m$ pixels, which are normalised tubelet by tubelet; the encoder
sees the visible ones $V$ alone.

Source: Tong et al. (2022), VideoMAE. Theirs hides 0.9 of 196 places; of the few that a small grid
has, 0.75 are hidden.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.positions import Grid
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.decoder import Decoder
from apollo_core.pretraining.masks import pick_tokens, tubes
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.seen_tokens import encode_kept
from apollo_core.pretraining.watched import Watched

HIDDEN = 0.75


def tubelet_pixels(
    clips: Float[Tensor, "clips frames 3 size size"], geometry: VisionGeometry
) -> Float[Tensor, "clips tokens values"]:
    """The pixels of each tubelet, of mean 0 and variance 1 within it."""
    cut = {"p": geometry.patch, "q": geometry.patch, "s": geometry.tubelet}
    values = rearrange(clips, "b (t s) c (h p) (w q) -> b (t h w) (s p q c)", **cut)
    return functional.layer_norm(values, values.shape[-1:], eps=1e-6)


class MaskedPixels(Objective):
    """Tubes are hidden, a decoder half as wide as the encoder fills them in."""

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> None:
        super().__init__(encoder, geometry, frames=frames)
        self.decoder = pixel_decoder(geometry, self.grid)

    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss of a batch."""
        clips = self.prepared(watched)
        masked = tubes(len(clips), self.grid, share=HIDDEN, device=clips.device)
        filled = self.decoder(encode_kept(self.encoder, clips, masked.kept), masked)
        wanted = pick_tokens(tubelet_pixels(clips, self.geometry), masked.hidden)
        return functional.mse_loss(filled, wanted)


def pixel_decoder(geometry: VisionGeometry, grid: Grid) -> Decoder:
    """Half as wide as the encoder, one block; a tubelet's pixels come out."""
    return Decoder(
        geometry.dim,
        width=geometry.dim // 2,
        heads=geometry.heads,
        depth=1,
        out=3 * geometry.tubelet * geometry.patch**2,
        grid=grid,
    )
