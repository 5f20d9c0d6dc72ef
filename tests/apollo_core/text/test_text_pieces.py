"""Tokenizers that write a space before a text: pieces of a conversation are read without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tiny_models import token_ids
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from apollo_core.errors import BadData
from apollo_core.text.chat import IGNORED, TEXT, encode_answer, encode_training
from apollo_core.text.integration import VISUAL
from apollo_core.text.text_pieces import ids_of_pieces

CORPUS = [
    "[INST] What colour is the disc? [/INST] A red disc. <|user|> <|assistant|> <|end|>",
    "clip from 00:00-00:02: The answer is B. ABCD yes no say now",
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 :-.?[]/<>|_",
] * 3
SPECIAL = ["<unk>", "<s>", "</s>"]
TURNS = [
    ("user", "What colour is the disc?"),
    ("assistant", "A red disc."),
    ("user", " and  now? "),
    ("assistant", "B"),
]

# Llama 2 writes its turns in plain letters, Mistral v0.3 in special tokens, Phi-3 in special tokens
# that swallow the blanks behind them.
TEMPLATES = {
    "plain letters": (
        "{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + m['content'] | trim + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
        [],
    ),
    "special tokens": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + m['content'] + '[/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
        [AddedToken(text, special=True) for text in ("[INST]", "[/INST]")],
    ),
    "tokens that swallow blanks": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
        [
            AddedToken(text, special=True, rstrip=True)
            for text in ("<|user|>", "<|assistant|>", "<|end|>")
        ],
    ),
}


def trained(tokenizer: Tokenizer, kind: str) -> Tokenizer:
    """On words alone, so that no token holds a space behind a letter: as SentencePiece does."""
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()  # pyright: ignore[reportAttributeAccessIssue]
    if kind == "unigram":
        trainer = trainers.UnigramTrainer(
            vocab_size=200, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        )
    else:
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def prepend() -> Tokenizer:
    """Llama 2's and Mistral's files: a normaliser writes the space."""
    tokenizer = trained(Tokenizer(models.BPE(unk_token="<unk>")), "bpe")
    tokenizer.pre_tokenizer = None  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.normalizer = normalizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return tokenizer


def metaspace(scheme: str) -> Tokenizer:
    tokenizer = trained(Tokenizer(models.BPE(unk_token="<unk>")), "bpe")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(  # pyright: ignore[reportAttributeAccessIssue]
        prepend_scheme=scheme, split=False
    )
    return tokenizer


def unigram() -> Tokenizer:
    return trained(Tokenizer(models.Unigram()), "unigram")


def spaced_bytes() -> Tokenizer:
    """RoBERTa's way."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "prepend": prepend,
    "metaspace always": lambda: metaspace("always"),
    "metaspace first": lambda: metaspace("first"),
    "unigram": unigram,
    "byte level": spaced_bytes,
}


def fast(tokenizer: Tokenizer, template: str) -> PreTrainedTokenizerFast:
    written, special = TEMPLATES[template]
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.add_special_tokens({"additional_special_tokens": special})
    made.chat_template = written
    return made


def pieces_of(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(ids))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Tokenizer:
    return KINDS[request.param]()


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_conversation_without_media_has_the_tokens_of_its_whole_text(kind, template):
    tokenizer = fast(kind, template)
    messages = [{"role": role, "content": text} for role, text in TURNS]
    for count in (2, 4):
        rendered = str(tokenizer.apply_chat_template(messages[:count], tokenize=False))
        encoded = encode_training(tokenizer, TURNS[:count], tokens_per_clip=1)
        expected = pieces_of(tokenizer, token_ids(tokenizer, rendered))
        assert pieces_of(tokenizer, encoded.tokens.tolist()) == expected
        assert (encoded.labels != IGNORED).any()


@pytest.mark.parametrize("template", TEMPLATES)
def test_an_answer_that_is_scored_has_the_tokens_that_it_has_in_training(kind, template):
    tokenizer = fast(kind, template)
    for text in ("What colour?", f"clip from 00:00-00:02: {VISUAL}\nWhat colour?"):
        whole = encode_training(
            tokenizer, [("user", text), ("assistant", "red disc")], tokens_per_clip=2
        )
        asked = encode_answer(tokenizer, text, "red disc", tokens_per_clip=2)
        length = len(asked.tokens)
        assert asked.tokens.tolist() == whole.tokens[:length].tolist()
        assert asked.labels.tolist() == whole.labels[:length].tolist()


def test_words_behind_a_visual_mark_are_read_as_inside_of_a_text(kind):
    tokenizer = fast(kind, "plain letters")
    text = f"clip from 00:00-00:02: {VISUAL}? now{VISUAL} now"
    encoded = encode_training(tokenizer, [("user", text), ("assistant", "B")], tokens_per_clip=1)
    behind = [
        pieces_of(tokenizer, [encoded.tokens[place + 1]])[0]
        for place in range(len(encoded.tokens))
        if encoded.source[place] != TEXT
    ]
    assert behind[0] == "?"
    assert behind[1][0] in "▁Ġ"


def test_a_special_token_that_data_spell_stays_text_without_a_space_in_it(kind):
    tokenizer = fast(kind, "plain letters")
    encoded = encode_training(
        tokenizer, [("user", "say </s> now"), ("assistant", "no</s>")], tokens_per_clip=1
    )
    assert encoded.tokens.tolist().count(tokenizer.eos_token_id) == 1
    read = "".join(pieces_of(tokenizer, encoded.tokens.tolist())).replace("▁", " ")
    assert "say </s> now" in read.replace("Ġ", " ")


def test_a_tokenizer_that_writes_no_space_reads_every_piece_as_its_own_text():
    tokenizer = prepend()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")  # pyright: ignore[reportAttributeAccessIssue]
    made = fast(tokenizer, "plain letters")
    pieces = ["What colour", " is", VISUAL, "the disc?"]
    expected = [() if one == VISUAL else tuple(token_ids(made, one)) for one in pieces]
    assert ids_of_pieces(made, pieces) == expected


def test_a_tokenizer_whose_space_cannot_be_taken_away_is_refused():
    tokenizer = prepend()
    tokenizer.normalizer = normalizers.Replace(Regex("^(?=.)"), "▁")  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(BadData, match="`Prepend`, `Metaspace` or `add_prefix_space`"):
        ids_of_pieces(fast(tokenizer, "plain letters"), ["What", " colour"])
