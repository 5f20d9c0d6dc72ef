"""What every connector keeps to, whatever its resampler, joining and memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from tiny_models import (
    ASKED,
    PERCEIVER,
    RESAMPLERS,
    a_video,
    an_image,
    clips,
    image_encoder,
    lmm,
    video_encoder,
)
from torch import Tensor, nn

from apollo_core.batch import Batch, collate
from apollo_core.connector.connector import Connector
from apollo_core.design import MemoryBank
from apollo_core.errors import BadInput
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.text.chat import encode_training
from apollo_core.text.integration import END, START, VISUAL

TOKENIZER = build_tokenizer()
MEMORY = MemoryBank(long=1, recent=1)
QUESTIONS = ("which digit?", "what colour is the circle?", "red?")
JOININGS = ("unified", "split")


def about(media: Sequence[Shown], *, conditioned: bool = False) -> Batch:
    """A conversation about each of `media`, in turn with another question."""
    encoded = [
        encode_training(
            TOKENIZER,
            [
                ("user", f"{START}{VISUAL * sum(one.counts)}{END} {QUESTIONS[i % 3]}"),
                ("assistant", "7"),
            ],
            tokens_per_clip=8,
        )
        for i, one in enumerate(media)
    ]
    return collate(encoded, media, range(len(media)), tokens_per_clip=8, conditioned=conditioned)


def everything() -> Batch:
    """Two videos and, between them, an image."""
    return about([a_video(clips(3, 1)), an_image(clips(1, 2)), a_video(clips(2, 3))])


def moved(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1)


def seen_by(model: VideoLMM, batch: Batch) -> list[list[int]]:
    """For each encoder how many clips it saw in each of its calls."""
    calls: list[list[int]] = [[] for _ in model.vision]

    def counting(to: list[int]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, arguments: to.append(len(arguments[0]))

    hooks = [
        tower.register_forward_pre_hook(counting(to))
        for tower, to in zip(model.vision, calls, strict=True)
    ]
    with torch.no_grad():
        model.visual_tokens(batch)
    for hook in hooks:
        hook.remove()
    return calls


def split(kind: str = "perceiver", **others: object) -> VideoLMM:
    return lmm(resampler=RESAMPLERS[kind], joining="split", **others)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("joining", JOININGS)
@pytest.mark.parametrize("kind", RESAMPLERS)
def test_a_batch_of_clips_equals_its_clips_one_by_one(kind, joining):
    model = lmm(resampler=RESAMPLERS[kind], joining=joining)
    media = [a_video(clips(1, 1)), an_image(clips(1, 2)), a_video(clips(1, 3))]
    with torch.no_grad():
        together = model.visual_tokens(about(media))
        # The same questions: the first medium is asked the first of them, and so on.
        alone = [model.visual_tokens(about([*media[:i], one]))[-1:] for i, one in enumerate(media)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("memory", [None, MEMORY])
@pytest.mark.parametrize("joining", JOININGS)
@pytest.mark.parametrize("kind", ["perceiver", "mlp_avg", "qformer"])
def test_permuting_media_leaves_each_ones_tokens(kind, joining, memory):
    model = lmm(resampler=RESAMPLERS[kind], joining=joining, memory=memory)
    media = [a_video(clips(3, 1)), an_image(clips(1, 2)), a_video(clips(2, 3))]
    lengths = [2, 1, 2] if memory else [3, 1, 2]
    order = [2, 0, 1]
    with torch.no_grad():
        first = model.visual_tokens(about(media)).split(lengths)
        second = model.visual_tokens(about([media[i] for i in order])).split(
            [lengths[i] for i in order]
        )
    for place, i in enumerate(order):
        torch.testing.assert_close(second[place], first[i], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("joining", JOININGS)
@pytest.mark.parametrize("kind", RESAMPLERS)
def test_gradient_reaches_every_tensor_of_the_connector_through_a_frozen_language_model(
    kind, joining
):
    model = lmm(resampler=RESAMPLERS[kind], joining=joining)
    model.llm.requires_grad_(requires_grad=False)
    model.vision.requires_grad_(requires_grad=False)
    model.loss(everything()).backward()
    for name, parameter in model.connector.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert all(parameter.grad is None for parameter in model.vision.parameters())
    assert all(parameter.grad is None for parameter in model.llm.parameters())


@pytest.mark.parametrize("kind", RESAMPLERS)
def test_a_frozen_language_model_lets_the_connector_learn(kind):
    model = lmm(resampler=RESAMPLERS[kind])
    model.llm.requires_grad_(requires_grad=False)
    batch = everything()
    optimiser = torch.optim.AdamW(model.connector.parameters(), lr=3e-3)
    losses: list[float] = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["perceiver", "conv_avg", "qformer-asked"])
def test_with_split_an_images_tokens_do_not_depend_on_the_video_encoder_and_a_videos_do(kind):
    model, batch = split(kind), everything()
    with torch.no_grad():
        before = model.visual_tokens(batch)
        moved(model.vision[1])
        after = model.visual_tokens(batch)
    assert torch.equal(before[batch.still], after[batch.still])
    for was, now in zip(before[~batch.still], after[~batch.still], strict=True):
        assert not torch.allclose(was, now)


def test_with_split_images_and_videos_have_connectors_of_their_own():
    model, batch = split(), everything()
    with torch.no_grad():
        before = model.visual_tokens(batch)
        assert model.connector.stills is not None
        moved(model.connector.stills)
        after = model.visual_tokens(batch)
    assert torch.equal(before[~batch.still], after[~batch.still])
    assert not torch.allclose(before[batch.still], after[batch.still])


def test_with_split_an_encoder_runs_on_no_clip_that_does_not_need_it():
    model = split()
    assert seen_by(model, everything()) == [[6], [5]]
    assert seen_by(model, about([an_image(clips(2, 2))])) == [[2], []]
    assert seen_by(model, about([a_video(clips(2, 2))])) == [[2], [2]]
    assert seen_by(lmm(), everything()) == [[6], [6]]


def test_with_split_videos_are_read_as_unified_would_to_the_bit():
    both, batch = [lmm(), split()], about([a_video(clips(3, 1)), a_video(clips(2, 2))])
    with torch.no_grad():
        unified, apart = (model.visual_tokens(batch) for model in both)
    assert torch.equal(unified, apart)


def test_unified_is_one_branch_that_treats_a_still_as_any_clip():
    model, batch = lmm(), everything()
    assert {name.split(".")[0] for name in model.connector.state_dict()} == {
        "join",
        "resampler",
        "marks",
    }
    with torch.no_grad():
        unit = batch.clips.permute(0, 1, 4, 2, 3) / 255
        grids = [tower(unit, still=batch.still) for tower in model.vision]
        expected = model.connector.resampler(model.connector.join(grids))
        assert torch.equal(model.visual_tokens(batch), expected)


def test_split_among_image_encoders_alone_is_one_encoder_behind_two_connectors():
    model, batch = split(encoders=[image_encoder()]), everything()
    assert seen_by(model, batch) == [[6]]
    assert model.visual_tokens(batch).shape == (6, 8, 32)


def test_split_without_an_image_encoder_is_refused():
    with pytest.raises(BadInput, match=r"joining: split .* encoders names none"):
        lmm(encoders=[video_encoder()], joining="split")


def asked_twice() -> Batch:
    """One video that two conversations share, asking different things."""
    video = a_video(clips(2, 1))
    return about([video, video], conditioned=True)


def test_a_text_conditioned_clip_depends_on_what_is_asked_about_it():
    model = lmm(resampler=ASKED)
    assert model.connector.conditioned
    with torch.no_grad():
        first, second = model.visual_tokens(asked_twice()).split(2)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("kind", [kind for kind in RESAMPLERS if kind != "qformer-asked"])
def test_any_other_clip_does_not(kind):
    model = lmm(resampler=RESAMPLERS[kind])
    assert not model.connector.conditioned
    with torch.no_grad():
        first, second = model.visual_tokens(asked_twice()).split(2)
    torch.testing.assert_close(first, second)


def test_clips_shared_by_different_questions_are_never_read_by_one_of_them():
    video = a_video(clips(2, 1))
    encoded = [
        encode_training(
            TOKENIZER,
            [("user", f"{VISUAL * 2} {question}"), ("assistant", "7")],
            tokens_per_clip=8,
        )
        for question in QUESTIONS[:2]
    ]
    shared = collate(encoded, [video], [0, 0], tokens_per_clip=8)
    assert torch.isfinite(lmm().loss(shared))
    with pytest.raises(AssertionError, match="conditioned"):
        lmm(resampler=ASKED).loss(shared)


def test_the_words_of_the_question_carry_no_gradient_into_the_language_model():
    model = lmm(resampler=ASKED)
    weights = model.llm.get_input_embeddings().weight
    assert isinstance(weights, Tensor)
    model.visual_tokens(everything()).sum().backward()
    assert weights.grad is None


def test_a_memory_bank_has_no_parameters():
    plain, remembering = (
        Connector(PERCEIVER, dims=[8], hidden=8, frames_per_clip=4, memory=memory)
        for memory in (None, MEMORY)
    )
    assert plain.state_dict().keys() == remembering.state_dict().keys()
