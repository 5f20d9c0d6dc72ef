"""Building blocks of the vision transformers that transformers doesn't have.

Attributes bear the names under which the published checkpoints store them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Norm = Callable[[int], nn.Module]


def attend(
    query: Float[Tensor, "batch tokens dim"],
    key: Float[Tensor, "batch tokens dim"],
    value: Float[Tensor, "batch tokens dim"],
    *,
    heads: int,
) -> Float[Tensor, "batch tokens dim"]:
    r"""$\operatorname{softmax}(q k^T / \sqrt{D / heads})\,v$; heads lie side by side in `dim`."""
    q, k, v = (rearrange(x, "b n (h d) -> b h n d", h=heads) for x in (query, key, value))
    return rearrange(functional.scaled_dot_product_attention(q, k, v), "b h n d -> b n (h d)")


class Attention(nn.Module):
    """Self-attention with one matrix for queries, keys and values.

    Args:
        dim, heads: width, and the heads that share it.
        bias: whether queries, keys and values have one.
        norm: of queries and keys over the whole width, before it is split into heads; or None.
    """

    def __init__(self, dim: int, heads: int, *, bias: bool, norm: Norm | None) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.q_norm = norm(dim) if norm else nn.Identity()
        self.k_norm = norm(dim) if norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Every token from every token of its row."""
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        return self.proj(attend(self.q_norm(query), self.k_norm(key), value, heads=self.heads))


class Mlp(nn.Module):
    """Two layers with an activation between them."""

    def __init__(
        self, dim: int, hidden: int, activation: Callable[[Tensor], Tensor] = functional.gelu
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.activation = activation
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:
        """Each token on its own."""
        return self.fc2(self.activation(self.fc1(x)))


class RmsNorm(nn.Module):
    r"""$w\,x / \sqrt{\overline{x^2} + \epsilon}$ in float32, handed on in the type it came in.

    Not torch's module: its inputs and weights must be of one type, which autocast's are not.
    """

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:
        """Each token on its own."""
        weight = self.weight.float()
        return functional.rms_norm(x.float(), weight.shape, weight, self.eps).to(x.dtype)


class LayerScale(nn.Module):
    """A learned factor for each channel, applied in float32 and handed on in the type it came in.

    The published factors start at 1e-5, where bfloat16 would lose the sum.
    """

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:
        """`gamma * x`."""
        return (x.float() * self.gamma.float()).to(x.dtype)


class Block(nn.Module):
    """Attention, then MLP: each behind a norm, each added to what it read.

    Args:
        dim, heads, mlp: width, heads, hidden width of the MLP.
        norm: kind of norm.
        qkv_bias: whether queries, keys and values have a bias.
        qk_norm: whether queries and keys are normalised.
        layer_scale: where the factors of both branches start; None for none.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp: int,
        *,
        norm: Norm,
        qkv_bias: bool,
        qk_norm: bool = False,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = norm(dim)
        self.attn = Attention(dim, heads, bias=qkv_bias, norm=norm if qk_norm else None)
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.norm2 = norm(dim)
        self.mlp = Mlp(dim, mlp)
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """All tokens of a clip see each other."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbedding(nn.Module):
    """A token for each `tubelet` frames x `patch` x `patch` pixels: time first, then rows."""

    def __init__(self, dim: int, *, patch: int, tubelet: int) -> None:
        super().__init__()
        volume = (tubelet, patch, patch)
        self.proj = nn.Conv3d(3, dim, kernel_size=volume, stride=volume)

    def forward(
        self, clips: Float[Tensor, "batch frames 3 size size"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Cut clips into tokens."""
        volumes = self.proj(rearrange(clips, "b t c h w -> b c t h w"))
        return rearrange(volumes, "b d t h w -> b (t h w) d")


def initialise(model: nn.Module) -> None:
    """Fresh matrices whose outputs have the size of their inputs: std = (inputs)^-1/2; no bias.

    Published models start at 0.02 whatever their width; at a width of 48, signals would vanish.
    """
    for part in model.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.Conv3d):
            nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def initialise_positions(table: Tensor) -> None:
    """Learned positions as large as the patches that they are added to: std = 1.

    Published models start at (width)^-1/2 and learn for long; after a thousand steps what is seen
    drowns that, and features hardly tell where they are from.
    """
    nn.init.normal_(table)
