"""From a conversation to token positions: chat template, visual positions, supervised turns.

Only the template writes special tokens. What data say that looks like one ("<|im_end|>" in a
question) is cut behind its first character before the template sees it, by a mark that goes again
when the text is tokenised, and so becomes the ordinary tokens of its letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jinja2
import numpy as np
from transformers import PreTrainedTokenizerBase

from apollo_core.errors import BadData
from apollo_core.text.integration import CUT, END, MARKS, START, VISUAL
from apollo_core.text.text_pieces import ids_of_pieces

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

# What templates would otherwise choose by the day or the model's mood: today's date would enter the
# tokens of a stage whose key knows no date, and a thinking model answers where it was trained to.
_DATE = "26 Jul 2024"  # what Llama 3 writes where it is given none
FIXED: dict[str, Any] = {"enable_thinking": False, "date_string": _DATE}
# A macro of this name stands before transformers' function, which asks the clock.
_CLOCK = "{% macro strftime_now(format) %}" + _DATE + "{% endmacro %}"

_PIECES = re.compile(f"([{MARKS}{CUT}])")

# Qwen3 writes one where an answer is asked for and before the last answer, not before earlier ones.
_EMPTY_THOUGHT = re.compile(r"<think>\s*</think>\s*\Z")


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

    The tokens are those of the conversation as the template writes it. A thinking model's template
    writes an empty thought before the last answer only, although it would have asked for each
    earlier one behind one too: those are trained without.

    Args:
        tokenizer: with or without a chat template.
        turns: (role, text) in order, a `system` turn only as the first; texts hold marks where
            visual tokens stand.
        tokens_per_clip: visual tokens of one clip.

    Raises:
        BadData: the chat template rewrites earlier turns, so that no turn has a place of its own;
            or it refuses the conversation.
    """
    turns = _written(tokenizer, turns)
    full = _render(tokenizer, turns, ask=False)
    answers = [index for index, (role, _) in enumerate(turns) if role == "assistant"]
    spans = [_answer_span(tokenizer, turns, index, full) for index in answers]
    return _encode(tokenizer, full, spans, tokens_per_clip)


def _answer_span(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]], index: int, full: str
) -> tuple[int, int]:
    """From where to where `full` holds what the template answers in turn `index`.

    What it answers is found where the turn is the last: behind the words that ask for it. Before an
    earlier answer, `full` may lack the empty thought of a thinking model.
    """
    before = _render(tokenizer, turns[:index], ask=True)
    last = index == len(turns) - 1
    after = full if last else _render(tokenizer, turns[: index + 1], ask=False)
    opening, said = before, after[len(before) :]
    if not full.startswith(after):
        opening = _EMPTY_THOUGHT.sub("", before)
        # With the thought, Qwen3 strips line breaks off the beginning of an answer.
        rest = full[len(opening) :]
        opening += rest[: len(rest) - len(rest.lstrip("\n"))]
    if not (after.startswith(before) and full.startswith(opening + said)):
        raise BadData(
            "the tokenizer's chat template rewrites earlier turns, and not only by leaving out an "
            "empty <think></think>; give the language model a template that only appends"
        )
    # A line break behind the end of a turn is no part of the answer; without an end token it is all
    # that ends it.
    special = _special(tokenizer)
    ended = said.rstrip() if special is not None and special.search(said) else said
    return len(opening), len(opening) + len(ended)


def encode_answer(
    tokenizer: PreTrainedTokenizerBase, text: str, answer: str, *, tokens_per_clip: int
) -> Encoded:
    """Encode one user turn and its answer as training would; the answer's own words are supervised.

    A template may put a space before an answer, and with it another token: so the answer is taken
    from where the template writes it, without the end of the turn.

    Raises:
        BadData: the template does not write the answer where it asks for one.
    """
    turns = _written(tokenizer, [("user", text), ("assistant", answer)])
    said = turns[1][1].strip()
    before = _render(tokenizer, turns[:1], ask=True)
    whole = _render(tokenizer, turns, ask=False)
    at = whole.find(said, len(before))
    if at < 0 or not whole.startswith(before):
        raise BadData(f"the tokenizer's chat template does not append the answer {answer!r}")
    end = at + len(said)
    return _encode(tokenizer, whole[:end], [(len(before), end)], tokens_per_clip)


def _written(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The turns as the template is given them: no special tokens in their texts; a system turn that
    the template would refuse or drop stands before the first question instead."""
    special = _special(tokenizer)
    written = [(role, _cut(text, special)) for role, text in turns]
    if len(written) < 2 or written[0][0] != "system":
        return written
    if _takes_system(tokenizer, _template(tokenizer)):
        return written
    (_, system), (role, first), *rest = written
    return [(role, f"{system}\n\n{first}"), *rest]


def _cut(text: str, special: re.Pattern[str] | None) -> str:
    return special.sub(lambda found: found[0][0] + CUT + found[0][1:], text) if special else text


# The two below ask a tokenizer what takes it a millisecond to say; a process has few of them.
@lru_cache(maxsize=8)
def _special(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str] | None:
    """Any special token's text, the longest first; one of a single letter could not be cut."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    texts = {text for text in (*tokenizer.all_special_tokens, *added) if len(text) > 1}
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first))) if texts else None


@lru_cache(maxsize=8)
def _takes_system(tokenizer: PreTrainedTokenizerBase, template: str) -> bool:
    """Whether the template writes a system turn, and in the same place however long the rest is:
    Mistral's writes it into the last question, and not at all where an answer follows that."""
    probe, asked, answered = "apollo", ("user", "?"), ("assistant", "!")
    turns = [("system", probe), asked, answered, asked, answered]
    try:
        short = _apply(tokenizer, template, turns[:2], ask=True)
        long = _apply(tokenizer, template, turns, ask=False)
    except jinja2.TemplateError:
        return False
    head, found, _ = short.partition(probe)
    return bool(found) and long.startswith(head + probe)


def _template(tokenizer: PreTrainedTokenizerBase) -> str:
    """The tokenizer's chat template; of several the one named `default`, or the only one."""
    template = tokenizer.chat_template
    if not isinstance(template, dict):
        return template or PLAIN_TEMPLATE
    if "default" not in template and len(template) > 1:
        raise BadData(
            f"the tokenizer has the chat templates {', '.join(sorted(template))} and none of them "
            "is named `default`; keep one in its files, or name one `default`"
        )
    return template.get("default") or next(iter(template.values()), PLAIN_TEMPLATE)


def _render(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]], *, ask: bool
) -> str:
    if not turns and not ask:
        return ""
    try:
        return _apply(tokenizer, _template(tokenizer), turns, ask=ask)
    except jinja2.TemplateError as error:
        raise BadData(f"the tokenizer's chat template refuses a conversation: {error}") from None


def _apply(
    tokenizer: PreTrainedTokenizerBase,
    template: str,
    turns: Sequence[tuple[str, str]],
    *,
    ask: bool,
) -> str:
    rendered = tokenizer.apply_chat_template(
        [{"role": role, "content": text} for role, text in turns],
        chat_template=_CLOCK + template,
        add_generation_prompt=ask,
        tokenize=False,
        **FIXED,
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
    pieces = _pieces(text, spans)
    read = ids_of_pieces(tokenizer, [piece for piece, _ in pieces])
    for (piece, supervised), ids in zip(pieces, read, strict=True):
        if piece == VISUAL:
            ids = [0] * tokens_per_clip
            where = list(range(visual, visual + tokens_per_clip))
            visual += tokens_per_clip
        elif piece in (START, END):
            ids, where = [0], [MARK_START if piece == START else MARK_END]
        else:
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
        if piece and piece != CUT
    ]
