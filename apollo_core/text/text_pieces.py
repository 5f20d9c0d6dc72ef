"""Token ids of the pieces of one text, each piece read as inside of it.

Tokenizers made by SentencePiece (Llama 2, Mistral, T5) write a space before a text. Read alone,
every piece would get such a space, which the text does not have. So a copy of the tokenizer without
it reads them, except where the tokenizer itself begins anew: with the text, and, as the tokenizer
will, behind a special token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from apollo_core.errors import BadData
from apollo_core.text.integration import MARKS


@dataclass(frozen=True)
class _Read:
    """How a piece is read: `inside` without a space before it, then `own` as the tokenizer reads it
    behind `context`, whose tokens go again."""

    inside: str = ""
    context: str = ""
    own: str = ""


def ids_of_pieces(
    tokenizer: PreTrainedTokenizerBase, pieces: Sequence[str]
) -> list[tuple[int, ...]]:
    """Token ids of each piece, () of a mark.

    No token reaches over the border of two pieces: where a tokenizer would join a space before it
    with a word behind it, both stand alone.

    Args:
        tokenizer: whose special tokens stand in the text where they are meant.
        pieces: of one text in their order: marks, each alone, and what is between.

    Raises:
        BadData: the tokenizer writes something before a text in a way that is not known here.
    """
    inner = _without_space_before(tokenizer)
    if inner is None:
        reads = [_Read(own="" if piece in MARKS else piece) for piece in pieces]
    else:
        added = _added(tokenizer)
        before = [None, *pieces[:-1]]
        reads = [_read(piece, ahead, added) for piece, ahead in zip(pieces, before, strict=True)]
    own = _all_ids(
        tokenizer, (text for one in reads for text in (one.context, one.context + one.own))
    )
    inside = {} if inner is None else _inner_ids(inner, (one.inside for one in reads))
    return [
        (*inside.get(one.inside, ()), *own[one.context + one.own][len(own[one.context]) :])
        for one in reads
    ]


def _read(piece: str, before: str | None, added: re.Pattern[str]) -> _Read:
    if piece in MARKS:
        return _Read()
    if before is None:
        return _Read(own=piece)
    ends = [found[0] for found in added.finditer(before) if found.end() == len(before)]
    if ends:
        return _Read(context=ends[0], own=piece)
    found = added.search(piece)
    at = found.start() if found else len(piece)
    return _Read(inside=piece[:at], own=piece[at:])


def _all_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]
) -> dict[str, tuple[int, ...]]:
    """Ids by text, all at once: a call costs more than a sentence."""
    distinct = [*filter(None, dict.fromkeys(texts))]
    ids = tokenizer(distinct, add_special_tokens=False)["input_ids"] if distinct else []
    return {"": (), **{text: tuple(one) for text, one in zip(distinct, ids, strict=True)}}


def _inner_ids(inner: Tokenizer, texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    distinct = [*filter(None, dict.fromkeys(texts))]
    encoded = inner.encode_batch(distinct, add_special_tokens=False)
    return {text: tuple(one.ids) for text, one in zip(distinct, encoded, strict=True)}


# The two below read a tokenizer's own description; a process has few of them.
@lru_cache(maxsize=8)
def _added(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Any token behind which the tokenizer begins anew, with the blanks that it swallows."""
    tokens = sorted(tokenizer.added_tokens_decoder.values(), key=lambda t: -len(t.content))
    blanks = {True: r"\s*", False: ""}
    written = [blanks[t.lstrip] + re.escape(t.content) + blanks[t.rstrip] for t in tokens]
    return re.compile("|".join(written) or r"(?!)")


@lru_cache(maxsize=8)
def _without_space_before(tokenizer: PreTrainedTokenizerBase) -> Tokenizer | None:
    """A copy that writes nothing before a text; None where the tokenizer itself writes nothing."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        if tokenizer.tokenize("a")[:1] in (["a"], []):
            return None
        raise BadData(
            f"the tokenizer {type(tokenizer).__name__} writes a space before every text and has "
            "no tokenizer.json, so pieces of a conversation can't be read; convert it to a fast one"
        )
    if not _writes_before(backend):
        return None
    written = json.loads(backend.to_str())
    for part in ("normalizer", "pre_tokenizer"):
        written[part] = _bare(written[part])
    inner = Tokenizer.from_str(json.dumps(written))
    inner.no_padding()
    inner.no_truncation()
    if _writes_before(inner):
        raise BadData(
            "the tokenizer writes something before every text and tokenizer.json does not say so "
            "by `Prepend`, `Metaspace` or `add_prefix_space`; say it by one of them"
        )
    return inner


def _writes_before(backend: Tokenizer) -> bool:
    text = "a"
    if backend.normalizer is not None:
        text = backend.normalizer.normalize_str(text)
    if backend.pre_tokenizer is not None:
        text = "".join(piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    return len(text) > 1


def _bare(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """A normaliser or pre-tokeniser of tokenizer.json without what it writes before a text."""
    if part is None or part["type"] == "Prepend":
        return None
    if part["type"] == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if part["type"] == "ByteLevel":
        return {**part, "add_prefix_space": False}
    parts = {"normalizers", "pretokenizers"} & part.keys()
    return {**part, **{n: [b for one in part[n] if (b := _bare(one))] for n in parts}}
