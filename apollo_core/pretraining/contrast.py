r"""Losses that bind pictures to texts, over all pairs of a batch.

Logits are $z_{ij}$ of picture $i$ of $n$ and text $j$ of $m$; $P_{ij} = 1$ where the text is right
for the picture. A text may be right for several pictures, a picture for several texts; each for one
at least.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def sigmoid_loss(
    logits: Float[Tensor, "media texts"], positives: Bool[Tensor, "media texts"]
) -> Float[Tensor, ""]:
    r"""Each pair on its own: right or not.

    $-\frac{1}{n} \sum_{ij} \log \sigma\big((2 P_{ij} - 1)\, z_{ij}\big)$

    Source: Zhai et al. (2023), Sigmoid Loss for Language Image Pre-Training, algorithm 1.
    """
    targets = positives.to(logits.dtype)
    pairs = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return pairs / len(logits)


def softmax_loss(
    logits: Float[Tensor, "media texts"], positives: Bool[Tensor, "media texts"]
) -> Float[Tensor, ""]:
    r"""Which texts are a picture's, and which pictures a text's (InfoNCE both ways).

    $-\frac{1}{2} \Big(\frac{1}{n} \sum_{ij} \frac{P_{ij}}{\sum_k P_{ik}}
    \log \operatorname{softmax}_j z_{ij} + \frac{1}{m} \sum_{ij} \frac{P_{ij}}{\sum_k P_{kj}}
    \log \operatorname{softmax}_i z_{ij}\Big)$

    Source: Radford et al. (2021), CLIP, figure 3; several right ones as Khosla et al. (2020). With
    $k$ right texts its least is about $\frac{1}{2} \log k$ and more, not 0.
    """
    right = positives.to(logits.dtype)
    texts = functional.cross_entropy(logits, right / right.sum(1, keepdim=True))
    pictures = functional.cross_entropy(logits.T, (right / right.sum(0)).T)
    return (texts + pictures) / 2
