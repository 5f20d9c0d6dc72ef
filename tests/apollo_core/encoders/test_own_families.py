"""What every encoder that is built here does, whichever it is."""

from __future__ import annotations

import json
from dataclasses import replace

import published_files as published
import pytest
import torch
from published_files import INTERNVIDEO2, LANGUAGEBIND, VJEPA, gradient_of

from apollo_core.encoders import internvideo2, languagebind_video, vjepa
from apollo_core.encoders.families import build_encoder
from apollo_core.errors import BadData
from apollo_core.geometry import VisionGeometry
from apollo_core.stages.identity import Part

# family: module, how its tiny published file is made and saved, a tensor of its first block
FAMILIES = {
    "vjepa": (vjepa, published.vjepa_tensors, published.save_vjepa, "blocks.0.norm1.weight"),
    "internvideo2": (
        internvideo2,
        published.internvideo2_tensors,
        published.save_internvideo2,
        "blocks.0.norm1.weight",
    ),
    "languagebind_video": (
        languagebind_video,
        published.languagebind_tensors,
        published.save_languagebind,
        "encoder.layers.0.layer_norm1.weight",
    ),
}
MICRO = [
    VisionGeometry(dim=48, depth=2, heads=4, mlp=96, size=48, patch=12, frames=4, tubelet=2),
    VisionGeometry(dim=30, depth=1, heads=3, mlp=50, size=16, patch=8, frames=4, tubelet=1),
]

each_family = pytest.mark.parametrize("family", FAMILIES)


@each_family
@pytest.mark.parametrize("geometry", MICRO)
def test_any_micro_size_can_be_made(family, geometry):
    if family == "languagebind_video":
        geometry = replace(geometry, tubelet=1)
    encoder = FAMILIES[family][0].create(geometry, frames_per_clip=4)
    grid = encoder(torch.rand(2, 4, 3, 20, 24))
    assert grid.shape == (2, 4 // geometry.tubelet, geometry.side, geometry.side, geometry.dim)
    assert not encoder.per_frame


@each_family
def test_fresh_features_tell_clips_apart(family):
    """With the published rates of initialisation they would be one constant at these widths."""
    geometry = replace(MICRO[0], tubelet=1)
    encoder = FAMILIES[family][0].create(geometry, frames_per_clip=4)
    with torch.no_grad():
        grid = encoder(torch.rand(8, 4, 3, 48, 48, generator=torch.Generator().manual_seed(0)))
    assert grid.std(dim=0).mean() > 0.1 * grid.std()


@each_family
def test_bfloat16_by_autocast_or_throughout_gives_the_same_features_to_its_precision(family):
    geometry = replace(MICRO[0], tubelet=1)
    encoder = FAMILIES[family][0].create(geometry, frames_per_clip=4).eval()
    clips = torch.rand(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = encoder(clips)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = encoder(clips)
        narrow = encoder.bfloat16()(clips.bfloat16())
    assert narrow.dtype == torch.bfloat16
    for found in (mixed, narrow):
        assert (found.float() - exact).norm() < 0.03 * exact.norm()


@each_family
def test_a_trained_encoder_gets_a_gradient_everywhere_and_a_frozen_one_nowhere(family):
    geometry = replace(MICRO[1], depth=2)
    encoder = FAMILIES[family][0].create(geometry, frames_per_clip=4)
    clips = torch.rand(1, 4, 3, 16, 16)
    # A sum would do for none: after a norm it is constant.
    encoder(clips).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        if name.endswith(("k_proj.bias", "qkv.bias")):
            continue  # a bias of the keys shifts every score alike: its gradient is zero
        assert gradient_of(parameter).abs().sum() > 0, name
    encoder.requires_grad_(False)
    assert not encoder(clips).requires_grad


@each_family
def test_a_published_file_is_built_from_where_a_sweep_says(tmp_path, family):
    _, tensors, save, _ = FAMILIES[family]
    folder = save(tmp_path, tensors())
    part = Part(family=family, fingerprint="local:0")
    [file] = [path for path in folder.iterdir() if path.suffix != ".json"]
    for location in (folder, file):
        encoder = build_encoder(part, str(location), frames_per_clip=4, trained=None)
        assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
        assert all(parameter.requires_grad for parameter in encoder.parameters())
        assert {tensor.device.type for tensor in encoder.state_dict().values()} == {"cpu"}


@each_family
def test_a_published_file_that_lacks_a_tensor_is_refused_by_its_name(tmp_path, family):
    module, tensors, save, name = FAMILIES[family]
    lacking = tensors()
    del lacking[name]
    short = name.removeprefix("encoder.").replace(".", r"\.")
    with pytest.raises(BadData, match=rf"1 lacking \({short}\)"):
        module.load(str(save(tmp_path, lacking)), revision="main", frames_per_clip=4)


@each_family
def test_a_published_file_that_has_an_unknown_tensor_is_refused_by_its_name(tmp_path, family):
    module, tensors, save, _ = FAMILIES[family]
    with pytest.raises(BadData, match=r"1 unknown \(blocks\.0\.attn\.relative_position\)"):
        module.load(
            str(save(tmp_path, tensors() | {"blocks.0.attn.relative_position": torch.ones(1)})),
            revision="main",
            frames_per_clip=4,
        )


@each_family
def test_a_file_of_another_model_is_refused(tmp_path, family):
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "resnet.pth")
    (tmp_path / "config.json").write_text('{"num_attention_heads": 2}')
    with pytest.raises(BadData, match=r"resnet\.pth: lacks the tensor patch_embed"):
        FAMILIES[family][0].load(str(tmp_path), revision="main", frames_per_clip=4)


# family: how the last of its tiny file's blocks are named, and how many there are
LAST_BLOCKS = {
    "vjepa": ("blocks.1.", 2),
    "internvideo2": ("blocks.39.", 40),
    "languagebind_video": ("encoder.layers.2.", 3),
}


@each_family
def test_a_published_file_that_lost_its_last_block_is_refused_with_both_numbers(tmp_path, family):
    module, tensors, save, _ = FAMILIES[family]
    last, count = LAST_BLOCKS[family]
    cut = {name: tensor for name, tensor in tensors().items() if not name.startswith(last)}
    with pytest.raises(BadData, match=rf"has {count - 1} blocks .* beside it says {count}\."):
        module.load(str(save(tmp_path, cut)), revision="main", frames_per_clip=4)


def change_config(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.get("vision_config", config).update(changes)
    path.write_text(json.dumps(config))


@each_family
def test_a_width_that_was_never_published_needs_its_number_of_blocks_written_down(tmp_path, family):
    module, tensors, save, _ = FAMILIES[family]
    folder = save(tmp_path, tensors())
    change_config(folder, num_hidden_layers=None)
    with pytest.raises(BadData, match="don't tell num_hidden_layers"):
        module.load(str(folder), revision="main", frames_per_clip=4)


@each_family
def test_heads_that_do_not_divide_the_width_are_refused(tmp_path, family):
    module, tensors, save, _ = FAMILIES[family]
    folder = save(tmp_path, tensors())
    change_config(folder, num_attention_heads=7)
    with pytest.raises(BadData, match=r"num_attention_heads in config\.json is 7; the width of"):
        module.load(str(folder), revision="main", frames_per_clip=4)


@pytest.mark.parametrize("family", ["vjepa", "internvideo2"])
def test_an_input_smaller_than_a_patch_is_refused(tmp_path, family):
    module, tensors, save, _ = FAMILIES[family]
    folder = save(tmp_path, tensors())
    change_config(folder, image_size=1)
    with pytest.raises(BadData, match=r"image_size in config\.json is 1, less than a patch"):
        module.load(str(folder), revision="main", frames_per_clip=4)


@each_family
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, family, value):
    module, tensors, save, name = FAMILIES[family]
    damaged = tensors()
    damaged[name][3] = value
    short = name.removeprefix("encoder.").replace(".", r"\.")
    with pytest.raises(BadData, match=rf"{short} holds NaN or infinite values; fetch"):
        module.load(str(save(tmp_path, damaged)), revision="main", frames_per_clip=4)


def test_tiny_files_are_of_the_geometries_that_their_tests_name(tmp_path):
    sizes = {"vjepa": VJEPA, "internvideo2": INTERNVIDEO2, "languagebind_video": LANGUAGEBIND}
    for family, geometry in sizes.items():
        module, tensors, save, _ = FAMILIES[family]
        (tmp_path / family).mkdir()
        encoder = module.load(
            str(save(tmp_path / family, tensors())), revision="main", frames_per_clip=4
        )
        assert (encoder.dim, encoder.spec.size) == (geometry.dim, geometry.size)
