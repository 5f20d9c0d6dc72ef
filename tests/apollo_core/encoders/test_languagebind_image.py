"""LanguageBind's image encoder as published: torch's own file, a config of a class of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import published_layouts as layouts
import pytest
import torch
from published_files import layout_of, parameters_of
from published_towers import FRAMES, SIDE, TOWERS, change_config, clip, publish, rewrite, weights
from torch import Tensor
from transformers import PreTrainedModel

from apollo_core.catalogue import ENCODERS
from apollo_core.encoders import languagebind_image
from apollo_core.encoders.checkpoint_files import is_read
from apollo_core.encoders.clip import Clip
from apollo_core.encoders.encoder import CLIP_MEAN, CLIP_STD
from apollo_core.encoders.families import build_encoder
from apollo_core.errors import BadData, BadInput
from apollo_core.stages.identity import Part

FILE = "pytorch_model.bin"
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
    "layer_norm_eps": 1e-5,
    "add_time_attn": False,
    "num_frames": 1,
    "force_patch_dropout": 0.5,
    "lora_r": 0,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "num_mel_bins": 0,
    "target_length": 0,
    "video_decode_backend": "decord",
    "model_type": "clip_vision_model",
}
LAYER = "vision_model.encoder.layers.0"


def save(folder, activation="gelu") -> PreTrainedModel:
    """A whole model as `LanguageBindImage.save_pretrained` wrote one; its bare vision tower."""
    layout = replace(TOWERS["clip"], make=lambda: clip(hidden_act=activation))
    bare = publish(layout, folder)
    tensors = weights(folder)
    assert set(layout.keys) < tensors.keys()
    for tower in ("vision", "text"):
        tensors[f"{tower}_model.embeddings.position_ids"] = torch.arange(5)[None]
    torch.save(tensors, folder / FILE)
    (folder / "model.safetensors").unlink()
    change_config(
        folder,
        architectures=["LanguageBindImage"],
        model_type="LanguageBindImage",
        vision_config=VISION | {"hidden_act": activation},
    )
    return bare


def tensors_of(folder) -> dict[str, Tensor]:
    return torch.load(folder / FILE, weights_only=True)


def load(folder) -> Clip:
    return languagebind_image.load(str(folder), revision="main", frames_per_clip=FRAMES).eval()


def some_clips():
    return torch.rand(2, FRAMES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def expected(bare, clips):
    """What the bare tower gives before its last block, as a grid."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    features = TOWERS["clip"].features(bare, ((clips - mean) / std).flatten(0, 1))
    return features.reshape(2, FRAMES, 2, 2, 16)


def assert_gives_the_features_of(bare, folder):
    with torch.no_grad():
        torch.testing.assert_close(load(folder)(some_clips()), expected(bare, some_clips()))


def test_full_size_has_the_names_shapes_and_count_of_a_clip_without_its_last_layer():
    geometry = ENCODERS["languagebind-image"].geometry
    with torch.device("meta"):
        encoder = languagebind_image.create(geometry, frames_per_clip=8)
    published = layouts.languagebind(geometry, frames=1).items()
    assert layout_of(encoder.model) == {
        name: shape for name, shape in published if "temporal" not in name
    }
    last = 12 * 1024**2 + 13 * 1024
    assert parameters_of(encoder) == 303_179_776 - 2 * 1024 - last
    assert encoder.model.config.hidden_act == "gelu"


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_the_published_file_gives_the_features_of_the_bare_class(tmp_path, activation):
    bare = save(tmp_path, activation)
    assert_gives_the_features_of(bare, tmp_path)
    assert load(tmp_path).model.config.hidden_act == activation


def test_both_activations_are_told_apart(tmp_path):
    bare = save(tmp_path, "gelu")
    change_config(tmp_path, vision_config=VISION | {"hidden_act": "quick_gelu"})
    with torch.no_grad():
        difference = load(tmp_path)(some_clips()) - expected(bare, some_clips())
    assert difference.abs().max() > 1e-3


def test_every_tensor_is_the_files_and_can_be_trained(tmp_path):
    save(tmp_path)
    stored = tensors_of(tmp_path)
    encoder = load(tmp_path)
    for name, parameter in encoder.model.named_parameters():
        assert torch.equal(parameter, stored[f"vision_model.{name}"])
        assert parameter.requires_grad
    held = [*encoder.parameters(), *encoder.buffers()]
    assert {tensor.device.type for tensor in held} == {"cpu"}


def test_half_precision_weights_are_held_in_single(tmp_path):
    save(tmp_path)
    torch.save(
        {name: tensor.half() for name, tensor in tensors_of(tmp_path).items()}, tmp_path / FILE
    )
    assert {parameter.dtype for parameter in load(tmp_path).parameters()} == {torch.float32}


def test_a_sweep_may_name_the_folder_or_the_file(tmp_path):
    bare = save(tmp_path)
    part = Part(family="languagebind_image", fingerprint="local:0")
    for location in (tmp_path, tmp_path / FILE):
        encoder = build_encoder(part, str(location), frames_per_clip=FRAMES, trained=None).eval()
        with torch.no_grad():
            torch.testing.assert_close(encoder(some_clips()), expected(bare, some_clips()))


def test_the_published_file_is_among_those_that_are_fetched_and_fingerprinted():
    family = ENCODERS["languagebind-image"].family
    assert all(is_read(Path(name), family) for name in (FILE, "config.json", "model.safetensors"))
    assert not is_read(Path(FILE), "clip")


def test_safetensors_are_read_alone_and_before_what_torch_saved(tmp_path):
    bare = save(tmp_path)
    rewrite(tmp_path, tensors_of(tmp_path))
    torch.save({"other": torch.ones(1)}, tmp_path / FILE)
    assert_gives_the_features_of(bare, tmp_path)
    (tmp_path / FILE).unlink()
    assert_gives_the_features_of(bare, tmp_path)


def test_a_vision_tower_alone_loads_with_a_config_of_its_own(tmp_path):
    bare = save(tmp_path)
    (tmp_path / FILE).unlink()
    bare.save_pretrained(tmp_path)
    assert_gives_the_features_of(bare, tmp_path)


@pytest.mark.parametrize(
    "name",
    ["encoder.layers.0.layer_norm1.weight", "pre_layrnorm.bias", "embeddings.class_embedding"],
)
def test_a_file_that_lacks_a_tensor_is_refused_by_its_name(tmp_path, name):
    save(tmp_path)
    lacking = tensors_of(tmp_path)
    del lacking[f"vision_model.{name}"]
    torch.save(lacking, tmp_path / FILE)
    with pytest.raises(BadData, match=rf"1 lacking \({name}\)"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["temporal_embedding", "self_attn.q_proj.lora_A.default.weight"])
def test_attention_over_time_and_low_rank_adapters_are_refused_by_their_names(tmp_path, name):
    """Without them the model would be another one, silently."""
    save(tmp_path)
    torch.save(tensors_of(tmp_path) | {f"{LAYER}.{name}": torch.ones(1)}, tmp_path / FILE)
    with pytest.raises(BadData, match=rf"1 unknown \(encoder\.layers\.0\.{name}\)"):
        load(tmp_path)


def test_a_tensor_of_another_shape_is_refused_with_both_shapes(tmp_path):
    save(tmp_path)
    other = {f"{LAYER}.self_attn.q_proj.weight": torch.ones(8, 16)}
    torch.save(tensors_of(tmp_path) | other, tmp_path / FILE)
    with pytest.raises(BadData, match=r"q_proj\.weight has shape \(8, 16\), .* needs \(16, 16\)"):
        load(tmp_path)


def test_a_file_of_another_model_is_refused(tmp_path):
    save(tmp_path)
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / FILE)
    with pytest.raises(BadData, match=r"lacks the tensor embeddings\.patch_embedding\.weight"):
        load(tmp_path)


def test_an_activation_is_never_guessed(tmp_path):
    save(tmp_path)
    change_config(tmp_path, vision_config=VISION | {"hidden_act": "gelu_new"})
    with pytest.raises(BadInput, match="hidden_act: unknown value 'gelu_new'"):
        load(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(BadData, match="says which activation"):
        load(tmp_path)


def test_a_file_that_lost_its_last_layer_is_refused_with_both_numbers(tmp_path):
    save(tmp_path)
    last = "vision_model.encoder.layers.1."
    cut = {name: x for name, x in tensors_of(tmp_path).items() if not name.startswith(last)}
    torch.save(cut, tmp_path / FILE)
    with pytest.raises(BadData, match=r"has 1 blocks .* beside it says 2\."):
        load(tmp_path)


def test_a_number_of_heads_that_cannot_be_is_refused(tmp_path):
    save(tmp_path)
    change_config(tmp_path, vision_config=VISION | {"num_attention_heads": 3})
    with pytest.raises(BadData, match=r"num_attention_heads in config\.json is 3; the width of 16"):
        load(tmp_path)
