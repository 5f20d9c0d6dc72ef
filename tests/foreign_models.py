"""Tiny models of other people's kinds, untrained, as folders that `save_pretrained` leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

MARKS = (
    "<|im_end|>", "<|endoftext|>", "<|im_start|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>", "<image>", "<video>",
)  # fmt: skip
QWEN = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|>\
<|vision_end|>{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\
{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
LLAVA = """{% for message in messages %}<|im_start|>{{ message['role'] }} \
{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>
{% elif part['type'] == 'video' %}<video>
{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "bos_token_id": None,
}


def tiny_qwen2_vl(folder: Path, *, seed: int = 0) -> Path:
    """Two layers of each kind; pictures of at most 56 x 56 pixels."""
    tokenizer = byte_tokenizer(QWEN)
    number = _numbers(tokenizer)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = Qwen2VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "rope_parameters": rope,
            "eos_token_id": number("<|im_end|>"),
            "pad_token_id": number("<|endoftext|>"),
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    size = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    Qwen2VLImageProcessorPil(size=size).save_pretrained(folder)
    torch.manual_seed(seed)
    return _saved(Qwen2VLForConditionalGeneration(config), tokenizer, folder)


def tiny_llava_onevision(folder: Path) -> Path:
    """Two layers of each kind; pictures of 28 x 28 pixels, four patches each."""
    tokenizer = byte_tokenizer(LLAVA)
    number = _numbers(tokenizer)
    config = LlavaOnevisionConfig(
        text_config={
            **TEXT,
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "eos_token_id": number("<|im_end|>"),
            "pad_token_id": number("<|endoftext|>"),
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "vision_use_head": False,
        },
        image_token_index=number("<image>"),
        video_token_index=number("<video>"),
        image_grid_pinpoints=[[28, 28], [28, 56]],
    )
    size = {"height": 28, "width": 28}
    LlavaOnevisionImageProcessorPil(
        size=size, image_grid_pinpoints=[[28, 28], [28, 56]]
    ).save_pretrained(folder)
    torch.manual_seed(0)
    _saved(LlavaOnevisionForConditionalGeneration(config), tokenizer, folder)
    (folder / "processor_config.json").write_text(
        '{"processor_class": "LlavaOnevisionProcessor", "num_image_tokens": 4, '
        '"vision_feature_select_strategy": "full", "image_token": "<image>", '
        '"video_token": "<video>"}'
    )
    return folder


def byte_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """A token for each byte, and for each mark."""
    alphabet = sorted(ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(MARKS[2:]),
    )
    tokenizer.chat_template = template
    return tokenizer


def _numbers(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], int]:
    return lambda mark: cast(int, tokenizer.convert_tokens_to_ids(mark))


def _saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    # Weights as they are drawn give every letter the same chance to three digits.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
