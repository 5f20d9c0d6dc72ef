"""LanguageBind's video encoder as published: names, shapes, counts, numbers."""

from __future__ import annotations

import numpy as np
import published_layouts as layouts
import pytest
import slow_reference as slow
import torch
from published_files import (
    LANGUAGEBIND,
    encoded,
    in_float64,
    languagebind_tensors,
    layout_of,
    parameters_of,
    random_clip,
    save_languagebind,
)

from apollo_core.catalogue import ENCODERS
from apollo_core.encoders import languagebind_video
from apollo_core.errors import BadData, BadInput


def loaded(folder, frames=8):
    return languagebind_video.load(str(folder), revision="main", frames_per_clip=frames)


def test_full_size_has_the_published_names_shapes_and_count():
    geometry = ENCODERS["languagebind-video"].geometry
    with torch.device("meta"):
        encoder = languagebind_video.create(geometry, frames_per_clip=8)
    published = {
        name.removeprefix("encoder.").removeprefix("embeddings."): shape
        for name, shape in layouts.languagebind(geometry, frames=8).items()
    }
    assert layout_of(encoder) == published
    # CLIP ViT-L/14 without its pooled norm and its last layer, and in each of the others a norm, an
    # attention, 8 embeddings.
    clip = 303_179_776 - 2 * 1024
    layer = 12 * 1024**2 + 13 * 1024
    over_time = 2 * 1024 + 4 * (1024**2 + 1024) + 8 * 1024
    assert parameters_of(encoder) == clip - layer + 23 * over_time


@pytest.mark.parametrize(
    ("activation", "reference"), [("gelu", slow.gelu), ("quick_gelu", slow.quick_gelu)]
)
def test_a_published_file_gives_an_independent_implementations_features_of_its_last_layer_but_one(
    tmp_path, activation, reference
):
    tensors = languagebind_tensors()
    encoder = loaded(save_languagebind(tmp_path, tensors, activation))
    clip = random_clip(8, LANGUAGEBIND.size)
    expected = slow.languagebind(
        in_float64(tensors), clip, depth=2, heads=2, activation=reference
    ).reshape(8, 2, 2, 16)
    torch.testing.assert_close(encoded(encoder, clip), torch.from_numpy(expected).float())


def test_embeddings_of_eight_frames_are_resized_to_clips_of_four(tmp_path):
    tensors = languagebind_tensors()
    encoder = loaded(save_languagebind(tmp_path, tensors), frames=4)
    stored = tensors["encoder.layers.1.temporal_embedding"]
    halved = (stored[:, 0::2] + stored[:, 1::2]) / 2
    torch.testing.assert_close(encoder.layers[1].temporal_embedding, halved)
    assert encoded(encoder, random_clip(4, LANGUAGEBIND.size)).shape == (4, 2, 2, 16)


def test_a_clip_of_one_frame_gets_no_embedding_of_time(tmp_path):
    """As published, attention over time is then each place's own value and no more."""
    tensors = languagebind_tensors()
    clip = random_clip(1, LANGUAGEBIND.size)
    found = encoded(loaded(save_languagebind(tmp_path, tensors), frames=1), clip)
    for layer in range(LANGUAGEBIND.depth):
        tensors[f"encoder.layers.{layer}.temporal_embedding"] = torch.zeros(1, 1, 16)
    expected = slow.languagebind(in_float64(tensors), clip, depth=2, heads=2, activation=slow.gelu)
    torch.testing.assert_close(found, torch.from_numpy(expected).float().view(found.shape))


def test_what_happens_in_one_frame_reaches_the_others(tmp_path):
    encoder = loaded(save_languagebind(tmp_path, languagebind_tensors()))
    clip = random_clip(8, LANGUAGEBIND.size)
    other = clip.copy()
    other[5] += 1
    assert (encoded(encoder, clip)[0] - encoded(encoder, other)[0]).abs().max() > 1e-3


def test_a_picture_repeated_gives_equal_frames_where_embeddings_tell_none_apart(tmp_path):
    tensors = languagebind_tensors()
    for layer in range(LANGUAGEBIND.depth):
        tensors[f"encoder.layers.{layer}.temporal_embedding"].zero_()
    encoder = loaded(save_languagebind(tmp_path, tensors))
    grid = encoded(encoder, np.repeat(random_clip(1, LANGUAGEBIND.size), 8, axis=0))
    torch.testing.assert_close(grid, grid[:1].expand_as(grid))


def test_a_mirrored_clip_is_not_the_clip(tmp_path):
    encoder = loaded(save_languagebind(tmp_path, languagebind_tensors()))
    clip = random_clip(8, LANGUAGEBIND.size)
    assert torch.equal(encoded(encoder, clip), encoded(encoder, clip))
    assert not torch.allclose(encoded(encoder, clip), encoded(encoder, clip[..., ::-1].copy()))


def test_a_checkpoint_of_low_rank_adapters_is_refused_by_their_names(tmp_path):
    tensors = languagebind_tensors()
    name = "encoder.layers.0.temporal_attn.q_proj"
    tensors[f"{name}.lora_A.default.weight"] = torch.zeros(2, 16)
    with pytest.raises(BadData, match=r"unknown \(layers\.0\.temporal_attn\.q_proj\.lora_A"):
        loaded(save_languagebind(tmp_path, tensors))


def test_an_activation_is_never_guessed(tmp_path):
    folder = save_languagebind(tmp_path, languagebind_tensors(), "gelu_new")
    with pytest.raises(BadInput, match="hidden_act: unknown value 'gelu_new'"):
        loaded(folder)
    (folder / "config.json").unlink()
    with pytest.raises(BadData, match="says which activation"):
        loaded(folder)
