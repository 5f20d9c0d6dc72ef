"""A conversation is written once for a process, and no more memory than allowed is kept."""

from __future__ import annotations

import numpy as np
import pytest

from apollo_core.errors import BadData
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.text.chat import encode_training
from apollo_core.text.encoded_cache import EncodedCache

TOKENIZER = build_tokenizer()


def said(digit: int) -> list[tuple[str, str]]:
    return [("user", "which digit?"), ("assistant", f"{digit}")]


def test_a_tokenizer_that_writes_alike_finds_what_another_wrote() -> None:
    cache = EncodedCache()
    first = cache.get(TOKENIZER, said(7), tokens_per_clip=2)
    assert cache.get(build_tokenizer(), said(7), tokens_per_clip=2) is first
    expected = encode_training(TOKENIZER, said(7), tokens_per_clip=2)
    assert np.array_equal(first.tokens, expected.tokens)


def test_another_template_another_text_or_other_clips_are_written_anew() -> None:
    cache = EncodedCache()
    first = cache.get(TOKENIZER, said(7), tokens_per_clip=2)
    other = build_tokenizer()
    other.chat_template = f"{other.chat_template}{{# another #}}"
    for tokenizer, turns, clips in ((TOKENIZER, said(8), 2), (TOKENIZER, said(7), 3)):
        assert cache.get(tokenizer, turns, tokens_per_clip=clips) is not first
    assert cache.get(other, said(7), tokens_per_clip=2) is not first
    assert len(cache.kept) == 4


def test_the_least_recently_used_go_first_when_the_room_is_full() -> None:
    one = encode_training(TOKENIZER, said(0), tokens_per_clip=2)
    room = 3 * (one.tokens.nbytes + one.labels.nbytes + one.source.nbytes)
    cache = EncodedCache(room)
    kept = [cache.get(TOKENIZER, said(n), tokens_per_clip=2) for n in range(3)]
    assert cache.get(TOKENIZER, said(0), tokens_per_clip=2) is kept[0]
    cache.get(TOKENIZER, said(3), tokens_per_clip=2)
    assert cache.kept.bytes <= room
    assert cache.get(TOKENIZER, said(0), tokens_per_clip=2) is kept[0]
    assert cache.get(TOKENIZER, said(1), tokens_per_clip=2) is not kept[1]


def test_what_a_template_refuses_is_refused_each_time() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    for _ in range(2):
        with pytest.raises(BadData, match="refuses"):
            EncodedCache().get(tokenizer, said(7), tokens_per_clip=2)
