"""Features of frozen encoders do not depend on what else is in a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import FRAMES, an_image, clips, image_encoder, lmm, video_encoder

from apollo_core.batch import Batch, collate
from apollo_core.encoders import siglip
from apollo_core.features import frozen
from apollo_core.geometry import VisionGeometry
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.stages.assembly import modules_of
from apollo_core.text.chat import encode_answer
from apollo_core.text.integration import VISUAL
from apollo_core.training.loop import set_trainable

TOKENIZER = build_tokenizer()
# Wide enough that products of another number of rows take another way through bfloat16 kernels.
WIDE = VisionGeometry(dim=384, depth=1, heads=6, mlp=1536, size=32, patch=8)


def about(*media: Shown) -> Batch:
    encoded = [
        encode_answer(TOKENIZER, VISUAL * sum(one.counts), "7", tokens_per_clip=8) for one in media
    ]
    return collate(encoded, media, list(range(len(media))), tokens_per_clip=8)


def a_video(count: int, seed: int) -> Shown:
    return Shown(clips(count, seed), (VISUAL * count,), 2.0, (count,), (False,))


def frozen_model(**changes: Any) -> VideoLMM:
    model = lmm(**changes)
    set_trainable(modules_of(model), ())
    return model


MEDIA = (a_video(3, 0), an_image(clips(1, 1)), a_video(1, 2), an_image(clips(1, 3)), a_video(18, 4))


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("joining", ["unified", "split"])
def test_features_are_the_same_bits_whatever_else_is_in_the_batch(half, joining):
    wide = siglip.create(WIDE, frames_per_clip=FRAMES).eval()
    model = frozen_model(encoders=[wide, video_encoder()], joining=joining)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        together = model.features(about(*MEDIA))
        alone = [model.features(about(one)) for one in MEDIA]
        backwards = model.features(about(*reversed(MEDIA)))
    for place, grid in enumerate(together):
        parts = [each[place] for each in alone if len(each[place])]
        assert torch.equal(grid, torch.cat(parts))
        lengths = [len(part) for part in reversed(parts)]
        assert torch.equal(grid, torch.cat(backwards[place].split(lengths)[::-1]))
    # Videos of three, one and 18 clips; the images only where the encoders see them.
    assert [len(grid) for grid in together] == [24, 22 if joining == "split" else 24]


def test_frozen_and_trained_encoders_give_the_same_features_up_to_the_last_digits():
    model = frozen_model()
    batch = about(*MEDIA)
    apart = model.features(batch)
    set_trainable(modules_of(model), ("vision",))
    for module in model.vision:
        module.eval()
    for one, other in zip(apart, model.features(batch), strict=True):
        assert not one.requires_grad
        assert other.requires_grad
        torch.testing.assert_close(one, other.detach(), atol=1e-5, rtol=1e-5)


def test_a_long_video_goes_through_in_pieces_and_a_still_as_one_frame():
    encoder = image_encoder()
    seen: list[tuple[int, int]] = []
    encoder.register_forward_hook(lambda _, args, __: seen.append(tuple(args[0].shape[:2])))
    frames = torch.from_numpy(clips(2 * frozen.CHUNK + 3))
    with torch.no_grad():
        frozen.encode_medium(encoder, frames, still=False)
        still = frozen.encode_medium(encoder, frames[:1], still=True)
    assert seen == [(16, 4), (16, 4), (3, 4), (1, 1)]
    assert still.shape[1] == 1


def test_a_batch_of_text_alone_has_features_of_no_clips():
    model = frozen_model()
    text = encode_answer(TOKENIZER, "which digit?", "7", tokens_per_clip=8)
    found = model.features(collate([text], [], [-1], tokens_per_clip=8))
    assert [grid.shape[0] for grid in found] == [0, 0]
    assert [grid.shape[-1] for grid in found] == [16, 24]


def test_who_sees_a_still_follows_from_how_encoders_are_joined():
    assert lmm().sees == {"video": (0, 1), "still": (0, 1)}
    assert lmm(joining="split").sees == {"video": (0, 1), "still": (0,)}
