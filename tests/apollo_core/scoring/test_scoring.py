"""Multiple choice by likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from tiny_models import a_video, clips, lmm, of_clips, token_ids

from apollo_core.errors import BadData, Diverged
from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.scoring.likelihood import score, write_prompt
from apollo_core.stages.identity import Prompt, Scoring
from apollo_core.text.integration import VISUAL, write_still

TOKENIZER = build_tokenizer()
COLOURS = Item("q0", "v.mp4", "what colour is the circle?", ("red", "blue", "green"), 0, "x")
LONG = Item(
    "q1",
    "v.mp4",
    "which shape moves?",
    ("circle", "the red square moves from left to right", "a cross"),
    1,
    "x",
)


def shown(count: int, seed: int = 0) -> Shown:
    return a_video(clips(count, seed))


@torch.inference_mode()
def by_hand(model: VideoLMM, item: Item, media: Shown | None, answer: str) -> float:
    """Mean log-likelihood of one answer, on its own, from the logits of every position."""
    words = model.llm.get_input_embeddings()

    def embedded(text: str) -> torch.Tensor:
        return words(torch.tensor([token_ids(TOKENIZER, text)], dtype=torch.long))

    parts = [embedded("<|im_start|>user")]
    if media is not None:
        visual = model.visual_tokens(of_clips(media.frames))
        parts.append(visual.flatten(0, 1)[None])
    parts.append(embedded(f"{item.question}<|im_end|><|im_start|>assistant"))
    ids = token_ids(TOKENIZER, answer)
    start = sum(part.shape[1] for part in parts)
    logits = model.llm(inputs_embeds=torch.cat([*parts, embedded(answer)], 1)).logits[0]
    steps = logits.log_softmax(-1)[start - 1 : start - 1 + len(ids)]
    return steps[range(len(ids)), ids].mean().item()


def scores(
    model: VideoLMM,
    items: Sequence[Item],
    media: Shown | None,
    *,
    scoring: Scoring = "options",
    prompt: Prompt = "question-v1",
    micro_batch: int = 16,
) -> list[list[float]]:
    return score(
        model, TOKENIZER, items, media, scoring=scoring, prompt=prompt, micro_batch=micro_batch
    )


@pytest.mark.parametrize("media", [None, shown(2)], ids=["text", "video"])
def test_options_of_several_tokens_score_as_each_does_on_its_own(media):
    model = lmm()
    expected = [by_hand(model, LONG, media, option) for option in LONG.options]
    assert scores(model, [LONG], media)[0] == pytest.approx(expected, abs=1e-5)


def test_letters_are_scored_in_the_order_of_the_options():
    model, media = lmm(), shown(1)
    expected = [by_hand(model, COLOURS, media, letter) for letter in "ABC"]
    assert len(set(expected)) == 3
    assert scores(model, [COLOURS], media, scoring="letters")[0] == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize("micro_batch", [1, 2, 16])
@pytest.mark.parametrize("media", [None, shown(3)], ids=["text", "video"])
def test_other_questions_of_the_pass_change_no_score(media, micro_batch):
    model = lmm()
    items = [COLOURS, LONG, COLOURS, LONG, COLOURS]
    alone = [scores(model, [item], media)[0] for item in items]
    for mine, expected in zip(
        scores(model, items, media, micro_batch=micro_batch), alone, strict=True
    ):
        assert mine == pytest.approx(expected, abs=1e-5)


def test_what_is_shown_changes_the_scores():
    model = lmm()
    seen, other, nothing = (
        scores(model, [COLOURS], media)[0] for media in (shown(1, 1), shown(1, 2), None)
    )
    assert seen != pytest.approx(other, abs=1e-4)
    assert seen != pytest.approx(nothing, abs=1e-4)


def test_a_lettered_prompt_lists_the_options_and_asks_for_the_letter():
    assert write_prompt(COLOURS, write_still("plain"), "lettered-v1") == (
        f"{VISUAL}\nwhat colour is the circle?\nA. red\nB. blue\nC. green\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_a_bare_prompt_is_the_question_alone():
    assert write_prompt(COLOURS, "", "question-v1") == "what colour is the circle?"


@pytest.mark.parametrize("field", ["question", "options"])
def test_private_use_characters_in_a_question_are_refused(field):
    texts = {"question": f"which{VISUAL}?"} if field == "question" else {}
    options = ("red", VISUAL) if field == "options" else ("red", "blue")
    item = Item("q", "v.mp4", texts.get("question", "which?"), options, 0, "x")
    with pytest.raises(BadData, match="private-use"):
        write_prompt(item, "", "lettered-v1")


def test_twenty_six_options_have_a_letter_each():
    item = Item("q", "v.mp4", "which?", tuple(f"number {n}" for n in range(26)), 25, "x")
    assert "\nZ. number 25\n" in write_prompt(item, "", "lettered-v1")
    assert len(scores(lmm(), [item], None, scoring="letters")[0]) == 26


def test_a_question_longer_than_the_language_model_takes_is_refused_before_it_runs():
    model = lmm()
    ran: list[object] = []
    model.llm.register_forward_hook(lambda *_: ran.append(1))
    model.vision[0].register_forward_hook(lambda *_: ran.append(1))
    with pytest.raises(BadData, match=r"item 'q0' needs 5\d\d positions, .* takes 512"):
        scores(model, [COLOURS], shown(65))
    assert not ran


def test_a_model_whose_likelihoods_are_not_finite_is_diverged_and_not_right():
    model = lmm()
    with torch.no_grad():
        next(model.llm.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        scores(model, [COLOURS], None)
