"""Weights that are numbers: a model with one NaN in it trains to nothing, and says so late."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from apollo_core.errors import BadData


def refuse_not_finite(origin: str, tensors: Mapping[str, Tensor]) -> None:
    """Accept tensors without NaN and infinity.

    Raises:
        BadData: one has some; the first is named.
    """
    for name, tensor in tensors.items():
        if not _is_finite(tensor.detach()):
            raise BadData(
                f"{origin}: {name} holds NaN or infinite values; fetch the file again, and where "
                "it is so at its source, take weights from before training diverged"
            )


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    # NaN goes through both; `isfinite` would copy every tensor of a language model.
    return all(math.isfinite(extreme.item()) for extreme in tensor.aminmax())
