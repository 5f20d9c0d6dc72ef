r"""A student tells what its teacher makes of other views: DINOv2.

Of each picture two large crops and some small ones are taken. The teacher, the moving average of
the student, assigns large crops to prototypes; the student must find the same from every other crop
(DINO), and of a large crop with hidden patches what the teacher makes of those patches (iBOT):

$-\sum_k q_k \log \operatorname{softmax}_k(s / 0.1)$, with $s$ the student's scores of prototypes
and $q$ the teacher's, sharpened and made to use all prototypes alike by three rounds of
Sinkhorn-Knopp over the batch. Both losses have a head of their own.

Source: Oquab et al. (2023), DINOv2, section 4. Left out: the spread of class tokens (KoLeo), the
rise of temperature and momentum, and stochastic depth, all for far longer trainings.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.encoders.dinov2 import Dinov2
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.crops import random_crops
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.teacher import Teacher
from apollo_core.pretraining.watched import Watched

PROTOTYPES = 256
_STUDENT_TEMPERATURE = 0.1
_TEACHER_TEMPERATURE = 0.05
_MOMENTUM = 0.99
_SMALL_CROPS = 4
# Share of the patches of a large crop that are hidden; of half of the pictures, as published.
_HIDDEN = (0.1, 0.5)


class PrototypeHead(nn.Module):
    """An MLP to a narrow unit vector, compared with unit prototypes.

    Args:
        dim: of what comes in.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            nn.BatchNorm1d(dim, affine=False),
        )
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, dim))

    def forward(self, x: Float[Tensor, "rows dim"]) -> Float[Tensor, "rows prototypes"]:
        """Cosines."""
        unit = functional.normalize(self.mlp(x), dim=-1)
        return unit @ functional.normalize(self.prototypes, dim=-1).T


class Pupil(nn.Module):
    """What is averaged into the teacher: the encoder and both heads."""

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry) -> None:
        super().__init__()
        self.encoder = encoder
        self.of_picture = PrototypeHead(geometry.dim)
        self.of_patch = PrototypeHead(geometry.dim)


class SelfDistillation(Objective):
    """Two large crops of `size`, four small ones of half of it."""

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> None:
        super().__init__(encoder, geometry, frames=frames)
        assert isinstance(encoder, Dinov2)
        self.pupil = Pupil(encoder, geometry)
        self.teacher = Teacher(self.pupil, momentum=_MOMENTUM)
        self.mark = nn.Parameter(torch.zeros(geometry.dim))
        self._small = max(1, geometry.side // 2) * geometry.patch

    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss of a batch: both parts, each a mean over what is told."""
        self.teacher.follow(self.pupil)
        pictures = rearrange(self.prepared(watched), "b t c h w -> (b t) c h w")
        size = self.geometry.size
        large = torch.cat(
            [random_crops(pictures, size=size, least=0.5, most=1.0) for _ in range(2)]
        )
        small = torch.cat(
            [
                random_crops(pictures, size=self._small, least=0.1, most=0.5)
                for _ in range(_SMALL_CROPS)
            ]
        )
        hidden = self._hidden(len(large), large.device)
        of_pictures, of_patches = self._assigned(large, hidden)
        classes, patches = class_and_patches(self.encoder, large, mark=self.mark, hidden=hidden)
        few, _ = class_and_patches(self.encoder, small)
        told = self.pupil.of_picture(torch.cat([classes, few]))
        picture = _told_of_pictures(told, of_pictures, views=2 + _SMALL_CROPS)
        patch = _cross_entropy(self.pupil.of_patch(patches[hidden]), of_patches).mean()
        return picture + patch

    @torch.no_grad()
    def _assigned(
        self, large: Float[Tensor, "crops 3 size size"], hidden: Bool[Tensor, "crops patches"]
    ) -> tuple[Float[Tensor, "crops prototypes"], Float[Tensor, "hidden prototypes"]]:
        teacher = cast(Any, self.teacher.module)
        classes, patches = class_and_patches(teacher.encoder, large)
        return sinkhorn(teacher.of_picture(classes)), sinkhorn(teacher.of_patch(patches[hidden]))

    def _hidden(self, crops: int, device: torch.device) -> Bool[Tensor, "crops patches"]:
        """Patches to hide: of every other crop a share drawn evenly, at least one."""
        patches = self.geometry.side**2
        share = torch.empty(crops, 1, device=device).uniform_(*_HIDDEN)
        share[::2] = 0
        order = torch.rand(crops, patches, device=device).argsort(1).argsort(1)
        return order < (share * patches).ceil()


def class_and_patches(
    encoder: VideoEncoder,
    pictures: Float[Tensor, "pictures 3 size size"],
    *,
    mark: Float[Tensor, " dim"] | None = None,
    hidden: Bool[Tensor, "pictures patches"] | None = None,
) -> tuple[Float[Tensor, "pictures dim"], Float[Tensor, "pictures patches dim"]]:
    """Class token and patches of a DINOv2 after its norm; `mark` stands for what is hidden."""
    model = cast(Any, encoder).model
    table = model.embeddings
    tokens = table.patch_embeddings(pictures)
    if mark is not None and hidden is not None:
        tokens = torch.where(hidden[..., None], mark, tokens)
    start = repeat(table.cls_token, "1 1 d -> b 1 d", b=len(tokens))
    tokens = torch.cat([start, tokens], dim=1)
    tokens = tokens + table.interpolate_pos_encoding(tokens, *pictures.shape[-2:])
    tokens = model.layernorm(model.encoder(tokens).last_hidden_state)
    return tokens[:, 0], tokens[:, 1:]


def sinkhorn(
    scores: Float[Tensor, "rows prototypes"], *, rounds: int = 3
) -> Float[Tensor, "rows prototypes"]:
    r"""Shares of prototypes for each row, such that all prototypes get about as much.

    From $e^{s / \tau}$ on, columns and rows are divided by their sums in turn.

    Source: Caron et al. (2020), SwAV, section 3.1; the temperature is DINOv2's teacher's.
    """
    shares = ((scores - scores.max()) / _TEACHER_TEMPERATURE).exp()
    for _ in range(rounds):
        shares = shares / shares.sum(0, keepdim=True).clamp(min=1e-12) / shares.shape[1]
        shares = shares / shares.sum(1, keepdim=True).clamp(min=1e-12) / shares.shape[0]
    return shares * shares.shape[0]


def _cross_entropy(
    told: Float[Tensor, "*rows prototypes"], wanted: Float[Tensor, "*rows prototypes"]
) -> Float[Tensor, "*rows"]:
    return -(wanted * functional.log_softmax(told / _STUDENT_TEMPERATURE, dim=-1)).sum(-1)


def _told_of_pictures(
    told: Float[Tensor, "crops prototypes"],
    assigned: Float[Tensor, "large prototypes"],
    *,
    views: int,
) -> Float[Tensor, ""]:
    """Mean over all pairs of a teacher's crop and another crop of the same picture."""
    student = rearrange(told, "(v b) k -> v b k", v=views)
    teacher = rearrange(assigned, "(v b) k -> v b k", v=2)
    pairs = [
        _cross_entropy(student[mine], teacher[theirs]).mean()
        for theirs in range(2)
        for mine in range(views)
        if mine != theirs
    ]
    return torch.stack(pairs).mean()
