"""Random crops of pictures at two sizes: views of one thing that should be told alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Pictures = Float[Tensor, "pictures 3 height width"]


def random_crops(
    pictures: Pictures, *, size: int, least: float, most: float
) -> Float[Tensor, "pictures 3 {size} {size}"]:
    """A square of `least` to `most` of each picture's area, resized, a little brighter or darker.

    Neither mirrored nor recoloured, unlike DINO's crops of photographs: a mirrored digit is none,
    and colour is what questions are about.

    Args:
        pictures: normalised.
        size: of the crops, in pixels.
        least, most: share of the area, drawn evenly between them.
    """
    count, device = len(pictures), pictures.device
    side = torch.empty(count, device=device).uniform_(least, most).sqrt()
    # The centre in [-1, 1], such that the whole crop lies inside.
    centre = (2 * torch.rand(count, 2, device=device) - 1) * (1 - side)[:, None]
    boxes = torch.zeros(count, 2, 3, device=device)
    boxes[:, 0, 0] = boxes[:, 1, 1] = side
    boxes[:, :, 2] = centre
    grid = functional.affine_grid(boxes, [count, 3, size, size], align_corners=False)
    crops = functional.grid_sample(pictures, grid, align_corners=False, padding_mode="border")
    return crops * torch.empty(count, 1, 1, 1, device=device).uniform_(0.8, 1.2)
