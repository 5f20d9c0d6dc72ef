"""A conversation becomes positions: what is supervised, where visual tokens stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import token_ids
from transformers import PreTrainedTokenizerFast, Qwen2Config

from apollo_core.errors import BadData
from apollo_core.llm import load_tokenizer
from apollo_core.media.manifest_record import Item
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.scoring.likelihood import write_prompt
from apollo_core.text.chat import (
    IGNORED,
    MARK_END,
    MARK_START,
    TEXT,
    Encoded,
    encode_answer,
    encode_training,
)
from apollo_core.text.integration import END, START, VISUAL
from tests.apollo_core.text.template_families import (
    DEAF,
    FAMILIES,
    QWEN2,
    SPACE,
    TOKENIZERS,
    byte_level,
)

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
    assert encoded.tokens.tolist() == token_ids(tokenizer, rendered)
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
    text = "clip from 00:02-00:04: where is the red circle?<|im_end|>"
    assert token_ids(loaded, text) == token_ids(tokenizer, text)
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.unk_token_id not in token_ids(loaded, text)


def text_of(tokenizer: PreTrainedTokenizerFast, ids: np.ndarray) -> str:
    return str(tokenizer.decode(ids.tolist(), skip_special_tokens=False))


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_is_on_every_answer_and_its_end_and_on_nothing_else(family):
    tokenizer, end = TOKENIZERS[family], FAMILIES[family][2]
    turns = [
        ("user", "what is it?"), ("assistant", "a circle"),
        ("user", f"{VISUAL}{VISUAL} and here?"), ("assistant", "a red one"),
        ("user", "sure?"), ("assistant", "yes"),
    ]  # fmt: skip
    encoded = encode_training(tokenizer, turns, tokens_per_clip=3)
    here = encoded.labels != IGNORED
    assert (encoded.labels[here] == encoded.tokens[here]).all()
    said = text_of(tokenizer, encoded.labels[here])
    gap = SPACE.get(family, "")
    assert said == "".join(f"{gap}{answer}{end}" for answer in ("a circle", "a red one", "yes"))
    assert encoded.clips_tokens == 6


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_are_those_of_the_template_as_its_own_tokenizer_reads_it(family):
    tokenizer = TOKENIZERS[family]
    turns = [("user", " what is it? "), ("assistant", "a circle"), ("user", "sure?")]
    messages = [{"role": role, "content": text} for role, text in turns]
    rendered = str(tokenizer.apply_chat_template(messages, tokenize=False))
    encoded = encode_training(tokenizer, turns, tokens_per_clip=3)
    assert text_of(tokenizer, encoded.tokens) == rendered


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("qwen2", "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nwhat?<|im_end|>"),
        (
            "llama3",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nbe brief<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nwhat?<|eot_id|>",
        ),
        ("gemma2", "<bos><start_of_turn>user\nbe brief\n\nwhat?<end_of_turn>\n"),
        ("deaf", "[user] be brief\n\nwhat?</s>"),
        ("mistral3", "<s>[INST] be brief\n\nwhat?[/INST]"),
        ("mistral-last", "<s>[INST] be brief\n\nwhat?[/INST]"),
        ("qwen3", "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nwhat?<|im_end|>"),
    ],
)
def test_a_system_turn_is_never_lost_and_never_learned(family, expected):
    tokenizer = TOKENIZERS[family]
    turns = [("system", "be brief"), ("user", "what?"), ("assistant", "a circle")]
    answer = f"{SPACE.get(family, '')}a circle{FAMILIES[family][2]}"
    for times in (1, 2):
        conversation = [turns[0], *turns[1:] * times]
        encoded = encode_training(tokenizer, conversation, tokens_per_clip=1)
        assert text_of(tokenizer, encoded.tokens).startswith(expected)
        said = text_of(tokenizer, encoded.labels[encoded.labels != IGNORED])
        assert said == answer * times


@pytest.mark.parametrize("family", FAMILIES)
def test_data_that_spell_special_tokens_never_become_them(family):
    tokenizer = TOKENIZERS[family]
    special = set(tokenizer.all_special_ids)
    forged = "".join(tokenizer.all_special_tokens)
    plain = [("user", "what?"), ("assistant", "red")]
    wicked = [("user", f"what{forged}?"), ("assistant", f"red{forged}{forged}")]
    expected, found = (
        encode_training(tokenizer, turns, tokens_per_clip=1) for turns in (plain, wicked)
    )
    ours = [[t for t in one.tokens.tolist() if t in special] for one in (expected, found)]
    assert ours[0] == ours[1]
    end = FAMILIES[family][2]
    said = found.labels[found.labels != IGNORED]
    assert text_of(tokenizer, said) == f"{SPACE.get(family, '')}red{forged}{forged}{end}"
    asked = encode_answer(tokenizer, wicked[0][1], wicked[1][1], tokens_per_clip=1)
    length = len(asked.tokens)
    assert asked.tokens.tolist() == found.tokens[:length].tolist()
    assert asked.labels.tolist() == found.labels[:length].tolist()


PIECES = [
    *(token for family in FAMILIES for token in TOKENIZERS[family].all_special_tokens),
    *("<", ">", "|", "im_", "end", " ", "\n", "red", "<video>", "<image>"),
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12), st.sampled_from([*FAMILIES]))
def test_no_text_whatever_brings_a_special_token_in(pieces, family):
    tokenizer = TOKENIZERS[family]
    special = set(tokenizer.all_special_ids)
    bare = encode_training(tokenizer, [("user", "x"), ("assistant", "y")], tokens_per_clip=1)
    text = "".join(pieces)
    turns = [("user", f"x{text}x"), ("assistant", "y")]
    encoded = encode_training(tokenizer, turns, tokens_per_clip=1)
    allowed = [token for token in bare.tokens.tolist() if token in special]
    assert [token for token in encoded.tokens.tolist() if token in special] == allowed
    assert f"x{text}x" in text_of(tokenizer, encoded.tokens)


def test_a_question_that_spells_a_media_mark_stays_text():
    tokenizer = TOKENIZERS["qwen2"]
    item = Item("q", "v.mp4", "what does <video> or <image> mean?", ("a", "b"), 0, "spatial")
    encoded = encode_answer(
        tokenizer, write_prompt(item, VISUAL, "lettered-v1"), "A", tokens_per_clip=2
    )
    assert encoded.clips_tokens == 2
    read = text_of(tokenizer, encoded.tokens[encoded.source == TEXT])
    assert "what does <video> or <image> mean?" in read


def test_of_several_templates_the_default_is_taken_or_the_only_one():
    tokenizer = byte_level("qwen2")
    expected = encode_training(tokenizer, TURNS, tokens_per_clip=1).tokens.tolist()
    for templates in ({"default": QWEN2, "rag": DEAF}, {"chat": QWEN2}):
        tokenizer.chat_template = templates
        assert encode_training(tokenizer, TURNS, tokens_per_clip=1).tokens.tolist() == expected
    tokenizer.chat_template = {"rag": DEAF, "tool_use": QWEN2}
    with pytest.raises(BadData, match=r"rag, tool_use and none of them is named `default`"):
        encode_training(tokenizer, TURNS, tokens_per_clip=1)


def test_a_conversation_that_the_template_refuses_is_bad_data():
    with pytest.raises(BadData, match="refuses a conversation: roles must alternate"):
        encode_training(
            TOKENIZERS["gemma2"], [("assistant", "red"), ("user", "why?")], tokens_per_clip=1
        )


def test_a_thinking_models_earlier_answers_are_trained_where_its_template_writes_them():
    tokenizer = TOKENIZERS["qwen3"]
    encoded = encode_training(tokenizer, TURNS, tokens_per_clip=1)
    messages = [{"role": role, "content": text} for role, text in TURNS]
    assert text_of(tokenizer, encoded.tokens) == tokenizer.apply_chat_template(
        messages, tokenize=False
    )
    assert text_of(tokenizer, encoded.tokens).count("<think>") == 1
    before = encoded.tokens[: np.flatnonzero(encoded.labels != IGNORED)[-1]]
    asked = tokenizer.apply_chat_template(
        messages[:-1], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    assert text_of(tokenizer, before).startswith(str(asked))


def test_line_breaks_that_a_thinking_models_template_strips_are_no_part_of_an_answer():
    tokenizer, end = TOKENIZERS["qwen3"], "<|im_end|>"
    turns = [(role, f"\n\n{text}") for role, text in TURNS]
    encoded = encode_training(tokenizer, turns, tokens_per_clip=1)
    said = text_of(tokenizer, encoded.labels[encoded.labels != IGNORED])
    assert said == f"red{end}left{end}"


@pytest.mark.parametrize("at", [1, 3])
def test_an_answer_that_a_template_takes_for_a_thought_is_refused_and_never_lost(at):
    turns = [*TURNS]
    turns[at] = ("assistant", "<think>a circle</think>red")
    with pytest.raises(BadData, match="rewrites earlier turns"):
        encode_training(TOKENIZERS["qwen3"], turns, tokens_per_clip=1)
