"""Let the model write its answers: always the likeliest word, so that nothing is drawn.

A loop of our own and not transformers' `generate`: that one takes what a generation config leaves
open from the checkpoint's (a temperature, a penalty on repeated words), and it would read the video
again for every question. Here questions share it (`scoring.prefix`); what is behind the video is
gone through again for each word, which costs less than a second kind of cache would to explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from apollo_core.errors import Diverged
from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.model import VideoLMM
from apollo_core.scoring.answer_parsing import LETTERS
from apollo_core.scoring.likelihood import encode_asked
from apollo_core.scoring.prefix import Prefix, beginnings
from apollo_core.stages.identity import Prompt
from apollo_core.text.chat import IGNORED, TEXT, Encoded

# A letter, or an option's text. Identity: another number needs a new STAGE_VERSION.
MOST_TOKENS = 16


def generate(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    shown: Shown | None,
    *,
    prompt: Prompt,
    micro_batch: int,
) -> list[str]:
    """What the model answers to each item, without special tokens.

    It ends at the first token that ends a turn, or after `MOST_TOKENS`.

    Args:
        model: in evaluation mode.
        tokenizer: the language model's.
        items: all about `shown`.
        shown: a video or its middle frame; None = the question alone.
        prompt: the template.
        micro_batch: questions in one forward.

    Raises:
        BadData: a question is longer than the language model takes.
        Diverged: the model's likelihoods are not finite.
    """
    asked = [_ask(model, tokenizer, item, shown, prompt) for item in items]
    stops = ends(model.llm, tokenizer)
    written: list[list[int]] = []
    for prefix, group in beginnings(model, asked, shown, passes=MOST_TOKENS):
        for at in range(0, len(group), micro_batch):
            written += _write(prefix, group[at : at + micro_batch], stops)
    return [str(tokenizer.decode(ids, skip_special_tokens=True)) for ids in written]


def ends(llm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a turn, as tokenizer and checkpoint name them.

    Only special ones: the configuration of a model whose tokenizer was replaced still names the old
    one's number, which may be any word now.
    """
    named = (tokenizer.eos_token_id, _end(llm.generation_config), _end(llm.config))
    ids = {each for one in named for each in (one if isinstance(one, list) else [one])}
    return frozenset(
        each
        for each in ids
        if isinstance(each, int) and not tokenizer.decode([each], skip_special_tokens=True)
    )


def _end(config: object) -> object:
    return getattr(config, "eos_token_id", None)


def _ask(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    item: Item,
    shown: Shown | None,
    prompt: Prompt,
) -> Encoded:
    """The question up to where its answer begins, and one blank there."""
    answered = encode_asked(
        model, tokenizer, item, shown, answer=LETTERS[0], prompt=prompt, room=MOST_TOKENS - 1
    )
    start = int(np.flatnonzero(answered.labels != IGNORED)[0])
    return _blank(answered, start, ())


def _blank(asked: Encoded, start: int, written: Iterable[int]) -> Encoded:
    """`asked` up to `start`, then what was written, then one position whose token is wanted."""
    ids = np.array([*written, 0], np.int64)
    supervised = np.full(start + len(ids), IGNORED, np.int64)
    supervised[-1] = 0
    return Encoded(
        tokens=np.concatenate([asked.tokens[:start], ids]),
        labels=supervised,
        source=np.concatenate([asked.source[:start], np.full(len(ids), TEXT, np.int64)]),
    )


def _write(prefix: Prefix, asked: Sequence[Encoded], stops: frozenset[int]) -> list[list[int]]:
    """The likeliest tokens of each answer, one after another, without the one that ends it."""
    written: list[list[int]] = [[] for _ in asked]
    going = list(range(len(asked)))
    for _ in range(MOST_TOKENS):
        rows = [_blank(asked[row], len(asked[row].tokens) - 1, written[row]) for row in going]
        following = _likeliest(prefix, rows)
        for row, token in zip(going, following, strict=True):
            if token not in stops:
                written[row].append(token)
        going = [row for row, token in zip(going, following, strict=True) if token not in stops]
        if not going:
            break
    return written


def _likeliest(prefix: Prefix, rows: Sequence[Encoded]) -> list[int]:
    following: list[int] = []
    for one in prefix.log_probabilities(rows, micro_batch=len(rows)):
        best = one[-1].max(-1)
        if not bool(best.values.isfinite()):
            raise Diverged("the model's likelihoods of a question's answers are not finite")
        following.append(int(best.indices))
    return following
