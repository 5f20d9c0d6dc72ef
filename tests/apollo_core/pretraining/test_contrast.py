"""The losses that bind pictures to texts, against sums written out term by term."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from apollo_core.pretraining.contrast import sigmoid_loss, softmax_loss
from apollo_core.pretraining.watched import CAPTION_WORDS, sentences_of, together

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [0.3, 0.4, 3.0]])
OWN = torch.eye(3, dtype=torch.bool)
SHARED = torch.tensor([[True, False, True], [False, True, False], [True, False, True]])


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def test_the_sigmoid_loss_is_the_sum_over_pairs_by_the_number_of_pictures():
    told = sum(
        log_sigmoid(LOGITS[i, j].item() * (1 if SHARED[i, j] else -1))
        for i in range(3)
        for j in range(3)
    )
    assert sigmoid_loss(LOGITS, SHARED).item() == pytest.approx(-told / 3)


def test_the_softmax_loss_is_cross_entropy_both_ways_where_each_text_is_of_one_picture():
    own = torch.arange(3)
    both = functional.cross_entropy(LOGITS, own) + functional.cross_entropy(LOGITS.T, own)
    assert softmax_loss(LOGITS, OWN).item() == pytest.approx(both.item() / 2)


def test_a_text_that_is_right_for_two_pictures_counts_half_for_each():
    logs = LOGITS.T.log_softmax(1)
    wanted = -(logs[0, 0] + logs[0, 2] + 2 * logs[1, 1] + logs[2, 0] + logs[2, 2]) / 6
    of_texts = 2 * softmax_loss(LOGITS, SHARED) - softmax_one_way(LOGITS, SHARED)
    assert of_texts.item() == pytest.approx(wanted.item())


def softmax_one_way(logits, positives):
    shares = positives / positives.sum(1, keepdim=True)
    return functional.cross_entropy(logits, shares)


def test_each_sentence_is_a_text_once_and_right_for_every_medium_of_whose_caption_it_is():
    captions = [
        "a red circle is at the left.",
        "a blue cross is at the top. a red circle is at the left.",
        "a blue cross is at the bottom.",
    ]
    clips = torch.zeros(3, 1, 2, 2, 3, dtype=torch.uint8)
    texts, said_of = together([sentences_of(each) for each in captions], [1, 1, 1], clips).told()
    wanted = {"left": [True, True, False], "top": [False, True, False]}
    wanted["bottom"] = [False, False, True]
    for side, right in wanted.items():
        text = next(i for i, words in enumerate(texts) if CAPTION_WORDS[side] in words)
        assert said_of[:, text].tolist() == right
    assert texts.shape[0] == 3


def test_a_medium_of_several_clips_has_their_mean():
    clips = torch.zeros(3, 1, 2, 2, 3, dtype=torch.uint8)
    batch = together([sentences_of("red."), sentences_of("blue.")], [2, 1], clips)
    means = batch.mean_of_clips(torch.tensor([[1.0], [3.0], [5.0]]))
    assert means.flatten().tolist() == [2.0, 5.0]
