"""Put questions about one video to an external model, by whichever rule scores them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from apollo_core.errors import Diverged
from apollo_core.external.conversation import Conversation, conversations
from apollo_core.external.loading import External
from apollo_core.external.passing import Passage, Row
from apollo_core.external.whole_frames import Seen
from apollo_core.media.manifest import Item
from apollo_core.scoring.answering import answer_by_likelihood, answer_by_writing
from apollo_core.scoring.asked_orders import Answer
from apollo_core.scoring.generating import MOST_TOKENS, ends
from apollo_core.scoring.likelihood import candidates
from apollo_core.stages.identity import Prompt, Scoring


def answer_externally(
    external: External,
    items: Sequence[Item],
    seen: Seen | None,
    *,
    scoring: Scoring,
    prompt: Prompt,
    rotations: int,
    micro_batch: int,
) -> list[Answer]:
    """One answer for each item, as `apollo_core.scoring.answering.answer` gives of ours.

    Raises:
        BadData: a question is longer than the model takes, or its processor refuses the frames.
        Diverged: the model's likelihoods are not finite.
    """

    def asked(items: Sequence[Item]) -> list[Conversation]:
        return conversations(external, items, seen, prompt=prompt)

    if scoring == "generate":
        return answer_by_writing(
            items, rotations, lambda listed: write(external, asked(listed), micro_batch=micro_batch)
        )
    return answer_by_likelihood(
        items,
        rotations,
        lambda listed: score(
            external, listed, asked(listed), scoring=scoring, micro_batch=micro_batch
        ),
    )


def score(
    external: External,
    items: Sequence[Item],
    asked: Sequence[Conversation],
    *,
    scoring: Scoring,
    micro_batch: int,
) -> list[list[float]]:
    """Mean log-likelihood per token of each candidate answer, in nats, for each item.

    Candidates of one token each, such as letters, share one row.
    """
    answers = [[_tokens(external, text) for text in candidates(item, scoring)] for item in items]
    rows = [
        [Row(one, tuple(ids[:-1])) for ids in (tokens[:1] if _one_each(tokens) else tokens)]
        for one, tokens in zip(asked, answers, strict=True)
    ]
    room = max(len(ids) for tokens in answers for ids in tokens)
    passage = Passage(external, asked, micro_batch=micro_batch, room=room, rows=sum(map(len, rows)))
    coming = passage.log_probabilities([row for each in rows for row in each])
    found: list[list[float]] = []
    for tokens in answers:
        if _one_each(tokens):
            following = next(coming)[-1]
            found.append([following[ids[0]].item() for ids in tokens])
        else:
            found.append([next(coming)[range(len(ids)), ids].mean().item() for ids in tokens])
        _refuse_not_finite(found[-1])
    return found


def write(external: External, asked: Sequence[Conversation], *, micro_batch: int) -> list[str]:
    """What the model answers to each, always the likeliest word, without special tokens.

    It ends at the first token that ends a turn, or after `MOST_TOKENS`.
    """
    stops = ends(external.model, external.tokenizer)
    rows = len(asked) * MOST_TOKENS
    passage = Passage(external, asked, micro_batch=micro_batch, room=MOST_TOKENS, rows=rows)
    written: list[tuple[int, ...]] = [() for _ in asked]
    going = list(range(len(asked)))
    for _ in range(MOST_TOKENS):
        some = [Row(asked[place], written[place]) for place in going]
        likeliest: list[int] = []
        for found in passage.log_probabilities(some):
            best = found[-1].max(-1)
            _refuse_not_finite([best.values.item()])
            likeliest.append(int(best.indices))
        pairs = [pair for pair in zip(going, likeliest, strict=True) if pair[1] not in stops]
        for place, token in pairs:
            written[place] += (token,)
        going = [place for place, _ in pairs]
        if not going:
            break
    decode = external.tokenizer.decode
    return [str(decode(list(ids), skip_special_tokens=True)) for ids in written]


def _tokens(external: External, text: str) -> list[int]:
    return external.tokenizer(text, add_special_tokens=False)["input_ids"]


def _one_each(tokens: Sequence[Sequence[int]]) -> bool:
    return all(len(ids) == 1 for ids in tokens)


def _refuse_not_finite(values: Sequence[float]) -> None:
    if not all(map(math.isfinite, values)):
        raise Diverged(f"the model's likelihoods of a question's answers are not finite: {values}")
