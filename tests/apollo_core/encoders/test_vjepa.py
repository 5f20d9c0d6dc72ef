"""V-JEPA 1 as published: names, shapes, counts, numbers."""

from __future__ import annotations

import published_layouts as layouts
import pytest
import slow_reference as slow
import torch
from published_files import (
    VJEPA,
    encoded,
    in_float64,
    layout_of,
    parameters_of,
    random_clip,
    save_bare,
    save_vjepa,
    vjepa_tensors,
    write_config,
)

from apollo_core.catalogue import ENCODERS
from apollo_core.encoders import vjepa
from apollo_core.encoders.positions import Grid
from apollo_core.errors import BadData, BadInput


def loaded(folder, frames=16):
    return vjepa.load(str(folder), revision="main", frames_per_clip=frames)


@pytest.mark.parametrize(
    ("name", "parameters", "places"),
    [("vjepa-large", 303_885_312, 8 * 14**2), ("vjepa-huge", 631_648_000, 8 * 24**2)],
)
def test_full_size_has_the_published_names_shapes_and_count(name, parameters, places):
    geometry = ENCODERS[name].geometry
    with torch.device("meta"):
        encoder = vjepa.create(geometry, frames_per_clip=16)
    assert layout_of(encoder) == layouts.vjepa(geometry, places)
    assert parameters_of(encoder) == parameters


def test_a_published_file_gives_the_features_of_an_independent_implementation(tmp_path):
    tensors = vjepa_tensors()
    encoder = loaded(save_vjepa(tmp_path, tensors))
    clip = random_clip(16, VJEPA.size)
    expected = slow.vjepa(in_float64(tensors), clip, depth=2, heads=2).reshape(8, 2, 2, 20)
    torch.testing.assert_close(encoded(encoder, clip), torch.from_numpy(expected).float())


def test_the_same_tensors_as_safetensors_are_the_same_encoder(tmp_path):
    tensors = vjepa_tensors()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    published = loaded(save_vjepa(tmp_path / "a", tensors))
    folder = save_bare(tmp_path / "b", tensors, num_hidden_layers=2, num_attention_heads=2)
    bare = loaded(folder)
    clip = random_clip(16, VJEPA.size)
    assert torch.equal(encoded(published, clip), encoded(bare, clip))


@pytest.mark.parametrize(("dim", "grid"), [(20, Grid(2, 3, 3)), (24, Grid(4, 1, 1))])
def test_fresh_positions_are_sines_and_cosines_of_equal_share_per_axis(dim, grid):
    geometry = vjepa.VisionGeometry(
        dim=dim, depth=1, heads=2, mlp=8, size=4 * grid.rows, patch=4, tubelet=2
    )
    encoder = vjepa.create(geometry, frames_per_clip=2 * grid.slots)
    expected = torch.from_numpy(slow.sincos(dim, grid.slots, grid.rows)).float()
    torch.testing.assert_close(encoder.pos_embed[0], expected)


def test_a_table_of_sixteen_frames_is_resized_to_clips_of_four(tmp_path):
    encoder = loaded(save_vjepa(tmp_path, vjepa_tensors()), frames=4)
    assert encoded(encoder, random_clip(4, VJEPA.size)).shape == (2, 2, 2, 20)


def test_config_json_may_ask_for_another_input_size(tmp_path):
    folder = save_vjepa(tmp_path, vjepa_tensors())
    write_config(folder, num_hidden_layers=2, num_attention_heads=2, image_size=12)
    encoder = loaded(folder)
    assert encoder.spec.size == 12
    assert encoded(encoder, random_clip(16, 12)).shape == (8, 3, 3, 20)


def test_positions_are_stored_and_never_trained(tmp_path):
    encoder = loaded(save_vjepa(tmp_path, vjepa_tensors()))
    assert "pos_embed" in encoder.state_dict()
    assert "pos_embed" not in dict(encoder.named_parameters())


def test_heads_that_no_tensor_tells_must_be_written_down(tmp_path):
    folder = save_vjepa(tmp_path, vjepa_tensors())
    write_config(folder, num_hidden_layers=2)
    with pytest.raises(BadData, match="don't tell num_attention_heads"):
        loaded(folder)


def test_a_table_of_another_number_of_frames_is_refused_until_it_is_told(tmp_path):
    tensors = vjepa_tensors()
    tensors["pos_embed"] = tensors["pos_embed"][:, : 2 * 9]
    folder = save_vjepa(tmp_path, tensors)
    with pytest.raises(BadData, match=r"table of 18 positions is not 8 squares, .* num_frames"):
        loaded(folder)
    write_config(folder, num_hidden_layers=2, num_attention_heads=2, num_frames=4)
    assert loaded(folder).spec.size == 12


@pytest.mark.parametrize("frames", [1, 15])
def test_a_table_for_half_a_tubelet_is_refused(tmp_path, frames):
    folder = save_vjepa(tmp_path, vjepa_tensors())
    write_config(folder, num_hidden_layers=2, num_attention_heads=2, num_frames=frames)
    with pytest.raises(BadData, match=rf"num_frames in config\.json is {frames}, no whole number"):
        loaded(folder)


@pytest.mark.parametrize(("width", "published"), [(1024, 24), (1280, 32)])
@pytest.mark.parametrize("lost", [0, 1, 9])
def test_without_a_config_a_file_has_as_many_blocks_as_were_published(width, published, lost):
    found = published - lost
    layout = {
        "patch_embed.proj.weight": torch.ones(width, 3, 2, 16, 16),
        "pos_embed": torch.ones(1, 8 * 14**2, 1),
        "blocks.0.mlp.fc1.weight": torch.ones(4 * width, 1),
    }
    names = {f"blocks.{index}.norm1.weight": torch.ones(1) for index in range(found)}
    checkpoint = vjepa.Checkpoint("here", layout | names)
    if lost:
        with pytest.raises(BadData, match=rf"has {found} blocks .* published with {published}\."):
            vjepa._geometry(checkpoint)
    else:
        assert vjepa._geometry(checkpoint).depth == published


@pytest.mark.parametrize("frames", [1, 3])
def test_half_a_tubelet_is_refused(frames):
    with pytest.raises(BadInput, match="not a whole number of V-JEPA's tubelets of 2 frames"):
        vjepa.create(VJEPA, frames_per_clip=frames)
