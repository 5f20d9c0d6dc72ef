"""Which words ask about a medium, and who may share one."""

from __future__ import annotations

import numpy as np
import torch
from tiny_models import a_video, clips

from apollo_core.batch import Batch, collate
from apollo_core.media.reader import Shown
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.text.asking import NO_WORD, SEVERAL, questions
from apollo_core.text.chat import Encoded, encode_answer, encode_training
from apollo_core.text.integration import VISUAL

TOKENIZER = build_tokenizer()


def encoded(text: str, answer: str = "7") -> Encoded:
    return encode_answer(TOKENIZER, text, answer, tokens_per_clip=3)


def words(ids: tuple[int, ...] | list[int]) -> str:
    return str(TOKENIZER.decode([i for i in ids if i >= 0]))


def stills(*written: str) -> Shown:
    """One image for each text that stands for one."""
    count = len(written)
    return Shown(clips(count), written, 0.0, (1,) * count, (True,) * count)


def question(one: Encoded) -> tuple[int, ...]:
    """Of the one medium that a conversation shows."""
    shown = Shown(clips(1), ("",), 2.0, (one.clips_tokens // 3,), (False,))
    (found,) = questions(one, shown)
    return found


def trained(*turns: tuple[str, str]) -> Encoded:
    return encode_training(TOKENIZER, turns, tokens_per_clip=3)


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


def test_a_medium_of_a_later_turn_is_asked_about_by_the_words_of_that_turn():
    def about(text: str) -> str:
        turns = [
            ("user", "what colour is the circle?"),
            ("assistant", "red"),
            ("user", text),
            ("assistant", "7"),
            ("user", "where is the circle?"),
            ("assistant", "left"),
        ]
        return words(question(trained(*turns)))

    assert about(f"{VISUAL} which digit?") == (
        "<|im_start|> user which digit ? <|im_end|> <|im_start|> assistant"
    )
    assert "which shape ?" in about(f"which shape? {VISUAL}")


def test_media_of_several_turns_have_a_question_each_and_those_of_one_turn_share_it():
    one = trained(
        ("user", f"{VISUAL} which digit?"),
        ("assistant", "7"),
        ("user", f"{VISUAL} what colour is {VISUAL} the circle?"),
        ("assistant", "red"),
    )
    three = stills(VISUAL, VISUAL, VISUAL)
    batch = collate([one], [three], [0], tokens_per_clip=3)
    first, second, third = asked(batch)
    assert "which digit ?" in first
    assert "circle" not in first
    assert "the circle ?" in second
    assert not {"digit", "7", "red"} & set(second.split())
    assert second == third


def test_the_question_about_a_merged_video_is_found_by_its_places_not_its_clips():
    one = trained(
        ("user", f"{VISUAL * 2} which digit?"),
        ("assistant", "7"),
        ("user", f"{VISUAL} what colour is the circle?"),
        ("assistant", "red"),
    )
    shown = Shown(clips(6), (VISUAL * 2, VISUAL), 2.0, (5, 1), (False, True), places=(2, 1))
    assert ["circle" in words(found) for found in questions(one, shown)] == [False, True]


def test_a_conversation_shares_media_only_where_each_of_them_is_asked_the_same():
    def two(second: str) -> Encoded:
        return trained(
            ("user", f"{VISUAL} which digit?"),
            ("assistant", "7"),
            ("user", f"{VISUAL} {second}"),
            ("assistant", "red"),
        )

    rows = [two("what colour is the circle?"), two("where is the circle?")]
    shown = stills(VISUAL, VISUAL)
    shared = collate(rows, [shown], [0, 0], tokens_per_clip=3)
    assert "which digit ?" in asked(shared)[0]
    assert shared.asked[1, 0] == SEVERAL
    own = collate(rows, [shown], [0, 0], tokens_per_clip=3, conditioned=True)
    assert own.asked.shape[0] == 4
    assert ["where" in one for one in asked(own)] == [False, False, False, True]
    same = collate([rows[0]] * 2, [shown], [0, 0], tokens_per_clip=3, conditioned=True)
    assert same.asked.shape[0] == 2


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
