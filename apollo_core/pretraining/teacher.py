"""A teacher that follows its student: the moving average of its weights."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


class Teacher(nn.Module):
    r"""A copy whose weights are $\theta' \leftarrow m\,\theta' + (1 - m)\,\theta$.

    It is a module of the objective, so that a checkpoint holds it; it is only ever run without
    gradients, so that no optimiser moves it.

    Args:
        student: what is copied.
        momentum: m.
    """

    def __init__(self, student: nn.Module, *, momentum: float) -> None:
        super().__init__()
        self.module = deepcopy(student)
        self._momentum = momentum

    @torch.no_grad()
    def follow(self, student: nn.Module) -> None:
        """Move towards the student."""
        for mine, theirs in zip(self.module.parameters(), student.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self._momentum)
