r"""Fill in hidden pixels and bind to captions at once: InternVideo2.

$L = L_{\text{pixels}} + L_{\text{text}}$: of one run over the visible tokens, a decoder predicts
the hidden tubelets (`masked_pixels`), and an attention pool makes the vector that is held against
the captions (`contrast.softmax_loss`).

Source: Wang et al. (2024), InternVideo2, section 3. Theirs has two stages: hidden tokens are first
aligned with the features of two large teachers, then, half of the tokens still hidden, clips are
bound to texts. Here a quarter is hidden, since what moves covers few places. No teacher
is larger than the microworld's parts, so the pixels themselves, which theirs learned from (VideoMAE
v2), are the targets; matching and masked words are left out.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.bind_to_text import TextBinding
from apollo_core.pretraining.masked_pixels import pixel_decoder, tubelet_pixels
from apollo_core.pretraining.masks import pick_tokens, tubes
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.pooling import AttentionPool
from apollo_core.pretraining.seen_tokens import encode_kept
from apollo_core.pretraining.watched import Watched

HIDDEN = 0.25


class MaskedVideoText(Objective):
    """A quarter of the tubes is hidden; the others must do for pixels and for text."""

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> None:
        super().__init__(encoder, geometry, frames=frames)
        self.decoder = pixel_decoder(geometry, self.grid)
        self.pool = AttentionPool(geometry.dim, geometry.heads, geometry.mlp)
        self.text = TextBinding(geometry.dim, heads=geometry.heads, loss="softmax")

    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss of a batch."""
        clips = self.prepared(watched)
        masked = tubes(len(clips), self.grid, share=HIDDEN, device=clips.device)
        seen = encode_kept(self.encoder, clips, masked.kept)
        wanted = pick_tokens(tubelet_pixels(clips, self.geometry), masked.hidden)
        pixels = functional.mse_loss(self.decoder(seen, masked), wanted)
        return pixels + self.text(watched.mean_of_clips(self.pool(seen)), watched)
