"""Sizes of published models, read from the configs in `published/`; no torch, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apollo_core.geometry import DINOV2_SIZE, DROPPED_BLOCKS, LlmGeometry, VisionGeometry

FOLDER = Path(__file__).parent / "published"


def config_file(name: str) -> Path:
    """The config of an encoder of the catalogue, or of a language model by its hub id."""
    return FOLDER / f"{name.rpartition('/')[2].lower()}.json"


def vision_geometry(name: str, *, family: str) -> VisionGeometry:
    """The size of an encoder as its adapter builds it for its published clip length.

    Args:
        name: in the catalogue.
        family: key of its adapter.
    """
    config = _read(name)
    dim = config["hidden_size"]
    stored = config["crop_size"] if "crop_size" in config else config["image_size"]
    frames = config.get("num_frames", config.get("frames_per_clip", 1))
    return VisionGeometry(
        dim=dim,
        depth=config["num_hidden_layers"] - DROPPED_BLOCKS.get(family, 0),
        heads=config["num_attention_heads"],
        mlp=config.get("intermediate_size") or int(dim * config["mlp_ratio"]),
        size=min(DINOV2_SIZE, stored) if family == "dinov2" else stored,
        patch=config["patch_size"],
        frames=frames,
        tubelet=config.get("tubelet_size", 1),
        family=family,
        registers=config.get("num_register_tokens", 0),
    )


def llm_geometry(name: str) -> LlmGeometry:
    """The size of a language model of the Qwen2 kind; `name` is its hub id."""
    config = _read(name)
    return LlmGeometry(
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        mlp=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        tied=config["tie_word_embeddings"],
    )


def _read(name: str) -> dict[str, Any]:
    return json.loads(config_file(name).read_text(encoding="utf-8"))
