"""InternVideo2 as published: names, shapes, counts, numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import published_layouts as layouts
import pytest
import slow_reference as slow
import torch
from published_files import (
    INTERNVIDEO2,
    encoded,
    in_float64,
    internvideo2_tensors,
    layout_of,
    parameters_of,
    random_clip,
    save_bare,
    save_internvideo2,
)

from apollo_core.catalogue import ENCODERS
from apollo_core.encoders import internvideo2
from apollo_core.encoders.blocks import LayerScale
from apollo_core.errors import BadData

FULL = ENCODERS["internvideo2-1b"].geometry


def loaded(folder, frames=4):
    return internvideo2.load(str(folder), revision="main", frames_per_clip=frames)


@pytest.mark.parametrize(("depth", "parameters"), [(39, 986_975_872), (40, 1_012_224_640)])
def test_full_size_has_the_published_names_shapes_and_count(depth, parameters):
    geometry = replace(FULL, depth=depth)
    with torch.device("meta"):
        encoder = internvideo2.create(geometry, frames_per_clip=4)
    assert layout_of(encoder) == layouts.internvideo2(geometry, places=1 + 4 * 256)
    assert parameters_of(encoder) == parameters


def test_a_published_file_gives_an_independent_implementations_features_of_block_39(tmp_path):
    tensors = internvideo2_tensors()
    encoder = loaded(save_internvideo2(tmp_path, tensors))
    assert len(encoder.blocks) == 39
    clip = random_clip(4, INTERNVIDEO2.size)
    expected = slow.internvideo2(in_float64(tensors), clip, depth=39, heads=2)
    found = encoded(encoder, clip)
    assert found.shape == (4, 2, 2, 12)
    # Float32's rounding goes through 39 blocks of unit gain.
    torch.testing.assert_close(
        found, torch.from_numpy(expected).float().view(found.shape), rtol=1e-4, atol=1e-4
    )


def test_a_file_of_fewer_blocks_is_taken_whole_where_its_config_says_how_many(tmp_path):
    tensors = layouts.random_tensors(layouts.internvideo2(replace(INTERNVIDEO2, depth=3), 17))
    folder = save_bare(tmp_path, tensors, num_hidden_layers=3, num_attention_heads=2, num_frames=4)
    clip = random_clip(4, INTERNVIDEO2.size)
    expected = slow.internvideo2(in_float64(tensors), clip, depth=3, heads=2)
    found = encoded(loaded(folder), clip)
    torch.testing.assert_close(found, torch.from_numpy(expected).float().view(found.shape))


def test_a_file_without_the_block_that_is_not_used_gives_the_same_features(tmp_path):
    tensors = internvideo2_tensors()
    encoder = loaded(save_internvideo2(tmp_path, tensors))
    clip = random_clip(4, INTERNVIDEO2.size)
    expected = encoded(encoder, clip)
    (tmp_path / "bare").mkdir()
    kept = {name: x for name, x in tensors.items() if not name.startswith("blocks.39.")}
    folder = save_bare(
        tmp_path / "bare", kept, num_hidden_layers=39, num_attention_heads=2, num_frames=4
    )
    assert torch.equal(encoded(loaded(folder), clip), expected)


@pytest.mark.parametrize("blocks", [38, 39, 40])
def test_without_a_config_a_file_of_the_published_width_has_39_or_40_blocks(blocks):
    names = {f"blocks.{index}.norm1.weight": torch.ones(1) for index in range(blocks)}
    layout = {"patch_embed.proj.weight": torch.ones(1408, 3, 1, 14, 14)}
    layout |= {
        "pos_embed": torch.ones(1, 1 + 4 * 256, 1),
        "blocks.0.mlp.fc1.weight": torch.ones(6144, 1),
    }
    checkpoint = internvideo2.Checkpoint("here", names | layout)
    if blocks == 38:
        with pytest.raises(BadData, match=r"here: has 38 blocks .* published with 39 or 40\."):
            internvideo2._geometry(checkpoint)
    else:
        assert internvideo2._geometry(checkpoint).depth == 39


def test_a_table_of_4_frames_is_resized_to_8_and_keeps_its_class_position(tmp_path):
    tensors = internvideo2_tensors()
    encoder = loaded(save_internvideo2(tmp_path, tensors), frames=8)
    assert encoder.pos_embed.shape == (1, 1 + 8 * 4, 12)
    assert torch.equal(encoder.pos_embed[:, 0], tensors["pos_embed"][:, 0])
    assert encoded(encoder, random_clip(8, INTERNVIDEO2.size)).shape == (8, 2, 2, 12)


def test_without_a_config_a_table_is_read_as_frames_of_224_pixels():
    geometry = replace(INTERNVIDEO2, depth=1, size=48)
    tensors = layouts.random_tensors(layouts.internvideo2(geometry, 1 + 2 * 256))
    checkpoint = internvideo2.Checkpoint("here", tensors, {"num_attention_heads": 2})
    assert internvideo2._stored_grid(checkpoint) == (2, 16, 16)


def test_a_picture_repeated_gives_equal_frames_where_positions_tell_none_apart():
    encoder = internvideo2.create(replace(INTERNVIDEO2, depth=2), frames_per_clip=4)
    with torch.no_grad():
        encoder.pos_embed[:, 1:] = encoder.pos_embed[:, 1:5].repeat(1, 4, 1)
    picture = np.repeat(random_clip(1, INTERNVIDEO2.size), 4, axis=0)
    grid = encoded(encoder, picture)
    torch.testing.assert_close(grid, grid[:1].expand_as(grid))


def test_a_file_of_more_blocks_than_the_published_one_is_refused(tmp_path):
    tensors = layouts.random_tensors(layouts.internvideo2(replace(INTERNVIDEO2, depth=41), 17))
    folder = save_bare(tmp_path, tensors, num_hidden_layers=41, num_attention_heads=2, num_frames=4)
    with pytest.raises(BadData, match=r"unknown \(blocks\.40\.attn"):
        loaded(folder)


def test_factors_of_1e_5_are_applied_in_float32():
    scale = LayerScale(4, 1e-5)
    scaled = scale(torch.ones(1, 1, 4, dtype=torch.bfloat16))
    assert scaled.dtype == torch.bfloat16
    torch.testing.assert_close(scaled.float(), torch.full((1, 1, 4), 1e-5), rtol=4e-3, atol=0)
