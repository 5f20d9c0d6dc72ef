"""Vision encoders: one code path from a size or from a checkpoint, one grid out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import (
    FRAMES,
    VIDEO,
    clips,
    image_encoder,
    lmm,
    of_clips,
    video_encoder,
)
from torch import Tensor
from transformers import (
    PreTrainedModel,
    SiglipConfig,
    SiglipTextConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
    VideoMAEConfig,
    VideoMAEModel,
)

from apollo_core.encoders import siglip, videomae
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.families import build_encoder
from apollo_core.errors import BadInput
from apollo_core.pixels import to_unit
from apollo_core.stages.identity import Part


@torch.no_grad()
def features(encoder: VideoEncoder) -> Tensor:
    return encoder.eval()(to_unit(torch.from_numpy(clips(2))))


def tower_of(encoder: VideoEncoder) -> PreTrainedModel:
    assert isinstance(encoder.model, PreTrainedModel)
    return encoder.model


def saved_siglip(folder: Path) -> SiglipVisionModel:
    model = SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
    )
    model.save_pretrained(folder)
    return model.eval()


def publish(folder: Path) -> None:
    """Rewrite a saved vision tower as the hub has it: both towers, every key under its tower."""
    vision = json.loads((folder / "config.json").read_text())
    text = SiglipTextConfig(hidden_size=16, num_hidden_layers=1, vocab_size=8).to_dict()
    SiglipConfig(text_config=text, vision_config=vision).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    renamed = {f"vision_model.{key}": tensor for key, tensor in weights.items()}
    renamed |= {"text_model.final_layer_norm.weight": torch.ones(16), "logit_scale": torch.ones(1)}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_grid_has_a_slot_for_each_frame_or_tubelet():
    assert features(image_encoder()).shape == (2, FRAMES, 4, 4, 16)
    assert features(video_encoder()).shape == (2, FRAMES // 2, 2, 2, 24)


@pytest.mark.parametrize("layout", ["as saved", "as published"])
def test_a_siglip_checkpoint_gives_the_features_of_its_model(tmp_path, layout):
    model = saved_siglip(tmp_path)
    if layout == "as published":
        publish(tmp_path)
    encoder = siglip.load(str(tmp_path), revision="main", frames_per_clip=FRAMES)
    frames = torch.from_numpy(clips(2))
    pixels = (frames.flatten(0, 1).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state.view(2, FRAMES, 4, 4, 16)
        torch.testing.assert_close(encoder.eval()(to_unit(frames)), expected)


@pytest.mark.parametrize("create", [image_encoder, video_encoder])
def test_an_encoder_loaded_from_its_own_checkpoint_is_the_same_encoder(tmp_path, create):
    made = create()
    tower_of(made).save_pretrained(tmp_path)
    family = "siglip" if create is image_encoder else "videomae"
    part = Part(family=family, fingerprint="local:0")
    loaded = build_encoder(part, str(tmp_path), frames_per_clip=FRAMES, trained=None)
    assert loaded.spec == made.spec
    assert torch.equal(features(loaded), features(made))


def test_a_videomae_of_sixteen_frames_encodes_clips_of_four(tmp_path):
    config = VideoMAEConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        num_frames=16,
    )
    VideoMAEModel(config).save_pretrained(tmp_path)
    encoder = videomae.load(str(tmp_path), revision="main", frames_per_clip=FRAMES)
    assert features(encoder).shape == (2, FRAMES // 2, 2, 2, 24)


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_half_a_tubelet_is_refused(tmp_path, frames):
    with pytest.raises(BadInput, match=f"{frames} frames are not a whole number .* multiple of 2"):
        videomae.create(VIDEO, frames_per_clip=frames)
    tower_of(video_encoder()).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="frames_per_clip"):
        videomae.load(str(tmp_path), revision="main", frames_per_clip=frames)


def test_an_unknown_family_is_refused_with_the_nearest_name():
    part = Part(family="siglib", fingerprint="micro:siglip@1")
    with pytest.raises(BadInput, match="Did you mean 'siglip'"):
        build_encoder(part, "micro:siglip", frames_per_clip=FRAMES, trained=None)


def test_a_microworld_encoder_is_the_same_for_every_replicate():
    part = Part(family="siglip", fingerprint="micro:siglip@1")
    torch.manual_seed(1)
    first = build_encoder(part, "micro:siglip", frames_per_clip=FRAMES, trained=None)
    torch.manual_seed(2)
    again = build_encoder(part, "micro:siglip", frames_per_clip=FRAMES, trained=None)
    assert torch.equal(features(first), features(again))


def test_frozen_encoders_get_no_gradient_and_keep_no_graph():
    model = lmm()
    model.vision.requires_grad_(False)
    model.visual_tokens(of_clips(clips(2))).sum().backward()
    assert all(parameter.grad is None for parameter in model.vision.parameters())
    assert model.connector.join.norms[0].weight.grad is not None


def test_trained_encoders_get_a_gradient_in_their_first_and_last_layer():
    model = lmm()
    tokens = model.visual_tokens(of_clips(clips(2)))
    tokens.backward(torch.randn(tokens.shape, generator=torch.Generator().manual_seed(0)))
    for encoder in model.vision:
        gradients = [parameter.grad for parameter in encoder.parameters()]
        assert gradients[0] is not None
        assert gradients[0].abs().sum() > 0
        assert gradients[-1] is not None
        assert gradients[-1].abs().sum() > 0
