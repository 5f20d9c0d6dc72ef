"""Answer multiple-choice questions by likelihood: no sampling, no parsing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from apollo_core.errors import BadData, Diverged
from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.model import VideoLMM
from apollo_core.scoring.answer_parsing import LETTERS
from apollo_core.scoring.prefix import beginnings
from apollo_core.stages.identity import Prompt, Scoring
from apollo_core.text.chat import IGNORED, Encoded
from apollo_core.text.encoded_cache import CACHE
from apollo_core.text.integration import without_marks


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


def score(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    shown: Shown | None,
    *,
    scoring: Scoring,
    prompt: Prompt,
    micro_batch: int,
) -> list[list[float]]:
    """Mean log-likelihood per token of each candidate answer, in nats, for each item.

    What is shown is encoded once, and the items' common beginning goes through the language model
    once. Candidates of one token each, such as letters, share one row.

    Args:
        model: in evaluation mode.
        tokenizer: the language model's.
        items: all about `shown`.
        shown: a video or its middle frame; None = the question alone.
        scoring: `letters` or `options`.
        prompt: the template.
        micro_batch: rows in one forward.

    Raises:
        BadData: a question is longer than the language model takes.
        Diverged: the model's likelihoods are not finite.
    """
    answers = [_encode(model, tokenizer, item, shown, scoring, prompt) for item in items]
    rows = [encoded[:1] if _share_a_row(encoded) else encoded for encoded in answers]
    coming = _log_probabilities(model, rows, shown, micro_batch)
    return [_likelihoods(encoded, coming) for encoded in answers]


def encode_asked(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    item: Item,
    shown: Shown | None,
    *,
    answer: str,
    prompt: Prompt,
    room: int = 0,
) -> Encoded:
    """One item with one answer, as positions.

    Raises:
        BadData: with `room` more positions it is longer than the language model takes.
    """
    asked = write_prompt(item, shown.written[0] if shown is not None else "", prompt)
    per_clip = model.connector.tokens_per_clip
    encoded = CACHE.answer(tokenizer, asked, answer, tokens_per_clip=per_clip)
    needed = len(encoded.tokens) + room
    if model.longest is not None and needed > model.longest:
        raise BadData(
            f"item {item.id!r} needs {needed} positions, the language model takes "
            f"{model.longest}: ask for fewer clips or fewer tokens per frame"
        )
    return encoded


def _encode(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    item: Item,
    shown: Shown | None,
    scoring: Scoring,
    prompt: Prompt,
) -> list[Encoded]:
    return [
        encode_asked(model, tokenizer, item, shown, answer=text, prompt=prompt)
        for text in candidates(item, scoring)
    ]


def _log_probabilities(
    model: VideoLMM, rows: Sequence[Sequence[Encoded]], shown: Shown | None, micro_batch: int
) -> Iterator[Tensor]:
    flat = [one for each in rows for one in each]
    for prefix, group in beginnings(model, flat, shown):
        yield from prefix.log_probabilities(group, micro_batch=micro_batch)


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
