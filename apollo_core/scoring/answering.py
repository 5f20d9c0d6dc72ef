"""Put questions about one video to the model, by whichever rule scores them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from transformers import PreTrainedTokenizerBase

from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.model import VideoLMM
from apollo_core.scoring.answer_parsing import parse_answer
from apollo_core.scoring.asked_orders import Answer, by_likelihood, by_majority, orders
from apollo_core.scoring.generating import generate
from apollo_core.scoring.likelihood import score
from apollo_core.stages.identity import Prompt, Scoring

Write = Callable[[Sequence[Item]], list[str]]
Score = Callable[[Sequence[Item]], list[list[float]]]


def answer(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    shown: Shown | None,
    *,
    scoring: Scoring,
    prompt: Prompt,
    rotations: int,
    micro_batch: int,
) -> list[Answer]:
    """One answer for each item, asked with its options in `rotations` cyclic orders.

    All items are about `shown` and go through the model in one pass.

    Raises:
        BadData: a question is longer than the language model takes.
        Diverged: the model's likelihoods are not finite.
    """
    if scoring == "generate":
        return answer_by_writing(
            items,
            rotations,
            lambda asked: generate(
                model, tokenizer, asked, shown, prompt=prompt, micro_batch=micro_batch
            ),
        )
    return answer_by_likelihood(
        items,
        rotations,
        lambda asked: score(
            model,
            tokenizer,
            asked,
            shown,
            scoring=scoring,
            prompt=prompt,
            micro_batch=micro_batch,
        ),
    )


def answer_by_writing(items: Sequence[Item], rotations: int, write: Write) -> list[Answer]:
    """One answer for each item, read from what `write` gives to it in each of its orders."""
    asked = [orders(item, rotations) for item in items]
    texts = iter(write([each for one in asked for each in one]))
    written = [list(islice(texts, len(one))) for one in asked]
    read = [
        [parse_answer(text, each.options) for text, each in zip(said, one, strict=True)]
        for said, one in zip(written, asked, strict=True)
    ]
    return [by_majority(*each) for each in zip(items, read, written, strict=True)]


def answer_by_likelihood(items: Sequence[Item], rotations: int, score: Score) -> list[Answer]:
    """One answer for each item, from the likelihoods that `score` gives in each of its orders."""
    asked = [orders(item, rotations) for item in items]
    scores = iter(score([each for one in asked for each in one]))
    return [
        by_likelihood(item, list(islice(scores, len(one))))
        for item, one in zip(items, asked, strict=True)
    ]
