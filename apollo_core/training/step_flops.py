"""FLOPs of a training step, in closed form; imports no torch.

A matrix of n entries costs a token 2 n forward, 2 n more to pass the gradient on to what entered
it, and 2 n more for its own gradient: 6 N a token for N trained parameters. Attention over L
positions costs 4 L^2 w forward (w = width of all heads, scores and sums), and twice that backward;
it has no weights. The square is counted whole though half of it is masked, and what activation
checkpointing computes again is not counted: both as in Chowdhery et al. (2022), PaLM, appendix B.
Norms, activation functions and the optimiser are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What the parts of a model cost.

    Attributes:
        vision, connector: FLOPs of one clip forward.
        pixels: those of `vision` in patch embeddings: nobody asks for a gradient of pixels.
        vision_still, connector_still, pixels_still: of a clip that is one picture repeated.
        llm_matrices: entries of all matrices in the language model's blocks.
        llm_attention: width of all heads, summed over layers.
        llm_head: entries of the output matrix, through which only supervised positions go.
    """

    vision: float
    connector: float
    pixels: float
    vision_still: float
    connector_still: float
    pixels_still: float
    llm_matrices: int
    llm_attention: int
    llm_head: int


def passes(trained: Collection[str]) -> dict[str, int]:
    """Forwards' worth of work in the matrices of each module.

    1, and 2 more if it is trained; 1 more if it is frozen and something nearer to the input is
    trained. The first layer of the lowest trained module passes nothing on; only where it sees
    pixels does it matter (`Sizes.pixels`).
    """
    found: dict[str, int] = {}
    below = False
    for module in ("vision", "connector", "llm"):
        own = module in trained
        found[module] = 3 if own else 2 if below else 1
        below = below or own
    return found


def batch_flops(
    sizes: Sizes,
    trained: Collection[str],
    *,
    clips: int,
    stills: int,
    lengths: Sequence[int],
    supervised: int,
    encoded: tuple[int, int] | None = None,
) -> float:
    """Forward and backward of one micro-batch.

    Args:
        sizes: the model's.
        trained: modules with a rate above 0.
        clips, stills: how many clips with motion, and how many that are one picture.
        lengths: positions of each conversation.
        supervised: positions with a label.
        encoded: of the clips and the stills, how many go through encoders; None = all. The features
            of the others are at hand.
    """
    times = passes(trained)
    if not clips + stills and "llm" not in trained:
        times |= {"llm": 1}  # text alone does not depend on the connector
    moving, single = (clips, stills) if encoded is None else encoded
    vision = moving * sizes.vision + single * sizes.vision_still
    connector = clips * sizes.connector + stills * sizes.connector_still
    if "vision" in trained:
        vision -= (clips * sizes.pixels + stills * sizes.pixels_still) / 3
    matrices = 2.0 * (sizes.llm_matrices * sum(lengths) + sizes.llm_head * supervised)
    attention = 4.0 * sizes.llm_attention * sum(length**2 for length in lengths)
    return (
        times["vision"] * vision
        + times["connector"] * connector
        + times["llm"] * matrices
        + (3 if times["llm"] > 1 else 1) * attention
    )
