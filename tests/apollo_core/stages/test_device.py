"""That a stage's arithmetic is repeatable, on a GPU too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import FRAMES, RESAMPLERS, clips, conversations, lmm, of_clips
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from apollo_core.design import MemoryBank
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.families import FAMILIES
from apollo_core.execution import Execution
from apollo_core.geometry import VisionGeometry
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.stages.device import settle
from apollo_core.training.packing import pack, prepare_attention

# These raise on a GPU, says the docstring of `torch.use_deterministic_algorithms` of torch 2.13.
RAISING = re.compile(
    r"(upsample_(linear|bilinear|bicubic|trilinear)\w*|avg_pool3d|adaptive_(avg|max)_pool[23]d"
    r"|fractional_max_pool[23]d|reflection_pad[123]d|grid_sampler_[23]d\w*|_ctc_loss)_backward"
    r"|max_unpool[23]d|nll_loss2d_forward|put_?|histc|median\.dim\w*|scatter_reduce\.two\w*"
)
RAISING_ON_FLOATS = re.compile(r"cumsum")
PER_FRAME = {"siglip", "dinov2", "clip", "languagebind_image"}
TUBELETS = {"videomae": 2, "vjepa": 2, "vjepa2": 2}


class Reached(TorchDispatchMode):
    """Notes the operations of forward and backward that a GPU would refuse to do."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = func.__name__.removesuffix(".default").lstrip("_")
        floats = any(isinstance(arg, Tensor) and arg.is_floating_point() for arg in args)
        weighed = name == "bincount" and len(args) > 1 and args[1] is not None
        if RAISING.fullmatch(name) or (floats and RAISING_ON_FLOATS.match(name)) or weighed:
            self.refused.add(name)
        return func(*args, **(kwargs or {}))


def refused(step: Callable[[], Tensor]) -> set[str]:
    """Operations of one forward and backward that have no repeatable form on a GPU."""
    with Reached() as reached:
        step().backward()
    return reached.refused


def learning(model: VideoLMM, *, packed: bool) -> Callable[[], Tensor]:
    model.requires_grad_()
    prepare_attention(model.llm, "auto", packed=packed)
    batch = conversations(build_tokenizer(), [(3, "red"), (1, "7")])
    return lambda: model.loss(pack(batch) if packed else batch)


def encoder_of(family: str) -> VideoEncoder:
    size = VisionGeometry(dim=24, depth=2, heads=2, mlp=48, size=16, patch=8, family=family)
    if family not in PER_FRAME:
        size = replace(size, frames=FRAMES, tubelet=TUBELETS.get(family, 1))
    return FAMILIES[family].create(size, frames_per_clip=FRAMES)


@pytest.fixture
def as_before() -> Iterator[None]:
    """Puts torch's switch back, which is of the whole process."""
    mode, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    yield
    torch.use_deterministic_algorithms(mode, warn_only=warn_only)


@pytest.mark.usefixtures("as_before")
def test_settling_makes_torch_refuse_what_it_cannot_repeat():
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    device = settle(Execution(device="cpu"))
    assert device == torch.device("cpu")
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()


def test_the_watch_sees_backwards_that_a_gpu_refuses():
    table = torch.rand(1, 3, 4, 4, requires_grad=True)

    def step() -> Tensor:
        larger = functional.interpolate(table, (8, 8), mode="bicubic")
        return functional.adaptive_avg_pool2d(larger, 3).flatten().cumsum(0).sum()

    assert refused(step) == {
        "upsample_bicubic2d_backward",
        "adaptive_avg_pool2d_backward",
        "cumsum",
    }


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("kind", RESAMPLERS)
def test_no_connector_reaches_an_operation_that_a_gpu_cannot_repeat(kind, packed):
    model = lmm(resampler=RESAMPLERS[kind])
    assert refused(learning(model, packed=packed)) == set()


def test_neither_split_joining_nor_a_memory_bank_reaches_one():
    assert refused(learning(lmm(joining="split"), packed=False)) == set()
    merging = lmm(memory=MemoryBank(long=1, recent=1)).requires_grad_()
    assert refused(lambda: merging.visual_tokens(of_clips(clips(4))).square().sum()) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_trained_encoder_reaches_one(family):
    model = lmm(encoders=[encoder_of(family)])
    assert refused(learning(model, packed=False)) == set()
