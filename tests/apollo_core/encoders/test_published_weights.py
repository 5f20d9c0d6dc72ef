"""Checkpoints laid out as the published ones: loaded whole, with equal outputs, or refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from einops import rearrange
from published_towers import FRAMES, SIDE, TOWERS, change_config, publish, rewrite, weights
from tiny_models import llama, qwen2
from transformers import AutoModelForCausalLM, PreTrainedModel

from apollo_core.encoders import dinov2
from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, VideoEncoder
from apollo_core.encoders.families import FAMILIES
from apollo_core.encoders.pretrained import load_whole
from apollo_core.errors import BadData

each_tower = pytest.mark.parametrize("name", TOWERS)


def load(name, folder, frames=FRAMES) -> VideoEncoder:
    family = FAMILIES[TOWERS[name].family]
    return family.load(str(folder), revision="main", frames_per_clip=frames).eval()


def tower_of(encoder: VideoEncoder) -> Any:
    return encoder.model


def some_clips(frames=FRAMES, count=2):
    return torch.rand(count, frames, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def expected(name, bare, clips):
    """The bare transformers class on the same clips, as a grid."""
    tower = TOWERS[name]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (tower.mean, tower.std))
    pixels = (clips - mean) / std
    if tower.family in ("videomae", "vjepa2"):
        return rearrange(tower.features(bare, pixels), "b (t h w) d -> b t h w d", h=2, w=2)
    features = tower.features(bare, pixels.flatten(0, 1))
    return rearrange(features, "(b t) (h w) d -> b t h w d", b=len(clips), h=2)


@each_tower
def test_a_published_checkpoint_gives_the_features_of_the_bare_class(tmp_path, name):
    bare = publish(TOWERS[name], tmp_path)
    assert set(TOWERS[name].keys) < weights(tmp_path).keys()
    encoder = load(name, tmp_path)
    with torch.no_grad():
        clips = some_clips()
        torch.testing.assert_close(encoder(clips), expected(name, bare, clips))


@each_tower
def test_every_tensor_of_an_encoder_is_the_checkpoints(tmp_path, name):
    bare = publish(TOWERS[name], tmp_path)
    encoder = load(name, tmp_path)
    saved = {tuple(p.flatten().tolist()) for p in bare.parameters()}
    assert all(tuple(p.flatten().tolist()) in saved for p in encoder.parameters())


@each_tower
def test_an_absent_tensor_is_refused_by_its_name(tmp_path, name):
    publish(TOWERS[name], tmp_path)
    tensors = weights(tmp_path)
    last = max(key for key in tensors if re.search(r"encoder\.layers?\.1\.", key))
    for key in (TOWERS[name].first, last):
        rewrite(tmp_path, {each: tensor for each, tensor in tensors.items() if each != key})
        with pytest.raises(BadData, match=r"1 missing \(\S*encoder\.layers?\.\d\.\S+\)$"):
            load(name, tmp_path)


@each_tower
def test_a_tensor_that_the_model_does_not_know_is_refused_by_its_name(tmp_path, name):
    publish(TOWERS[name], tmp_path)
    extra = TOWERS[name].first.rpartition(".")[0] + ".lora_A"
    rewrite(tmp_path, weights(tmp_path) | {extra: torch.ones(2)})
    with pytest.raises(BadData, match=r"1 unexpected \(\S+\.lora_A\)$"):
        load(name, tmp_path)


@each_tower
def test_a_tensor_of_another_shape_is_refused_with_both_shapes(tmp_path, name):
    publish(TOWERS[name], tmp_path)
    tensors = weights(tmp_path)
    first = tensors[TOWERS[name].first]
    rewrite(tmp_path, tensors | {TOWERS[name].first: torch.ones(5)})
    wanted = ", ".join(map(str, first.shape)) + ("," if first.dim() == 1 else "")
    with pytest.raises(BadData, match=rf"1 misshapen \(\S+ \(5,\) for \({wanted}\)\)$"):
        load(name, tmp_path)


@each_tower
def test_transformers_leaves_no_key_of_an_encoder_out_of_its_report(tmp_path, name):
    """Of what these lists name, `load_whole` would hear nothing."""
    bare = publish(TOWERS[name], tmp_path)
    assert not bare._keys_to_ignore_on_load_missing
    assert not bare._keys_to_ignore_on_load_unexpected


@each_tower
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, name):
    publish(TOWERS[name], tmp_path)
    tensors = weights(tmp_path)
    tensors[TOWERS[name].first].view(-1)[0] = float("nan")
    rewrite(tmp_path, tensors)
    with pytest.raises(BadData, match=r"layers?\.0\.\S+ holds NaN or infinite values"):
        load(name, tmp_path)


def test_the_first_versions_position_numbers_are_no_weights(tmp_path):
    publish(TOWERS["clip"], tmp_path)
    towers = ("vision", "text")
    numbers = {f"{each}_model.embeddings.position_ids": torch.arange(5) for each in towers}
    rewrite(tmp_path, weights(tmp_path) | numbers)
    load("clip", tmp_path)


def test_the_weights_of_another_family_are_refused(tmp_path):
    publish(TOWERS["dinov2"], tmp_path)
    with pytest.raises(BadData, match=r"not the weights of a SiglipVisionModel: \d+ missing"):
        load("siglip", tmp_path)


def test_half_precision_weights_are_held_in_single(tmp_path):
    publish(TOWERS["siglip"], tmp_path)
    rewrite(tmp_path, {key: tensor.bfloat16() for key, tensor in weights(tmp_path).items()})
    assert {p.dtype for p in load("siglip", tmp_path).parameters()} == {torch.float32}


def test_pickles_and_damaged_files_are_refused(tmp_path):
    publish(TOWERS["siglip"], tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadData, match="cannot be loaded as SiglipVisionModel"):
        load("siglip", tmp_path)
    path.unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadData, match=r"model\.safetensors"):
        load("siglip", tmp_path)


def test_without_a_config_nothing_is_loaded(tmp_path):
    """transformers would build a model of the class's default size, with its default activation."""
    publish(TOWERS["clip"], tmp_path)
    (tmp_path / "config.json").unlink()
    for name in TOWERS:
        with pytest.raises(BadData, match=r"has no config\.json"):
            load(name, tmp_path)


def test_a_config_that_cannot_be_read_is_refused(tmp_path):
    config = tmp_path / "config.json"
    config.write_text("{")
    with pytest.raises(BadData, match="has no config that can be read"):
        load("siglip", tmp_path)
    config.write_text('{"model_type": "dinov2", "hidden_size": "wide"}')
    with pytest.raises(BadData, match=r"has no config that can be read.*'hidden_size'"):
        load("dinov2", tmp_path)


def test_a_model_that_brings_its_own_code_is_refused(tmp_path):
    llama().save_pretrained(tmp_path)
    change_config(tmp_path, model_type="other", auto_map={"AutoModelForCausalLM": "code.Model"})
    (tmp_path / "code.py").write_text("raise AssertionError('was run')")
    with pytest.raises(BadData, match="cannot be loaded"):
        load_whole(AutoModelForCausalLM, str(tmp_path), revision="main")


def saved(model: PreTrainedModel, folder):
    model.save_pretrained(folder)
    return weights(folder)


@pytest.mark.parametrize("tied", [True, False])
def test_a_language_model_loads_with_and_without_a_head_of_its_own(tmp_path, tied):
    model = qwen2(tied=tied)
    tensors = saved(model, tmp_path)
    assert ("lm_head.weight" in tensors) is not tied
    loaded = load_whole(AutoModelForCausalLM, str(tmp_path), revision="main")
    tokens = torch.arange(6)[None]
    torch.testing.assert_close(loaded.eval()(tokens).logits, model(tokens).logits)
    assert (loaded.lm_head.weight is loaded.model.embed_tokens.weight) is tied


def test_a_language_model_with_stored_rotary_frequencies_loads(tmp_path):
    tensors = saved(llama(), tmp_path)
    stored = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(4) for i in range(2)}
    rewrite(tmp_path, tensors | stored)
    load_whole(AutoModelForCausalLM, str(tmp_path), revision="main")


def test_a_language_model_that_lacks_a_tensor_or_has_another_is_refused(tmp_path):
    tensors = saved(qwen2(tied=False), tmp_path)
    rewrite(tmp_path, {key: tensor for key, tensor in tensors.items() if key != "lm_head.weight"})
    with pytest.raises(BadData, match=r"1 missing \(lm_head\.weight\)"):
        load_whole(AutoModelForCausalLM, str(tmp_path), revision="main")
    rewrite(tmp_path, tensors | {"model.layers.2.mlp.up_proj.weight": torch.ones(1)})
    with pytest.raises(BadData, match=r"1 unexpected \(model\.layers\.2\.mlp\.up_proj\.weight\)"):
        load_whole(AutoModelForCausalLM, str(tmp_path), revision="main")


@pytest.mark.parametrize("name", ["dinov2", "dinov2 with registers"])
def test_dinov2_resizes_its_positions_once_to_the_size_that_is_wanted(tmp_path, monkeypatch, name):
    monkeypatch.setattr(dinov2, "DINOV2_SIZE", 24)
    bare = publish(TOWERS[name], tmp_path)
    assert load(name, tmp_path).spec.size == SIDE  # never beyond its own
    monkeypatch.setattr(dinov2, "DINOV2_SIZE", 8)
    encoder = load(name, tmp_path)
    assert tower_of(encoder).embeddings.position_embeddings.shape == (1, 1 + 1, 16)
    clips = torch.rand(1, 1, 3, 8, 8)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        grid, patches = encoder(clips), TOWERS[name].features(bare, (clips[0] - mean) / std)
    torch.testing.assert_close(grid, patches.view(1, 1, 1, 1, 16))


@pytest.mark.parametrize("frames", [2, 8])
def test_videomae_takes_clips_of_another_length_than_it_was_trained_with(tmp_path, frames):
    publish(TOWERS["videomae"], tmp_path)
    short, long = load("videomae", tmp_path, frames=2), load("videomae", tmp_path, frames=frames)
    assert long(some_clips(frames)).shape == (2, frames // 2, 2, 2, 16)
    tables = [tower_of(each).embeddings.position_embeddings for each in (short, long)]
    torch.testing.assert_close(tables[0], tables[1][:, :4])
    assert not [key for key in long.state_dict() if "position" in key]  # computed, not stored
    assert tower_of(long.to("meta")).embeddings.position_embeddings.device.type == "meta"


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_vjepa2_takes_clips_of_any_length_and_shows_a_single_frame_twice(tmp_path, frames):
    bare = publish(TOWERS["vjepa2"], tmp_path)
    encoder = load("vjepa2", tmp_path, frames=frames)
    clips = some_clips(frames)
    shown = clips if frames > 1 else clips.repeat(1, 2, 1, 1, 1)
    with torch.no_grad():
        grid = encoder(clips)
        assert grid.shape == (2, max(1, frames // 2), 2, 2, 16)
        torch.testing.assert_close(grid, expected("vjepa2", bare, shown))
