"""Answer multiple-choice questions by likelihood: no sampling, no parsing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from apollo_core.batch import collate
from apollo_core.chat import IGNORED, Encoded, encode_answer
from apollo_core.errors import Diverged
from apollo_core.integration import without_marks
from apollo_core.manifest import Item
from apollo_core.media import Shown
from apollo_core.model import VideoLMM
from apollo_core.stages.identity import Prompt, Scoring

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """One item with the media that its regime shows, or none."""

    item: Item
    shown: Shown | None


def write_prompt(item: Item, written: str, prompt: Prompt) -> str:
    """The user's turn, by versioned template.

    `question-v1`: the question alone. `lettered-v1`: the options listed under their letters, and
    the request to answer with a letter.
    """
    question = without_marks(item.question)
    lines = [written, question] if written else [question]
    if prompt == "lettered-v1":
        options = (without_marks(text) for text in item.options)
        lines += [f"{LETTERS[i]}. {text}" for i, text in enumerate(options)]
        lines.append("Answer with the option's letter from the given choices directly.")
    return "\n".join(lines)


def candidates(item: Item, scoring: Scoring) -> tuple[str, ...]:
    """The answers whose likelihood is compared: letters, or the options' texts."""
    return tuple(LETTERS[: len(item.options)]) if scoring == "letters" else item.options


@torch.inference_mode()
def score(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    *,
    scoring: Scoring,
    prompt: Prompt,
) -> list[list[float]]:
    """Mean log-likelihood per token of each candidate answer, in nats, for each question.

    All questions go through the model at once. Those about one video share its frames; candidates
    of one token each, such as letters, share one row.

    Raises:
        Diverged: the model's likelihoods are not finite.
    """
    rows: list[Encoded] = []
    media: list[Shown] = []
    shown: list[int] = []
    answers: list[list[Encoded]] = []
    per_clip = model.connector.tokens_per_clip
    for question in questions:
        written = question.shown.written[0] if question.shown is not None else ""
        asked = write_prompt(question.item, written, prompt)
        encoded = [
            encode_answer(tokenizer, asked, text, tokens_per_clip=per_clip)
            for text in candidates(question.item, scoring)
        ]
        answers.append(encoded)
        needed = encoded[:1] if _share_a_row(encoded) else encoded
        rows += needed
        shown += [_place(media, question.shown)] * len(needed)
    batch = collate(rows, media, shown, tokens_per_clip=per_clip)
    coming = iter(model.answer_log_probabilities(batch.to(model.connector.marks.device)))
    return [_likelihoods(encoded, coming) for encoded in answers]


def _likelihoods(encoded: Sequence[Encoded], coming: Iterator[Tensor]) -> list[float]:
    """Mean log-likelihood of each candidate, from the rows that stand for this question."""
    if _share_a_row(encoded):
        row = next(coming)
        found = [row[0, _answer(one)[0]].item() for one in encoded]
    else:
        found = [
            row[range(len(ids)), ids].mean().item()
            for ids, row in ((_answer(one), next(coming)) for one in encoded)
        ]
    if not all(math.isfinite(value) for value in found):
        raise Diverged(f"the model's likelihoods of a question's answers are not finite: {found}")
    return found


def _answer(encoded: Encoded) -> list[int]:
    return encoded.labels[encoded.labels != IGNORED].tolist()


def _share_a_row(encoded: Sequence[Encoded]) -> bool:
    """Whether all candidates are one token after the same prompt."""
    first = encoded[0].tokens[:-1].tolist()
    return all(len(_answer(one)) == 1 and one.tokens[:-1].tolist() == first for one in encoded)


def _place(media: list[Shown], shown: Shown | None) -> int:
    if shown is None:
        return -1
    if not media or media[-1] is not shown:
        media.append(shown)
    return len(media) - 1
