"""Answers that the model writes itself: greedy, and with nobody else's settings."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from tiny_languages import gemma2, mamba
from tiny_models import a_video, clips, llama, lmm, qwen2
from torch import nn
from transformers import GenerationConfig, PreTrainedModel

from apollo_core.batch import collate
from apollo_core.errors import BadData, Diverged
from apollo_core.media.manifest import Item
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.scoring.generating import MOST_TOKENS, ends, generate
from apollo_core.scoring.likelihood import write_prompt
from apollo_core.text.chat import IGNORED, Encoded, encode_answer

TOKENIZER = build_tokenizer()
END = TOKENIZER.eos_token_id
ITEMS = [
    Item("0", "v", "what colour is the circle?", ("red", "blue"), 0, "x"),
    Item("1", "v", "which shape moves from left to right?", ("circle", "a cross"), 0, "x"),
    Item("2", "v", "how many squares are there?", ("1", "2", "3"), 0, "x"),
]


def written(model: VideoLMM, shown: Shown | None, *, micro_batch: int = 2) -> list[str]:
    return generate(model, TOKENIZER, ITEMS, shown, prompt="lettered-v1", micro_batch=micro_batch)


def asked(item: Item, shown: Shown | None) -> Encoded:
    """The prompt up to where the answer begins."""
    text = write_prompt(item, shown.written[0] if shown else "", "lettered-v1")
    whole = encode_answer(TOKENIZER, text, "A", tokens_per_clip=8)
    end = int(np.flatnonzero(whole.labels != IGNORED)[0])
    return Encoded(whole.tokens[:end], whole.labels[:end], whole.source[:end])


@torch.inference_mode()
def by_transformers(model: VideoLMM, shown: Shown | None) -> list[str]:
    """The same by `generate`, each question on its own, every setting given."""
    plain: dict[str, Any] = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
    stops = sorted(ends(model.llm, TOKENIZER))
    config = GenerationConfig(
        max_new_tokens=MOST_TOKENS, eos_token_id=stops, pad_token_id=0, **plain
    )
    texts: list[str] = []
    for item in ITEMS:
        media, place = ([shown], 0) if shown else ([], -1)
        batch = collate([asked(item, shown)], media, [place], tokens_per_clip=8)
        ids = model.llm.generate(  # pyright: ignore[reportCallIssue]
            inputs_embeds=model.embed(batch),
            attention_mask=batch.attended.long(),
            generation_config=config,
        )
        texts.append(str(TOKENIZER.decode(ids[0], skip_special_tokens=True)))
    return texts


def talkative(llm: PreTrainedModel, seed: int = 3) -> VideoLMM:
    """A model that says different words and ends some of its answers."""
    model = lmm(llm, seed=seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.llm.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.4)
    return model


@pytest.mark.parametrize("shown", [None, a_video(clips(2))], ids=["text", "video"])
@pytest.mark.parametrize("language", [qwen2, llama, gemma2])
def test_the_answers_are_those_of_a_greedy_generation_of_each_question_on_its_own(language, shown):
    model = talkative(language())
    found = written(model, shown)
    assert len(set(" ".join(found).split())) > 3
    assert found == by_transformers(model, shown)


def test_a_class_without_a_cache_writes_too():
    model = talkative(mamba())
    assert written(model, a_video(clips(2))) == written(model, a_video(clips(2)), micro_batch=1)


def test_the_checkpoints_own_generation_settings_change_nothing():
    video = a_video(clips(2))
    model = talkative(qwen2())
    expected = written(model, video)
    model.llm.generation_config = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=3.0, num_beams=4, max_new_tokens=2
    )
    torch.manual_seed(1)
    assert written(model, video) == expected
    assert [written(model, video) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("where", ["tokenizer", "checkpoint"])
def test_an_answer_ends_where_a_special_token_ends_the_turn(where):
    model, video = talkative(qwen2()), a_video(clips(2))
    words = cast(nn.Embedding, model.llm.get_input_embeddings()).weight
    said = partial(TOKENIZER.decode, skip_special_tokens=True)
    silent = [at for at in range(len(words)) if not str(said([at])).strip()]
    assert END in silent
    with torch.no_grad():  # it never ends by itself, nor writes what is no word
        words[silent] = 0
    first = written(model, video)[0].split()
    assert len(first) == MOST_TOKENS  # this one's words are a token each
    prompts = " ".join(write_prompt(item, "", "lettered-v1") for item in ITEMS).lower()
    word = next(word for word in first[1:] if word not in prompts and word != first[0])
    (stop,) = TOKENIZER(word, add_special_tokens=False)["input_ids"]
    before = first[: first.index(word)]
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [word]})
    if where == "tokenizer":
        tokenizer.eos_token = word
    else:
        model.llm.generation_config.eos_token_id = [END, stop]
    assert stop in ends(model.llm, tokenizer)
    found = generate(model, tokenizer, ITEMS, video, prompt="lettered-v1", micro_batch=2)
    assert found[0].split() == before


def test_a_number_that_is_a_word_of_this_tokenizer_ends_nothing():
    model = lmm(llama())
    word = TOKENIZER("red", add_special_tokens=False)["input_ids"][0]
    model.llm.generation_config.eos_token_id = word
    stops = ends(model.llm, TOKENIZER)
    assert END in stops
    assert word not in stops


def test_how_many_questions_run_at_once_changes_no_answer():
    model, video = talkative(qwen2()), a_video(clips(3))
    found = [written(model, video, micro_batch=size) for size in (1, 2, 8)]
    assert found[0] == found[1] == found[2]


def test_a_question_without_room_for_its_answer_is_refused():
    model = lmm()
    fits = _clips_that_fit(model)
    assert len(written(model, a_video(clips(fits)))) == len(ITEMS)
    with pytest.raises(BadData, match="takes 512"):
        written(model, a_video(clips(fits + 1)))


def _clips_that_fit(model: VideoLMM) -> int:
    longest = max(len(asked(item, None).tokens) for item in ITEMS) + MOST_TOKENS
    assert model.longest is not None
    return (model.longest - longest) // 8


def test_likelihoods_that_are_not_finite_are_diverged_and_no_answer():
    model = lmm()
    with torch.no_grad():
        next(model.llm.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        written(model, None)
