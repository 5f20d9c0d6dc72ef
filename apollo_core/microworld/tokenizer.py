"""The microworld's tokenizer: one token a word, in transformers' own file format."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from apollo_core.microworld.language import VOCABULARY
from apollo_core.microworld.parts import VOCABULARY_SIZE

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer over the closed vocabulary; digits and punctuation stand alone."""
    special = (PAD, UNKNOWN, BEGIN, END)
    words = dict.fromkeys((*special, *ROLES, *VOCABULARY))
    if len(words) > VOCABULARY_SIZE:
        raise AssertionError(f"{len(words)} words do not fit in {VOCABULARY_SIZE}")
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN)
    )
    # The microworld writes in lower case; what a prompt adds (options' letters, say) may not.
    tokenizer.normalizer = normalizers.Lowercase()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [pre_tokenizers.Split(Regex(r"[a-z]+|[^\sa-z]"), behavior="removed", invert=True)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN, eos_token=END
    )
    fast.add_special_tokens({"additional_special_tokens": [BEGIN]})
    fast.chat_template = CHAT_TEMPLATE
    return fast
