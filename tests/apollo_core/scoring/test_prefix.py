"""A common beginning goes through the model once, and changes no score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_languages import gemma2, gpt2, mamba, mistral, openai_gpt
from tiny_models import a_video, clips, llama, lmm, qwen2
from torch import nn

from apollo_core.batch import collate
from apollo_core.design import QFormerResampler
from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.scoring.likelihood import score
from apollo_core.scoring.prefix import begin, shared_length
from apollo_core.stages.identity import Scoring
from apollo_core.text.chat import IGNORED, TEXT, Encoded, encode_answer
from apollo_core.text.integration import VISUAL

TOKENIZER = build_tokenizer()
PER_CLIP = 8
OPTIONS = ("red", "the blue square moves", "green", "a cross")
QUESTIONS = (
    "what colour is the circle?",
    "which shape moves from left to right?",
    "how many squares are there?",
    "which digit is shown?",
)


def rows_about(clip_count: int, questions: Sequence[str] = QUESTIONS) -> list[Encoded]:
    return [
        encode_answer(
            TOKENIZER, f"{VISUAL * clip_count}\n{asked}", option, tokens_per_clip=PER_CLIP
        )
        for asked in questions
        for option in OPTIONS
    ]


@torch.inference_mode()
def one_by_one(model: VideoLMM, rows: Sequence[Encoded], shown: Shown | None) -> list[torch.Tensor]:
    """Each row on its own, whole, from the logits of every position."""
    media, place = ([shown], 0) if shown is not None else ([], -1)
    found: list[torch.Tensor] = []
    for row in rows:
        batch = collate([row], media, [place], tokens_per_clip=PER_CLIP)
        logits = model.llm(inputs_embeds=model.embed(batch), use_cache=False).logits[0]
        found.append(logits.log_softmax(-1)[np.flatnonzero(row.labels != IGNORED) - 1])
    return found


def shared(
    model: VideoLMM, rows: Sequence[Encoded], shown: Shown | None, micro_batch: int = 5
) -> list[torch.Tensor]:
    return [*begin(model, rows, shown).log_probabilities(rows, micro_batch=micro_batch)]


class Counted:
    """How often a module ran, and how many positions or clips each time."""

    def __init__(self, module: nn.Module) -> None:
        self.shapes: list[tuple[int, ...]] = []
        module.register_forward_hook(self._note, with_kwargs=True)

    def _note(self, _module: nn.Module, args: Any, kwargs: Any, _output: Any) -> None:
        first = args[0] if args else kwargs["inputs_embeds"]
        self.shapes.append(tuple(first.shape))


@pytest.mark.parametrize("language", [qwen2, llama, gemma2, mistral, gpt2])
def test_a_pass_over_all_rows_scores_as_each_row_on_its_own(language):
    model, video, rows = lmm(language()), a_video(clips(3)), rows_about(3)
    prefix = begin(model, rows, video)
    assert prefix.cache is not None
    assert prefix.length > 3 * PER_CLIP > 7  # longer than the sliding windows
    alone = one_by_one(model, rows, video)
    for mine, expected in zip(shared(model, rows, video), alone, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)
    assert len({float(one[0, 5]) for one in alone}) > 3


@pytest.mark.parametrize("language", [mamba, openai_gpt])
def test_a_class_without_a_cache_to_share_scores_the_plain_way(language):
    model, video, rows = lmm(language()), a_video(clips(2)), rows_about(2)
    encoder = Counted(model.vision[0])
    prefix = begin(model, rows, video)
    assert prefix.cache is None
    found = [*prefix.log_probabilities(rows, micro_batch=3)]
    assert len(encoder.shapes) == 1
    for mine, expected in zip(found, one_by_one(model, rows, video), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_twelve_questions_over_three_videos_encode_each_video_and_run_each_prefix_once():
    model = lmm()
    encoder, language = Counted(model.vision[0]), Counted(model.llm)
    for video in range(3):
        items = [Item(f"{n}", "v", asked, OPTIONS, 0, "x") for n, asked in enumerate(QUESTIONS)]
        score(
            model,
            TOKENIZER,
            items,
            a_video(clips(2 + video, seed=video)),
            scoring="letters",
            prompt="lettered-v1",
            micro_batch=2,
        )
    assert [shape[0] for shape in encoder.shapes] == [2, 3, 4]
    # Each video: its prefix, then two batches of two questions without it.
    assert [shape[0] for shape in language.shapes] == [1, 2, 2] * 3
    for video, start in enumerate((0, 3, 6)):
        prefix, *rest = (shape[1] for shape in language.shapes[start : start + 3])
        assert prefix > (2 + video) * PER_CLIP
        assert all(length < 60 for length in rest)
        assert prefix + max(rest) < 512


def test_no_more_rows_run_at_once_than_asked():
    model, video, rows = lmm(), a_video(clips(2)), rows_about(2)
    language = Counted(model.llm)
    taken = begin(model, rows, video).log_probabilities(rows, micro_batch=3)
    next(taken)
    assert [shape[0] for shape in language.shapes] == [1, 3]  # made as they are taken
    assert len([*taken]) == len(rows) - 1
    assert max(shape[0] for shape in language.shapes) == 3


def test_text_shares_a_long_beginning_and_leaves_a_short_one_alone():
    model = lmm()
    short = [encode_answer(TOKENIZER, asked, "red", tokens_per_clip=1) for asked in QUESTIONS]
    assert shared_length(short) > 0
    assert begin(model, short, None).length == 0
    told = "the red square moves from left to right. " * 8
    long = [encode_answer(TOKENIZER, told + asked, "red", tokens_per_clip=1) for asked in QUESTIONS]
    assert begin(model, long, None).length > 64
    for rows in (short, long):
        for mine, expected in zip(
            shared(model, rows, None), one_by_one(model, rows, None), strict=True
        ):
            torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_what_is_shared_ends_before_the_position_that_predicts_an_answer():
    rows = rows_about(2, QUESTIONS[:1])  # one question: the rows differ in their answers only
    answer = int(np.flatnonzero(rows[0].labels >= 0)[0])
    assert shared_length(rows) == answer - 1
    model, video = lmm(), a_video(clips(2))
    for mine, expected in zip(
        shared(model, rows, video), one_by_one(model, rows, video), strict=True
    ):
        torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_rows_that_place_the_video_behind_their_own_words_still_encode_it_once():
    rows = [
        encode_answer(TOKENIZER, f"{asked}\n{VISUAL * 2}", "red", tokens_per_clip=PER_CLIP)
        for asked in QUESTIONS
    ]
    model, video = lmm(), a_video(clips(2))
    expected = one_by_one(model, rows, video)
    encoder = Counted(model.vision[0])
    found = shared(model, rows, video, micro_batch=2)
    assert len(encoder.shapes) == 1
    for mine, alone in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, alone, atol=1e-4, rtol=0)


def test_equal_tokens_that_show_something_else_are_not_shared():
    one = rows_about(2)[0]
    shown = np.flatnonzero(one.source >= 0)
    source = one.source.copy()
    source[shown[3]] = TEXT
    assert shared_length([one, replace(one, source=source)]) == shown[3]


@pytest.mark.parametrize("scoring", ["letters", "options"])
def test_visual_tokens_that_depend_on_the_question_are_made_for_each_question(scoring: Scoring):
    resampler = QFormerResampler(
        kind="qformer", tokens_per_frame=2, depth=1, width=16, heads=2, mlp_ratio=2, text=True
    )
    model, video = lmm(resampler=resampler), a_video(clips(2))
    items = [Item(f"{n}", "v", asked, OPTIONS, 0, "x") for n, asked in enumerate(QUESTIONS)]

    def scores(some: Sequence[Item]) -> list[list[float]]:
        return score(
            model, TOKENIZER, some, video, scoring=scoring, prompt="question-v1", micro_batch=3
        )

    alone = [scores([item])[0] for item in items]
    for mine, expected in zip(scores(items), alone, strict=True):
        assert mine == pytest.approx(expected, abs=1e-5)
    encoder = Counted(model.vision[0])
    scores(items)
    assert len(encoder.shapes) == 1  # what the encoders see does not depend on it
    by_hand = one_by_one(model, rows_about(2, QUESTIONS[:1])[:1], video)[0]
    if scoring == "options":
        ids = TOKENIZER("red", add_special_tokens=False)["input_ids"]
        assert alone[0][0] == pytest.approx(by_hand[0, ids[0]].item(), abs=1e-4)
