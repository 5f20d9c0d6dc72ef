"""Chat templates of published families, and tokenizers that speak them."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

# What the published templates write around turns, trim and refuse, in our own words.
QWEN2 = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}"
    "<|im_start|>system\nBe helpful.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m['role'] + '\n' + m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA2 = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# As Mistral 7B v0.3's: a system turn stands in the last question, where no answer follows it.
MISTRAL3 = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{{ bos_token }}{% for m in turns %}{% if m['role'] == 'user' %}[INST] "
    "{% if loop.last and system is defined %}{{ system + '\n\n' }}{% endif %}"
    "{{ m['content'] }}[/INST]{% else %} {{ m['content'] | trim }}{{ eos_token }}{% endif %}"
    "{% endfor %}"
)
# A cousin writes it into the last question whatever follows.
MISTRAL_LAST = MISTRAL3.replace(
    "{% if loop.last and", "{% if (loop.last or loop.index0 == turns | length - 2) and"
)
# As Qwen3's: an empty thought where an answer is asked for and before answers behind the last
# question, none before earlier answers; what an answer says as a thought is taken out of it.
QWEN3 = (
    "{% set ns = namespace(asked=-1) %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}"
    "{% endfor %}"
    "{% for m in messages %}{% set said = m['content'] %}<|im_start|>{{ m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}{% set thought = '' %}"
    "{% if '</think>' in said %}"
    "{% set thought = said.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set said = said.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{% if loop.index0 > ns.asked %}"
    "{{ '<think>\n' + thought + '\n</think>\n\n' + said.lstrip('\n') }}"
    "{% else %}{{ said }}{% endif %}"
    "{% else %}{{ said }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
# Says nothing of a system turn, as old templates do.
DEAF = (
    "{% for m in messages %}{% if m['role'] != 'system' %}[{{ m['role'] }}] {{ m['content'] }}</s>"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}"
)
FAMILIES = {
    "qwen2": (QWEN2, "<|endoftext|>", "<|im_end|>", ["<|im_start|>", "<|im_end|>"]),
    "llama3": (
        LLAMA3,
        "<|eot_id|>",
        "<|eot_id|>",
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"],
    ),
    "gemma2": (GEMMA2, "<eos>", "<end_of_turn>", ["<bos>", "<start_of_turn>", "<end_of_turn>"]),
    "deaf": (DEAF, "</s>", "</s>", []),
    "mistral3": (MISTRAL3, "</s>", "</s>", ["[INST]", "[/INST]"]),
    "mistral-last": (MISTRAL_LAST, "</s>", "</s>", ["[INST]", "[/INST]"]),
    "qwen3": (QWEN3, "<|im_end|>", "<|im_end|>", ["<|im_start|>"]),
}
# Between an answer's opening and its words.
SPACE = {"mistral3": " ", "mistral-last": " "}
BEGIN = {"mistral3": "<s>", "mistral-last": "<s>", "llama3": "<|begin_of_text|>", "gemma2": "<bos>"}


def byte_level(family: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a family's template and special tokens."""
    template, eos, _, special = FAMILIES[family]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["what colour is the red circle?"] * 3, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos)
    fast.add_special_tokens({"additional_special_tokens": special})
    if family in BEGIN:
        fast.add_special_tokens({"bos_token": BEGIN[family]})
    fast.chat_template = template
    return fast


TOKENIZERS = {family: byte_level(family) for family in FAMILIES}
