"""Answer multiple-choice questions by likelihood: no sampling, no parsing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from apollo_core.batch import collate
from apollo_core.chat import Encoded, encode_prompt, encode_text, with_answer
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

    All questions go through the model at once; those about one video share its frames.
    """
    rows: list[Encoded] = []
    media: list[Shown] = []
    shown: list[int] = []
    lengths: list[list[int]] = []
    per_clip = model.connector.tokens_per_clip
    for question in questions:
        place = _place(media, question.shown)
        written = question.shown.written[0] if question.shown is not None else ""
        asked = encode_prompt(
            tokenizer, write_prompt(question.item, written, prompt), tokens_per_clip=per_clip
        )
        answers = [encode_text(tokenizer, text) for text in candidates(question.item, scoring)]
        lengths.append([len(answer) for answer in answers])
        rows += [with_answer(asked, answer) for answer in answers]
        shown += [place] * len(answers)
    frames = [one.frames for one in media]
    batch = collate(rows, frames, shown, tokens_per_clip=per_clip)
    likelihoods, here = model.log_likelihoods(batch.to(model.connector.marks.device))
    sums = torch.zeros(here.shape, dtype=likelihoods.dtype, device=here.device)
    sums[here] = likelihoods
    flat = iter(sums.sum(1).tolist())
    return [[next(flat) / count for count in counts] for counts in lengths]


def _place(media: list[Shown], shown: Shown | None) -> int:
    if shown is None:
        return -1
    if not media or media[-1] is not shown:
        media.append(shown)
    return len(media) - 1
