"""Visual tokens spliced into a language model, and the loss on answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import (
    POOLING,
    SIZES,
    a_video,
    an_image,
    clips,
    conversation,
    conversations,
    image_encoder,
    llama,
    lmm,
    of_clips,
    qwen2,
    video_encoder,
)
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from apollo_core.batch import Batch, collate
from apollo_core.connector.clip_merging import merge
from apollo_core.design import FpsSampling, MemoryBank
from apollo_core.encoders.pixels import to_unit
from apollo_core.errors import BadData
from apollo_core.media.decoding import Decoder
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.text.chat import Encoded, encode_training
from apollo_core.text.integration import END, START, VISUAL

TOKENIZER = build_tokenizer()


def qwen3() -> PreTrainedModel:
    return Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=8)).eval()


def gemma2() -> PreTrainedModel:
    """A class whose forward does more than its head: it caps the logits."""
    config = Gemma2Config(**SIZES, head_dim=8, final_logit_softcapping=2.0)
    return Gemma2ForCausalLM(config).eval()


def full_loss(model: VideoLMM, batch: Batch) -> Tensor:
    """The loss of transformers itself, a mean, over logits of every position."""
    return model.llm(
        inputs_embeds=model.embed(batch),
        attention_mask=batch.attended.long(),
        labels=batch.labels,
    ).loss


def test_visual_tokens_stand_exactly_where_the_source_says():
    model = lmm()
    written = f"clip from 00:00-00:02: {START}{VISUAL}{END}\nclip from 00:02-00:04: {VISUAL}"
    turns = [("user", f"{written}\nwhich digit?"), ("assistant", "7")]
    encoded = encode_training(TOKENIZER, turns, tokens_per_clip=8)
    batch = collate([encoded], [a_video(clips(2))], [0], tokens_per_clip=8)
    visual = model.connector([tower(to_unit(batch.clips)) for tower in model.vision])
    words = model.llm.get_input_embeddings()
    before, between, after = (
        words(torch.tensor(TOKENIZER.encode(text, add_special_tokens=False), dtype=torch.long))
        for text in (
            "<|im_start|>user clip from 00:00-00:02:",
            "clip from 00:02-00:04:",
            "which digit?<|im_end|><|im_start|>assistant 7<|im_end|>",
        )
    )
    start, end = model.connector.marks[:1], model.connector.marks[1:]
    expected = torch.cat([before, start, visual[0], end, between, visual[1], after])
    torch.testing.assert_close(model.embed(batch)[0], expected)


def test_the_loss_is_the_full_logits_loss_of_transformers():
    for llm in (qwen2, llama, qwen3, gemma2):
        model = lmm(llm())
        batch = conversations(TOKENIZER, [(1, "red"), (0, "yellow circle"), (3, "7")])
        mean = model.loss(batch) / batch.supervised
        torch.testing.assert_close(mean, full_loss(model, batch))


def test_gradients_are_those_of_the_full_logits_loss():
    model = lmm(llama())
    batch = conversations(TOKENIZER, [(1, "red"), (2, "yellow circle")])
    parameters = list(model.parameters())
    sparse = torch.autograd.grad(
        model.loss(batch) / batch.supervised, parameters, allow_unused=True
    )
    full = torch.autograd.grad(full_loss(model, batch), parameters, allow_unused=True)
    for mine, theirs in zip(sparse, full, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)


def test_conversations_that_share_a_clip_equal_two_copies_of_it():
    model = lmm()
    turns = [[("user", f"{VISUAL} which digit?"), ("assistant", answer)] for answer in ("7", "red")]
    encoded = [encode_training(TOKENIZER, one, tokens_per_clip=8) for one in turns]
    shared = collate(encoded, [a_video(clips(1))], [0, 0], tokens_per_clip=8)
    copied = collate(encoded, [a_video(clips(1)), a_video(clips(1))], [0, 1], tokens_per_clip=8)
    torch.testing.assert_close(model.embed(shared), model.embed(copied))
    torch.testing.assert_close(model.loss(shared), model.loss(copied))


def test_text_alone_needs_no_clips_and_is_read_as_the_language_model_reads_it():
    model = lmm()
    batch = conversation(TOKENIZER)
    assert len(batch.clips) == 0
    plain = model.llm(input_ids=batch.tokens, labels=batch.labels).loss
    torch.testing.assert_close(model.loss(batch) / batch.supervised, plain)


def test_padding_changes_no_loss():
    model = lmm()
    asked = [(1, "red"), (0, "yellow circle"), (2, "7")]
    alone = [
        model.loss(conversations(TOKENIZER, [(0, "x")] * i + [one])) for i, one in enumerate(asked)
    ]
    # `conversations` draws the clips of conversation i from seed i, hence the texts before it
    fillers = [model.loss(conversations(TOKENIZER, [(0, "x")] * i)) if i else 0 for i in range(3)]
    expected = sum(a - f for a, f in zip(alone, fillers, strict=True))
    torch.testing.assert_close(model.loss(conversations(TOKENIZER, asked)), expected)


@pytest.mark.parametrize("towers", ["image", "video", "both"])
def test_one_encoder_or_two_and_either_resampler_make_a_model(towers):
    chosen = {
        "image": [image_encoder()],
        "video": [video_encoder()],
        "both": [image_encoder(), video_encoder()],
    }[towers]
    model = lmm(encoders=chosen, resampler=POOLING)
    assert model.input_size == max(tower.spec.size for tower in chosen)
    assert model.visual_tokens(of_clips(clips(3))).shape == (3, 8, 32)
    assert np.isfinite(model.loss(conversation(TOKENIZER, 2)).item())


def test_what_is_seen_changes_the_answer():
    model = lmm()
    batch = conversation(TOKENIZER, 1)
    other = collate(
        [
            encode_training(
                TOKENIZER,
                [("user", VISUAL + "\nwhat colour is the circle?"), ("assistant", "red")],
                tokens_per_clip=8,
            )
        ],
        [a_video(255 - clips(1))],
        [0],
        tokens_per_clip=8,
    )
    assert torch.equal(batch.tokens, other.tokens)
    assert not torch.isclose(model.loss(batch), model.loss(other))


MEMORY = MemoryBank(long=2, recent=1)


def a_remembered_video(frames: np.ndarray) -> Shown:
    """As a reader with `MEMORY` shows it."""
    count = min(len(frames), 3)
    return replace(a_video(frames), written=(VISUAL * count,), places=(count,))


def asked_about(*written: str) -> Encoded:
    turns = [("user", f"{' '.join(written)} which digit?"), ("assistant", "7")]
    return encode_training(TOKENIZER, turns, tokens_per_clip=8)


def collate_one(shown: Shown) -> Batch:
    return collate([asked_about(*shown.written)], [shown], [0], tokens_per_clip=8)


def test_several_media_in_one_conversation_stand_in_their_order():
    model = lmm()
    first, image, second = a_video(clips(2, 1)), an_image(clips(1, 2)), a_video(clips(1, 3))
    parts = (first, image, second)
    together = Shown(
        np.concatenate([one.frames for one in parts]),
        tuple(one.written[0] for one in parts),
        2.0,
        (2, 1, 1),
        (False, True, False),
    )
    batch = collate([asked_about(*together.written)], [together], [0], tokens_per_clip=8)
    assert batch.medium.tolist() == [0, 0, 1, 2]
    assert batch.still.tolist() == [False, False, True, False]
    alone = [model.visual_tokens(collate_one(one)) for one in parts]
    here = batch.source[0] >= 0
    torch.testing.assert_close(
        model.embed(batch)[0][here], torch.cat(alone).flatten(0, 1), atol=1e-5, rtol=1e-4
    )


def test_a_long_video_keeps_its_last_clips_and_averages_of_the_earlier_ones():
    model, plain = lmm(memory=MEMORY), lmm()
    batch = collate_one(a_remembered_video(clips(6)))
    with torch.no_grad():
        whole = plain.visual_tokens(batch)
        embedded = model.embed(batch)[0][batch.source[0] >= 0]
    expected = torch.cat([merge(whole[:5], 2), whole[5:]]).flatten(0, 1)
    torch.testing.assert_close(embedded, expected)


def test_a_memory_bank_leaves_images_and_shorter_videos_as_they_are():
    remembering, plain = lmm(memory=MEMORY), lmm()
    media = [a_video(clips(3, 1)), an_image(clips(4, 2))]
    encoded = [asked_about(*one.written) for one in media]
    batch = collate(encoded, media, [0, 1], tokens_per_clip=8)
    with torch.no_grad():
        assert torch.equal(remembering.embed(batch), plain.embed(batch))


def test_text_and_features_of_another_memory_bank_are_refused_with_both_counts():
    remembered, whole = collate_one(a_remembered_video(clips(6))), collate_one(a_video(clips(6)))
    with pytest.raises(BadData, match=r"places for 48 visual tokens, the connector gives 24"):
        lmm(memory=MEMORY).loss(whole)
    with pytest.raises(BadData, match=r"places for 24 visual tokens, the connector gives 48"):
        lmm().loss(remembered)


def test_a_long_video_file_is_read_written_and_trained_on_with_a_memory_bank(
    decoder: Decoder, nasa: Path
):
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=25)
    reader = MediaReader(decoder, nasa.parent, sampling, "timestamps-separators", 32, MEMORY)
    shown = reader.video(nasa.name)
    assert shown.counts == (7,)
    assert shown.written[0].count(VISUAL) == 3
    model = lmm(memory=MEMORY)
    model.loss(collate_one(shown)).backward()
    assert model.connector.marks.grad is not None
    assert all(p.grad is not None for p in model.vision[1].parameters())


def test_features_at_hand_give_the_very_loss_of_running_the_encoders():
    model = lmm()
    batch = conversations(TOKENIZER, [(2, "red"), (0, "blue"), (1, "7")])
    model.vision.requires_grad_(False)
    at_hand = model.features(batch)
    assert torch.equal(model.loss(batch, at_hand), model.loss(batch))


def test_a_batch_of_text_has_features_of_no_clips():
    model = lmm()
    assert [len(grid) for grid in model.features(conversation(TOKENIZER))] == [0, 0]
