from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from apollo_core.encoders.pixels import normalise, resize, to_unit


def noise(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (2, 3, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_bytes_become_floats_from_zero_to_one_with_channels_first():
    frames = torch.zeros(1, 2, 4, 5, 3, dtype=torch.uint8)
    frames[0, 1, 2, 3, 1] = 255
    unit = to_unit(frames)
    assert unit.shape == (1, 2, 3, 4, 5)
    assert unit[0, 1, 1, 2, 3] == 1
    assert unit.sum() == 1


@pytest.mark.parametrize("size", [16, 31, 100])
def test_resizing_agrees_with_pillows_antialiased_bicubic(size):
    # Mid grey: Pillow cuts overshoot off between its two passes as well, we only at the end.
    frames = noise(48, 48) // 4 + 96
    ours = resize(to_unit(frames), size)[1, 2].permute(1, 2, 0).numpy() * 255
    image = Image.fromarray(frames[1, 2].numpy())
    theirs = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(ours - theirs).max() <= 2


def test_a_size_that_fits_is_left_alone_to_the_bit():
    unit = to_unit(noise(32, 32))
    assert resize(unit, 32) is unit


def test_resizing_stays_between_zero_and_one():
    resized = resize(to_unit((noise(40, 40) > 127).to(torch.uint8) * 255), 64)
    assert 0 <= resized.min() <= resized.max() <= 1


def test_normalising_first_in_inference_mode_leaves_training_possible():
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    with torch.inference_mode():
        normalise(torch.rand(1, 1, 3, 2, 2), mean=mean, std=std)
    unit = torch.rand(1, 1, 3, 2, 2, requires_grad=True)
    normalise(unit, mean=mean, std=std).sum().backward()
    assert unit.grad is not None
    torch.testing.assert_close(unit.grad[0, 0, :, 0, 0], 1 / torch.tensor(std))


def test_normalising_is_exact_after_the_same_values_served_half_precision():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    unit = torch.rand(1, 1, 3, 2, 2)
    normalise(unit.bfloat16(), mean=mean, std=std)
    shift, scale = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
    assert torch.equal(normalise(unit, mean=mean, std=std), (unit - shift) / scale)


def test_normalising_is_per_channel():
    unit = torch.full((1, 1, 3, 2, 2), 0.5)
    normal = normalise(unit, mean=(0.5, 0.25, 0.0), std=(1.0, 0.5, 0.25))
    assert normal[0, 0, :, 0, 0].tolist() == [0.0, 0.5, 2.0]
