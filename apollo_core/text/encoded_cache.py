"""Encoded conversations kept for the process, so that a warm worker writes each of them once.

A chat template takes a millisecond or more for a conversation of several turns, and the variants of
a study train on the same ones, and are asked the same questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import uuid4
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from apollo_core.byte_cache import ByteCache
from apollo_core.text.chat import Encoded, encode_answer, encode_training

Turns = tuple[tuple[str, str], ...]
_Key = tuple[str, int, Turns]

# Of arrays: some 30,000 conversations of the microworld, 5,000 about long videos.
MOST_BYTES = 2**28

_NAMES: WeakKeyDictionary[PreTrainedTokenizerBase, str] = WeakKeyDictionary()


def _bytes(encoded: Encoded) -> int:
    return encoded.tokens.nbytes + encoded.labels.nbytes + encoded.source.nbytes


class EncodedCache:
    """Conversations as `encode_training`, and answers as `encode_answer` encodes them, of
    `max_bytes` together at most."""

    def __init__(self, max_bytes: int = MOST_BYTES) -> None:
        self.kept = ByteCache[_Key, Encoded](max_bytes, _bytes)

    def get(
        self,
        tokenizer: PreTrainedTokenizerBase,
        turns: Sequence[tuple[str, str]],
        *,
        tokens_per_clip: int,
    ) -> Encoded:
        """`encode_training` of the same; its errors are not kept."""
        return self.kept.get(
            (_name(tokenizer), tokens_per_clip, tuple(turns)),
            lambda: encode_training(tokenizer, turns, tokens_per_clip=tokens_per_clip),
        )

    def answer(
        self, tokenizer: PreTrainedTokenizerBase, text: str, answer: str, *, tokens_per_clip: int
    ) -> Encoded:
        """`encode_answer` of the same, likewise."""
        return self.kept.get(
            (_name(tokenizer), tokens_per_clip, (("asked", text), ("answered", answer))),
            lambda: encode_answer(tokenizer, text, answer, tokens_per_clip=tokens_per_clip),
        )


CACHE = EncodedCache()


def _name(tokenizer: PreTrainedTokenizerBase) -> str:
    """Equal for tokenizers that write alike: each stage loads its own."""
    if tokenizer not in _NAMES:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        # One without a backend to compare is like none but itself.
        content = backend.to_str() if backend is not None else uuid4().hex
        written = f"{content}\n{tokenizer.chat_template}\n{tokenizer.special_tokens_map}"
        _NAMES[tokenizer] = hashlib.sha256(written.encode()).hexdigest()
    return _NAMES[tokenizer]
