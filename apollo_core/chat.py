"""From a conversation to token positions: chat template, visual positions, supervised turns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from apollo_core.errors import BadData
from apollo_core.integration import END, MARKS, START, VISUAL

IGNORED = -100
TEXT, MARK_START, MARK_END = -1, -2, -3

# For base models whose tokenizer comes without one.
PLAIN_TEMPLATE = (
    "{{ bos_token if bos_token else '' }}"
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}"
    "{% if m['role'] == 'assistant' and eos_token %}{{ eos_token }}{% endif %}"
    "{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)

_PIECES = re.compile(f"([{MARKS}])")


@dataclass(frozen=True)
class Encoded:
    """One conversation, position by position.

    Attributes:
        tokens: token ids, int64, shape (positions,); 0 where no text stands.
        labels: the token to be predicted *at* that position, or `IGNORED`.
        source: `TEXT`; `MARK_START` or `MARK_END`; else the running number of the visual token.
    """

    tokens: np.ndarray
    labels: np.ndarray
    source: np.ndarray

    @property
    def clips_tokens(self) -> int:
        """Visual positions in all."""
        return int((self.source >= 0).sum())


def encode_training(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]], *, tokens_per_clip: int
) -> Encoded:
    """Encode a conversation; every assistant turn is supervised, nothing else.

    Args:
        tokenizer: with or without a chat template.
        turns: (role, text) in order; texts hold marks where visual tokens stand.
        tokens_per_clip: visual tokens of one clip.

    Raises:
        BadData: the chat template rewrites earlier turns, so that no turn has a place of its own.
    """
    full = _render(tokenizer, turns, ask=False)
    spans: list[tuple[int, int]] = []
    for index, (role, _) in enumerate(turns):
        if role != "assistant":
            continue
        before = _render(tokenizer, turns[:index], ask=True)
        after = _render(tokenizer, turns[: index + 1], ask=False)
        if not (after.startswith(before) and full.startswith(after)):
            raise BadData(
                "the tokenizer's chat template rewrites earlier turns; give the language model a "
                "template that only appends"
            )
        spans.append((len(before), len(after)))
    return _encode(tokenizer, full, spans, tokens_per_clip)


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, *, tokens_per_clip: int
) -> Encoded:
    """Encode one user turn up to where the assistant begins to answer; nothing is supervised."""
    prompt = _render(tokenizer, [("user", text)], ask=True)
    return _encode(tokenizer, prompt, [], tokens_per_clip)


def with_answer(prompt: Encoded, answer: Sequence[int]) -> Encoded:
    """Append an answer's tokens to a prompt and supervise them."""
    tail = np.asarray(answer, dtype=np.int64)
    return Encoded(
        np.concatenate([prompt.tokens, tail]),
        np.concatenate([prompt.labels, tail]),
        np.concatenate([prompt.source, np.full(len(tail), TEXT)]),
    )


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of `text` as it stands, without special tokens."""
    return tokenizer(text, add_special_tokens=False)["input_ids"] if text else []


def _render(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]], *, ask: bool
) -> str:
    if not turns and not ask:
        return ""
    template = tokenizer.chat_template
    rendered = tokenizer.apply_chat_template(
        [{"role": role, "content": text} for role, text in turns],
        chat_template=template if isinstance(template, str) else PLAIN_TEMPLATE,
        add_generation_prompt=ask,
        tokenize=False,
    )
    return str(rendered)


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    spans: Sequence[tuple[int, int]],
    tokens_per_clip: int,
) -> Encoded:
    """Tokenise between marks and span borders, so that neither falls inside a token."""
    tokens: list[int] = []
    labels: list[int] = []
    source: list[int] = []
    visual = 0
    for piece, supervised in _pieces(text, spans):
        if piece == VISUAL:
            ids = [0] * tokens_per_clip
            where = list(range(visual, visual + tokens_per_clip))
            visual += tokens_per_clip
        elif piece in (START, END):
            ids, where = [0], [MARK_START if piece == START else MARK_END]
        else:
            ids = encode_text(tokenizer, piece)
            where = [TEXT] * len(ids)
        tokens += ids
        source += where
        labels += ids if supervised else [IGNORED] * len(ids)
    return Encoded(*(np.asarray(x, dtype=np.int64) for x in (tokens, labels, source)))


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    borders = sorted({0, len(text), *(edge for span in spans for edge in span)})
    starts = {begin for begin, _ in spans}
    stretches = [(text[begin:end], begin in starts) for begin, end in pairwise(borders)]
    return [
        (piece, supervised)
        for stretch, supervised in stretches
        for piece in _PIECES.split(stretch)
        if piece
    ]
