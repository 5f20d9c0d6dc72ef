"""Conversations side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import FRAMES, a_video, clips

from apollo_core.batch import collate
from apollo_core.errors import BadData
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.text.chat import IGNORED, TEXT, Encoded, encode_answer, encode_training
from apollo_core.text.integration import VISUAL


def encoded(places: int) -> Encoded:
    return encode_answer(
        build_tokenizer(), VISUAL * places + "which digit?", "7", tokens_per_clip=3
    )


def test_places_for_another_number_of_clips_than_the_media_give_are_refused_with_both_counts():
    with pytest.raises(BadData, match=r"places for 6 visual tokens, its media give\s+9"):
        collate([encoded(2)], [a_video(clips(3))], [0], tokens_per_clip=3)
    with pytest.raises(BadData, match=r"places for 3 visual tokens, its media give\s+0"):
        collate([encoded(1)], [], [-1], tokens_per_clip=3)
    with pytest.raises(BadData, match=r"places for 0 visual tokens, its media give\s+3"):
        collate([encoded(0)], [a_video(clips(1))], [0], tokens_per_clip=3)


def test_each_conversation_points_at_the_tokens_of_its_own_medium():
    batch = collate(
        [encoded(2), encoded(0), encoded(1), encoded(2)],
        [a_video(clips(2, seed=1)), a_video(clips(1, seed=2))],
        [0, -1, 1, 0],
        tokens_per_clip=3,
    )
    rows = [row[row >= 0].tolist() for row in batch.source]
    assert rows == [[0, 1, 2, 3, 4, 5], [], [6, 7, 8], [0, 1, 2, 3, 4, 5]]
    assert torch.equal(batch.clips, torch.from_numpy(np.concatenate([clips(2, 1), clips(1, 2)])))


def test_shorter_conversations_are_padded_on_the_right_with_places_that_nobody_sees():
    short = encode_training(
        build_tokenizer(), [("user", "which digit?"), ("assistant", "7")], tokens_per_clip=3
    )
    batch = collate([short, encoded(2)], [a_video(clips(2))], [-1, 0], tokens_per_clip=3)
    end = len(short.tokens)
    assert batch.attended[0].tolist() == [True] * end + [False] * (batch.tokens.shape[1] - end)
    assert (batch.labels[0, end:] == IGNORED).all()
    assert (batch.source[0, end:] == TEXT).all()
    assert batch.supervised == int((short.labels != IGNORED).sum()) + 1


def test_a_batch_without_media_has_no_clips():
    assert len(collate([encoded(0)], [], [-1], tokens_per_clip=3).clips) == 0
    assert clips(0).shape[1] == FRAMES


def test_a_medium_whose_clips_are_merged_has_fewer_places_than_clips():
    merged = replace(a_video(clips(5)), places=(2,))
    batch = collate(
        [encoded(2), encoded(1)], [merged, a_video(clips(1))], [0, 1], tokens_per_clip=3
    )
    assert batch.places.tolist() == [2, 1]
    assert batch.medium.tolist() == [0, 0, 0, 0, 0, 1]
    assert batch.source[1][batch.source[1] >= 0].tolist() == [6, 7, 8]
    with pytest.raises(BadData, match=r"places for 15 visual tokens, its media give\s+6"):
        collate([encoded(5)], [merged], [0], tokens_per_clip=3)
