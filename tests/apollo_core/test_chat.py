"""A conversation becomes positions: what is supervised, where visual tokens stand."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast, Qwen2Config

from apollo_core.chat import (
    IGNORED,
    MARK_END,
    MARK_START,
    TEXT,
    Encoded,
    encode_answer,
    encode_text,
    encode_training,
)
from apollo_core.errors import BadData
from apollo_core.integration import END, START, VISUAL
from apollo_core.llm import load_tokenizer
from apollo_core.microworld.tokenizer import build_tokenizer

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nthe camera is still.<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] + '\n' + m['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Only the last answer is spelt out, as templates do that drop earlier thoughts.
FORGETFUL = (
    "{% for m in messages %}{{ m['role'] + ' ' }}"
    "{% if m['role'] == 'user' or loop.last %}{{ m['content'] }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
SPACED = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
# As Qwen3's: an empty thought before the last answer, and before the one asked for.
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}[still]{{ '\n\n' }}{% endif %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}[still]{{ '\n\n' }}{% endif %}"
    "{% endif %}"
)
TURNS = [
    ("user", "what colour is the circle?"),
    ("assistant", "red"),
    ("user", "where is the red circle?"),
    ("assistant", "left"),
]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def supervised(tokenizer: PreTrainedTokenizerFast, encoded: Encoded) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(encoded.labels[encoded.labels != IGNORED].tolist()))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, ["red", "<|im_end|>", "left", "<|im_end|>"]),
        (None, ["red", "<|im_end|>", "left", "<|im_end|>"]),  # an answer ends with the end token
    ],
    ids=["chatml", "no template"],
)
def test_every_answer_is_supervised_and_nothing_else(tokenizer, template, expected):
    tokenizer.chat_template = template
    encoded = encode_training(tokenizer, TURNS, tokens_per_clip=3)
    assert supervised(tokenizer, encoded) == expected
    here = encoded.labels != IGNORED
    assert (encoded.labels[here] == encoded.tokens[here]).all()


def test_a_system_turn_that_the_template_adds_is_read_and_not_learned(tokenizer):
    tokenizer.chat_template = CHATML
    encoded = encode_training(tokenizer, TURNS, tokens_per_clip=3)
    words = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    assert words[:2] == ["<|im_start|>", "system"]
    assert (encoded.labels[: words.index("red")] == IGNORED).all()


def test_positions_are_the_tokens_of_the_rendered_text_when_there_are_no_media(tokenizer):
    tokenizer.chat_template = CHATML
    messages = [{"role": role, "content": text} for role, text in TURNS]
    rendered = str(tokenizer.apply_chat_template(messages, tokenize=False))
    encoded = encode_training(tokenizer, TURNS, tokens_per_clip=3)
    assert encoded.tokens.tolist() == encode_text(tokenizer, rendered)
    assert (encoded.source == TEXT).all()


def test_each_clip_has_its_places_numbered_through_and_its_marks_around_them(tokenizer):
    written = f"{START}{VISUAL}{END}" * 2
    encoded = encode_training(
        tokenizer, [("user", f"{written}\nwhich digit?"), ("assistant", "7")], tokens_per_clip=3
    )
    assert encoded.clips_tokens == 6
    began = int(np.flatnonzero(encoded.source == MARK_START)[0])
    expected = [MARK_START, 0, 1, 2, MARK_END, MARK_START, 3, 4, 5, MARK_END]
    assert encoded.source[began : began + 10].tolist() == expected
    elsewhere = np.delete(encoded.source, range(began, began + 10))
    assert (elsewhere == TEXT).all()
    assert (encoded.labels[encoded.source != TEXT] == IGNORED).all()


def test_visual_places_split_the_text_without_changing_its_tokens(tokenizer):
    plain = encode_answer(tokenizer, "which digit?", "7", tokens_per_clip=3)
    visual = encode_answer(tokenizer, f"{VISUAL}\nwhich digit?", "7", tokens_per_clip=3)
    assert visual.tokens[visual.source == TEXT].tolist() == plain.tokens.tolist()


@pytest.mark.parametrize(
    "template",
    [CHATML, None, SPACED, THINKING],
    ids=["chatml", "no template", "a space before answers", "a thinking model"],
)
def test_a_question_with_an_answer_reads_as_it_does_in_training(tokenizer, template):
    tokenizer.chat_template = template
    text = f"{VISUAL}\nwhat colour is the circle?"
    trained = encode_training(tokenizer, [("user", text), ("assistant", "red")], tokens_per_clip=2)
    asked = encode_answer(tokenizer, text, "red", tokens_per_clip=2)
    assert supervised(tokenizer, asked) == ["red"]
    length = len(asked.tokens)
    for name in ("tokens", "labels", "source"):
        assert getattr(asked, name).tolist() == getattr(trained, name)[:length].tolist()


def test_a_template_that_asks_for_the_date_gets_the_same_one_every_day(tokenizer):
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }} " + SPACED
    encoded = encode_training(tokenizer, TURNS, tokens_per_clip=1)
    assert tokenizer.convert_ids_to_tokens(encoded.tokens[:2].tolist()) == ["2", "6"]


def test_a_template_that_rewrites_earlier_turns_is_refused(tokenizer):
    tokenizer.chat_template = FORGETFUL
    encode_training(tokenizer, TURNS[:2], tokens_per_clip=1)
    with pytest.raises(BadData, match="rewrites earlier turns"):
        encode_training(tokenizer, TURNS, tokens_per_clip=1)


def test_the_words_of_a_tokenizer_survive_beside_a_qwen2_config(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    Qwen2Config().save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path), revision="main")
    text = "clip from 00:02-00:04: where is the red circle at the start?<|im_end|>"
    assert encode_text(loaded, text) == encode_text(tokenizer, text)
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.unk_token_id not in encode_text(loaded, text)
