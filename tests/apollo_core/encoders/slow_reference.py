"""The own encoders once more, from their published descriptions: plain loops, float64, no torch.

Tensors bear their published names. Nothing here is shared with the code that it checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tensors = Mapping[str, Array]


def gelu(x: Array) -> Array:
    return np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))(x)


def quick_gelu(x: Array) -> Array:
    return np.vectorize(lambda v: v / (1 + math.exp(-1.702 * v)))(x)


def layer_norm(x: Array, weights: Tensors, name: str, eps: float) -> Array:
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        variance = sum((value - mean) ** 2 for value in row) / len(row)
        rows.append((row - mean) / math.sqrt(variance + eps))
    return np.array(rows) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def rms_norm(x: Array, weights: Tensors, name: str) -> Array:
    rows = [row / math.sqrt(sum(value**2 for value in row) / len(row) + 1e-6) for row in x]
    return np.array(rows) * weights[f"{name}.weight"]


def linear(x: Array, weights: Tensors, name: str) -> Array:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def attention(query: Array, key: Array, value: Array, heads: int) -> Array:
    """Token by token and head by head: exp, sum, weigh."""
    width = query.shape[1] // heads
    out = np.zeros_like(query)
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        for token in range(len(query)):
            scores = [
                float(query[token, part] @ other) / math.sqrt(width) for other in key[:, part]
            ]
            shares = [math.exp(score - max(scores)) for score in scores]
            for share, seen in zip(shares, value[:, part], strict=True):
                out[token, part] += share / sum(shares) * seen
    return out


def mlp(x: Array, weights: Tensors, name: str, activation: Callable[[Array], Array]) -> Array:
    return linear(activation(linear(x, weights, f"{name}.fc1")), weights, f"{name}.fc2")


def patches(clip: Array, weights: Tensors, name: str) -> Array:
    """Tokens of a clip (frames, 3, size, size): cut out, then one weighted sum per channel."""
    kernel = weights[f"{name}.weight"]
    if kernel.ndim == 4:
        kernel = kernel[:, :, None]
    _, _, tubelet, patch, _ = kernel.shape
    tokens = []
    for time in range(0, clip.shape[0], tubelet):
        for row in range(0, clip.shape[2], patch):
            for column in range(0, clip.shape[3], patch):
                piece = clip[time : time + tubelet, :, row : row + patch, column : column + patch]
                seen = piece.transpose(1, 0, 2, 3)
                tokens.append([float((channel * seen).sum()) for channel in kernel])
    bias = weights.get(f"{name}.bias", np.zeros(len(kernel)))
    return np.array(tokens) + bias


def sincos(dim: int, slots: int, side: int) -> Array:
    """Positions of a grid: one entry at a time."""
    axis = 2 * math.ceil(dim / 6)
    rows = []
    for place in np.ndindex(slots, side, side):
        entry: list[float] = []
        for position in place:
            angles = [position / 10000 ** (index / (axis / 2)) for index in range(axis // 2)]
            entry += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
        rows.append(entry[:dim])
    return np.array(rows)


def vjepa(weights: Tensors, clip: Array, *, depth: int, heads: int) -> Array:
    """Tokens after the final norm."""
    x = patches(clip, weights, "patch_embed.proj") + weights["pos_embed"][0]
    for block in (f"blocks.{index}" for index in range(depth)):
        seen = layer_norm(x, weights, f"{block}.norm1", 1e-6)
        qkv = linear(seen, weights, f"{block}.attn.qkv")
        mixed = attention(*np.split(qkv, 3, axis=1), heads)
        x = x + linear(mixed, weights, f"{block}.attn.proj")
        x = x + mlp(layer_norm(x, weights, f"{block}.norm2", 1e-6), weights, f"{block}.mlp", gelu)
    return layer_norm(x, weights, "norm", 1e-6)


def internvideo2(weights: Tensors, clip: Array, *, depth: int, heads: int) -> Array:
    """Tokens after `depth` blocks, without the class token."""
    x = np.concatenate([weights["cls_token"][0], patches(clip, weights, "patch_embed.proj")])
    x = x + weights["pos_embed"][0]
    for block in (f"blocks.{index}" for index in range(depth)):
        seen = rms_norm(x, weights, f"{block}.norm1")
        query, key, value = np.split(seen @ weights[f"{block}.attn.qkv.weight"].T, 3, axis=1)
        query = rms_norm(query, weights, f"{block}.attn.q_norm")
        key = rms_norm(key, weights, f"{block}.attn.k_norm")
        mixed = linear(attention(query, key, value, heads), weights, f"{block}.attn.proj")
        x = x + weights[f"{block}.ls1.gamma"] * mixed
        seen = rms_norm(x, weights, f"{block}.norm2")
        x = x + weights[f"{block}.ls2.gamma"] * mlp(seen, weights, f"{block}.mlp", gelu)
    return x[1:]


def languagebind(
    weights: Tensors,
    clip: Array,
    *,
    depth: int,
    heads: int,
    activation: Callable[[Array], Array] = gelu,
) -> Array:
    """Tokens of each frame after the last layer, without the class tokens."""
    frames = []
    for frame in clip:
        cut = patches(frame[None], weights, "embeddings.patch_embedding")
        tokens = np.concatenate([weights["embeddings.class_embedding"][None], cut])
        tokens = tokens + weights["embeddings.position_embedding.weight"]
        frames.append(layer_norm(tokens, weights, "pre_layrnorm", 1e-5))
    x = np.array(frames)
    for layer in (f"encoder.layers.{index}" for index in range(depth)):
        for place in range(x.shape[1]):
            through_time = x[:, place] + weights[f"{layer}.temporal_embedding"][0]
            seen = layer_norm(through_time, weights, f"{layer}.temporal_layer_norm1", 1e-5)
            mixed = clip_attention(seen, weights, f"{layer}.temporal_attn", heads)
            x[:, place] = through_time + mixed
        for index, tokens in enumerate(x.copy()):
            seen = layer_norm(tokens, weights, f"{layer}.layer_norm1", 1e-5)
            tokens = tokens + clip_attention(seen, weights, f"{layer}.self_attn", heads)
            seen = layer_norm(tokens, weights, f"{layer}.layer_norm2", 1e-5)
            x[index] = tokens + mlp(seen, weights, f"{layer}.mlp", activation)
    return x[:, 1:]


def clip_attention(x: Array, weights: Tensors, name: str, heads: int) -> Array:
    query, key, value = (linear(x, weights, f"{name}.{part}_proj") for part in "qkv")
    return linear(attention(query, key, value, heads), weights, f"{name}.out_proj")
