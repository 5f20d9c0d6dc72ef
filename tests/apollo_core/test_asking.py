"""Which words ask about a medium, and who may share one."""

from __future__ import annotations

import numpy as np
import torch
from tiny_models import a_video, clips

from apollo_core.asking import NO_WORD, SEVERAL, question
from apollo_core.batch import Batch, collate
from apollo_core.chat import Encoded, encode_answer, encode_training
from apollo_core.integration import VISUAL
from apollo_core.media import Shown
from apollo_core.microworld.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()


def encoded(text: str, answer: str = "7") -> Encoded:
    return encode_answer(TOKENIZER, text, answer, tokens_per_clip=3)


def words(ids: tuple[int, ...] | list[int]) -> str:
    return str(TOKENIZER.decode([i for i in ids if i >= 0]))


def asked(batch: Batch) -> list[str]:
    return [words(row) for row in batch.asked.tolist()]


def test_the_question_is_read_on_either_side_of_its_media_and_never_the_answer():
    behind = question(encoded(f"{VISUAL}clip from 00:02-00:04: {VISUAL}which digit?"))
    assert words(behind) == "<|im_start|> user which digit ? <|im_end|> <|im_start|> assistant"
    before = question(encoded(f"which digit? {VISUAL}"))
    assert words(before) == "<|im_start|> user which digit ? <|im_end|> <|im_start|> assistant"


def test_candidates_ask_the_same_question():
    assert question(encoded(f"{VISUAL}which digit?", "7")) == question(
        encoded(f"{VISUAL}which digit?", "yellow circle")
    )


def test_a_medium_behind_the_first_answer_is_asked_about_by_what_stands_before_it():
    turns = [
        ("user", "what colour is the circle?"),
        ("assistant", "red"),
        ("user", f"{VISUAL} which digit?"),
        ("assistant", "7"),
    ]
    found = words(question(encode_training(TOKENIZER, turns, tokens_per_clip=3)))
    assert "what colour is the circle ?" in found
    assert "7" not in found


def test_each_medium_has_the_question_of_its_conversation():
    three = Shown(clips(3), (VISUAL * 2, VISUAL), 0.0, (2, 1), (False, True))
    batch = collate(
        [encoded(f"{VISUAL * 3} which digit?"), encoded("red"), encoded(f"{VISUAL} red?")],
        [three, a_video(clips(1))],
        [0, -1, 1],
        tokens_per_clip=3,
    )
    assert batch.asked.shape[0] == batch.places.shape[0] == 3
    assert torch.equal(batch.asked[0], batch.asked[1])
    assert "which digit ?" in asked(batch)[0]
    assert "red ?" in asked(batch)[2]
    assert batch.asked[2, -1] == NO_WORD


def test_media_that_different_questions_share_say_so():
    about = [encoded(f"{VISUAL} which digit?"), encoded(f"{VISUAL} what colour is the circle?")]
    batch = collate(about, [a_video(clips(1))], [0, 0], tokens_per_clip=3)
    assert batch.asked.tolist() == [[SEVERAL]]
    same = collate(about[:1] * 2, [a_video(clips(1))], [0, 0], tokens_per_clip=3)
    assert "which digit ?" in asked(same)[0]


def test_where_the_question_is_read_only_the_same_question_shares_clips():
    digit, colour = f"{VISUAL * 2} which digit?", f"{VISUAL * 2} what colour is the circle?"
    batch = collate(
        [encoded(digit, "7"), encoded(colour, "red"), encoded(digit, "8"), encoded("red")],
        [a_video(clips(2))],
        [0, 0, 0, -1],
        tokens_per_clip=3,
        conditioned=True,
    )
    assert torch.equal(batch.clips, torch.from_numpy(np.concatenate([clips(2), clips(2)])))
    rows = [row[row >= 0].tolist() for row in batch.source]
    assert rows == [[*range(6)], [*range(6, 12)], [*range(6)], []]
    assert [("digit" in one, "colour" in one) for one in asked(batch)] == [
        (True, False),
        (False, True),
    ]
