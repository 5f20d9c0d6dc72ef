"""Multiple choice by likelihood."""

from __future__ import annotations

import pytest
import torch
from tiny_models import a_video, clips, lmm, of_clips

from apollo_core.chat import encode_text
from apollo_core.errors import BadData, Diverged
from apollo_core.integration import VISUAL, write_still
from apollo_core.manifest import Item
from apollo_core.media import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.scoring import Question, score, write_prompt
from apollo_core.stages.identity import Scoring

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
def by_hand(model: VideoLMM, question: Question, answer: str) -> float:
    """Mean log-likelihood of one answer, on its own, from the logits of every position."""
    words = model.llm.get_input_embeddings()

    def embedded(text: str) -> torch.Tensor:
        return words(torch.tensor([encode_text(TOKENIZER, text)], dtype=torch.long))

    parts = [embedded("<|im_start|>user")]
    if question.shown is not None:
        visual = model.visual_tokens(of_clips(question.shown.frames))
        parts.append(visual.flatten(0, 1)[None])
    parts.append(embedded(f"{question.item.question}<|im_end|><|im_start|>assistant"))
    ids = encode_text(TOKENIZER, answer)
    start = sum(part.shape[1] for part in parts)
    logits = model.llm(inputs_embeds=torch.cat([*parts, embedded(answer)], 1)).logits[0]
    steps = logits.log_softmax(-1)[start - 1 : start - 1 + len(ids)]
    return steps[range(len(ids)), ids].mean().item()


def scores(
    model: VideoLMM, *questions: Question, scoring: Scoring = "options"
) -> list[list[float]]:
    return score(model, TOKENIZER, questions, scoring=scoring, prompt="question-v1")


@pytest.mark.parametrize("media", [None, shown(2)], ids=["text", "video"])
def test_options_of_several_tokens_score_as_each_does_on_its_own(media):
    model = lmm()
    question = Question(LONG, media)
    expected = [by_hand(model, question, option) for option in LONG.options]
    assert scores(model, question)[0] == pytest.approx(expected, abs=1e-5)


def test_letters_are_scored_in_the_order_of_the_options():
    model = lmm()
    question = Question(COLOURS, shown(1))
    expected = [by_hand(model, question, letter) for letter in "ABC"]
    assert len(set(expected)) == 3
    assert scores(model, question, scoring="letters")[0] == pytest.approx(expected, abs=1e-5)


def test_other_questions_of_the_batch_change_no_score():
    model = lmm()
    one, two = shown(1, seed=1), shown(3, seed=2)
    questions = [
        Question(COLOURS, one),
        Question(LONG, one),
        Question(LONG, two),
        Question(COLOURS, None),
    ]
    alone = [scores(model, question)[0] for question in questions]
    for mine, expected in zip(scores(model, *questions), alone, strict=True):
        assert mine == pytest.approx(expected, abs=1e-5)
    for mine, expected in zip(scores(model, *questions[::-1]), alone[::-1], strict=True):
        assert mine == pytest.approx(expected, abs=1e-5)


def test_what_is_shown_changes_the_scores():
    model = lmm()
    seen, other, nothing = (
        scores(model, Question(COLOURS, media))[0] for media in (shown(1, 1), shown(1, 2), None)
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


def test_a_model_whose_likelihoods_are_not_finite_is_diverged_and_not_right():
    model = lmm()
    with torch.no_grad():
        next(model.llm.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        scores(model, Question(COLOURS, None))
