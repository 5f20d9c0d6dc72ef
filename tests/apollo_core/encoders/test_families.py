"""What every family of encoders does, built by its size or as a microworld part."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import FRAMES, clips, lmm, of_clips
from torch import Tensor
from transformers import PreTrainedModel

from apollo_core.catalogue import ENCODER_FAMILIES
from apollo_core.encoders import videomae, vjepa2
from apollo_core.encoders.encoder import FrameEncoder, VideoEncoder
from apollo_core.encoders.families import FAMILIES, build_encoder
from apollo_core.errors import BadInput
from apollo_core.geometry import ANATOMIES, VisionGeometry
from apollo_core.microworld import parts
from apollo_core.stages.identity import Part

TUBELETS = {"videomae": 2, "vjepa": 2, "vjepa2": 2}
PER_FRAME = {"siglip", "dinov2", "clip", "languagebind_image"}

each_family = pytest.mark.parametrize("family", FAMILIES)


def geometry(family: str) -> VisionGeometry:
    """A tiny size; DINOv2's with registers."""
    size = VisionGeometry(dim=24, depth=2, heads=2, mlp=48, size=16, patch=8, family=family)
    if family in PER_FRAME:
        return replace(size, registers=2) if family == "dinov2" else size
    return replace(size, frames=FRAMES, tubelet=TUBELETS.get(family, 1))


def encoder_of(family: str) -> VideoEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FAMILIES[family].create(geometry(family), frames_per_clip=FRAMES).eval()


def tower_of(encoder: VideoEncoder) -> PreTrainedModel:
    assert isinstance(encoder.model, PreTrainedModel)
    return encoder.model


def some_clips(count: int = 3) -> Tensor:
    return torch.rand(count, FRAMES, 3, 20, 24, generator=torch.Generator().manual_seed(0))


def test_the_catalogue_the_counts_and_the_registry_know_the_same_families():
    assert set(FAMILIES) == set(ENCODER_FAMILIES) == set(ANATOMIES)


@each_family
def test_a_grid_has_a_slot_for_each_frame_or_tubelet(family):
    size, encoder = geometry(family), encoder_of(family)
    assert encoder(some_clips()).shape == (3, size.slots(FRAMES), size.side, size.side, size.dim)
    assert (encoder.dim, encoder.spec.size) == (size.dim, size.size)
    assert encoder.per_frame == isinstance(encoder, FrameEncoder) == (family in PER_FRAME)


@each_family
def test_parameters_are_those_that_planning_counts(family):
    built = sum(parameter.numel() for parameter in encoder_of(family).parameters())
    assert built == geometry(family).parameters


@pytest.mark.parametrize("name", parts.ENCODERS)
def test_a_microworld_encoder_is_counted_as_its_family(name):
    part = parts.ENCODERS[name]
    encoder = FAMILIES[part.family].create(part.geometry, frames_per_clip=part.geometry.frames)
    assert sum(p.numel() for p in encoder.parameters()) == part.geometry.parameters


@each_family
def test_each_clip_is_encoded_on_its_own(family):
    encoder, shown = encoder_of(family), some_clips()
    with torch.no_grad():
        torch.testing.assert_close(encoder(shown)[1:2], encoder(shown[1:2]))


@each_family
def test_a_trained_encoder_gets_a_gradient_in_every_tensor_and_a_frozen_one_in_none(family):
    model = lmm(encoders=[encoder_of(family)])
    tokens = model.visual_tokens(of_clips(clips(2)))
    tokens.backward(torch.randn(tokens.shape, generator=torch.Generator().manual_seed(0)))
    for name, parameter in model.vision.named_parameters():
        if name.endswith(("key.bias", "k_proj.bias")):
            continue  # a bias of the keys shifts every score alike: its gradient is zero
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    model.zero_grad(set_to_none=True)
    model.vision.requires_grad_(False)
    model.visual_tokens(of_clips(clips(2))).sum().backward()
    assert all(parameter.grad is None for parameter in model.vision.parameters())
    assert model.connector.join.norms[0].weight.grad is not None


@each_family
@pytest.mark.parametrize("still", [[False] * 3, [True] * 3, [True, False, True]])
def test_a_still_clip_has_the_features_of_its_repeated_picture(family, still):
    encoder, repeated = encoder_of(family), torch.tensor(still)
    shown = some_clips()
    shown[repeated] = shown[repeated][:, :1]
    with torch.no_grad():
        torch.testing.assert_close(encoder(shown, still=repeated), encoder(shown))


@pytest.mark.parametrize("family", sorted(PER_FRAME))
def test_an_image_encoder_sees_a_still_clips_picture_once(family):
    encoder, seen = encoder_of(family), []
    assert isinstance(encoder, FrameEncoder)
    tower_of(encoder).register_forward_pre_hook(
        lambda _, args, options: seen.append(len(options["pixel_values"])), with_kwargs=True
    )
    encoder(some_clips(), still=torch.tensor([True, False, True]))
    assert seen == [1 + FRAMES + 1]


@pytest.mark.parametrize("family", ["videomae", "vjepa2"])
@pytest.mark.parametrize("frames", [1, 3, 5])
def test_half_a_tubelet_is_refused(family, frames):
    if family == "vjepa2" and frames == 1:
        grid = vjepa2.create(geometry(family), frames_per_clip=1)(some_clips()[:, :1])
        assert grid.shape[1] == 1  # shown twice
        return
    with pytest.raises(BadInput, match=f"{frames} frames are not a whole number .* multiple of 2"):
        FAMILIES[family].create(geometry(family), frames_per_clip=frames)


def test_half_a_tubelet_is_refused_when_a_checkpoint_is_loaded(tmp_path):
    made = videomae.create(geometry("videomae"), frames_per_clip=FRAMES)
    made.model.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="frames_per_clip"):
        videomae.load(str(tmp_path), revision="main", frames_per_clip=3)


@pytest.mark.parametrize("family", ["dinov2", "vjepa2"])
def test_an_mlp_that_is_no_multiple_of_the_width_is_refused(family):
    size = replace(geometry(family), mlp=50)
    with pytest.raises(BadInput, match=f"{family}: an MLP of 50 is no multiple of the width 24"):
        FAMILIES[family].create(size, frames_per_clip=FRAMES)


@pytest.mark.parametrize("family", ["siglip", "videomae"])
def test_an_encoder_loaded_from_its_own_checkpoint_is_the_same_encoder(tmp_path, family):
    made = encoder_of(family)
    tower_of(made).save_pretrained(tmp_path)
    part = Part(family=family, fingerprint="local:0")
    loaded = build_encoder(part, str(tmp_path), frames_per_clip=FRAMES, trained=None)
    assert loaded.spec == made.spec
    with torch.no_grad():
        assert torch.equal(loaded.eval()(some_clips()), made(some_clips()))


def test_an_unknown_family_is_refused_with_the_nearest_name():
    part = Part(family="siglib", fingerprint="micro:siglip@1")
    with pytest.raises(BadInput, match="Did you mean 'siglip'"):
        build_encoder(part, "micro:siglip", frames_per_clip=FRAMES, trained=None)


def test_a_microworld_encoder_is_the_same_for_every_replicate():
    part = Part(family="siglip", fingerprint="micro:siglip@1")
    built = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        built.append(build_encoder(part, "micro:siglip", frames_per_clip=FRAMES, trained=None))
    with torch.no_grad():
        first, again = (encoder.eval()(some_clips()) for encoder in built)
    assert torch.equal(first, again)
