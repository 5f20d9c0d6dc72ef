"""Encoded conversations kept for the process, so that a warm worker writes each of them once.

A chat template takes a millisecond or more for a conversation of several turns, and the variants of
a study train on the same ones.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from uuid import uuid4
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from apollo_core.text.chat import Encoded, encode_training

Turns = tuple[tuple[str, str], ...]
_Key = tuple[str, int, Turns]

# Of arrays: some 15,000 conversations of the microworld, 2,500 about long videos.
MOST_BYTES = 2**27

_NAMES: WeakKeyDictionary[PreTrainedTokenizerBase, str] = WeakKeyDictionary()


class EncodedCache:
    """Least recently used conversations are dropped first, so that all stay in `most_bytes`.

    Threads may share it; two that ask for the same at once may both make it.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._lock = Lock()
        self._entries: OrderedDict[_Key, Encoded] = OrderedDict()

    def get(
        self,
        tokenizer: PreTrainedTokenizerBase,
        turns: Sequence[tuple[str, str]],
        *,
        tokens_per_clip: int,
    ) -> Encoded:
        """`encode_training` of the same; its errors are not kept."""
        key = (_name(tokenizer), tokens_per_clip, tuple(turns))
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        made = encode_training(tokenizer, turns, tokens_per_clip=tokens_per_clip)
        with self._lock:
            if key not in self._entries:
                self._entries[key] = made
                self.bytes += _bytes(made)
            while self.bytes > self.most_bytes:
                _, dropped = self._entries.popitem(last=False)
                self.bytes -= _bytes(dropped)
        return made

    def __len__(self) -> int:
        return len(self._entries)


CACHE = EncodedCache()


def _bytes(encoded: Encoded) -> int:
    return encoded.tokens.nbytes + encoded.labels.nbytes + encoded.source.nbytes


def _name(tokenizer: PreTrainedTokenizerBase) -> str:
    """Equal for tokenizers that write alike: each stage loads its own."""
    if tokenizer not in _NAMES:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        # One without a backend to compare is like none but itself.
        content = backend.to_str() if backend is not None else uuid4().hex
        written = f"{content}\n{tokenizer.chat_template}\n{tokenizer.special_tokens_map}"
        _NAMES[tokenizer] = hashlib.sha256(written.encode()).hexdigest()
    return _NAMES[tokenizer]
