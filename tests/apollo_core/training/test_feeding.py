"""Samples in their drawn order, whatever the batch size."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from apollo_core.batch import Batch
from apollo_core.design import FpsSampling
from apollo_core.errors import BadData, DecodeFailed
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest_record import Medium, Sample
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.stages.identity import BadMedia
from apollo_core.text.integration import VISUAL
from apollo_core.training import feeding
from apollo_core.training.fed import Fed
from apollo_core.training.feeding import Feeder, place_media
from apollo_core.training.like_length import FILLED, like_length
from apollo_core.training.mixture import draw

TOKENIZER = build_tokenizer()
SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3)
DIGITS = "0123456789"


def text(number: int) -> Sample:
    """A sample that says its own number, in more or fewer words."""
    asked = "which digit? " * (1 + number % 3)
    return Sample(f"t{number}", (), (("user", asked), ("assistant", " ".join(f"{number:02d}"))))


def video(name: str) -> Sample:
    turns = (("user", "<video>\nwhich digit?"), ("assistant", "7"))
    return Sample(f"v-{name}", (Medium("video", name),), turns)


def images(*names: str) -> Sample:
    turns = (("user", "<image>\n<image>\nwhich digit?"), ("assistant", "7"))
    return Sample("i", tuple(Medium("image", name) for name in names), turns)


def feeder(
    shares: list[list[Sample]],
    decoder: Decoder,
    root: Path,
    *,
    samples: int,
    bad_media: BadMedia = "stop",
    seed: int = 0,
    threads: int = 1,
    longest: int | None = None,
    ahead: bool = True,
) -> Feeder:
    return Feeder(
        shares,
        draw([1.0] * len(shares), [len(s) for s in shares], samples=samples, seed=seed),
        readers=[MediaReader(decoder, root, SAMPLING, "timestamps", 32)] * threads,
        tokenizer=TOKENIZER,
        tokens_per_clip=2,
        bad_media=bad_media,
        longest=longest,
        ahead=ahead,
    )


def answers(batch: Batch) -> list[str]:
    """The number that each text sample of a batch says."""
    said: list[str] = []
    for labels in batch.labels:
        words = TOKENIZER.convert_ids_to_tokens(labels[labels >= 0].tolist())
        said.append("".join(word for word in words if word in DIGITS))
    return said


def steps_of(feed: Feeder, batch_size: int, micro_batch: int, *, first: int = 0) -> list[list[str]]:
    return [
        sorted(answer for batch in step for answer in answers(batch))
        for step in feed.batches(batch_size, micro_batch, first=first)
    ]


def fed(feed: Feeder, batch_size: int, micro_batch: int) -> list[list[str]]:
    return steps_of(feed, batch_size, micro_batch)


def test_the_samples_of_a_step_do_not_depend_on_the_micro_batch(decoder, tmp_path):
    shares = [[text(n) for n in range(20)], [text(n) for n in range(20, 50)]]
    expected = fed(feeder(shares, decoder, tmp_path, samples=30), 8, 8)
    assert [len(step) for step in expected] == [8, 8, 8, 6]
    for micro_batch in (1, 3):
        assert fed(feeder(shares, decoder, tmp_path, samples=30), 8, micro_batch) == expected


def test_the_first_samples_are_the_same_whatever_the_batch_size(decoder, tmp_path):
    shares = [[text(n) for n in range(20)], [text(n) for n in range(20, 50)]]
    wide = fed(feeder(shares, decoder, tmp_path, samples=30), 12, 4)
    narrow = fed(feeder(shares, decoder, tmp_path, samples=30), 4, 4)
    assert wide[0] == sorted(narrow[0] + narrow[1] + narrow[2])


def test_a_real_video_and_its_frames_are_fed_side_by_side(decoder, nasa, tmp_path):
    (tmp_path / "real.mp4").symlink_to(nasa)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / name)
    clips = decoder.read_clips(nasa, SAMPLING, size=32).stacked()
    feed = feeder(
        [[video("real.mp4")], [images("a.png", "b.png")], [text(1)]], decoder, tmp_path, samples=3
    )
    batches = [batch for step in feed.batches(3, 3) for batch in step]
    assert sum(len(batch.clips) for batch in batches) == 3 + 2
    rows = [(batch, row[row >= 0]) for batch in batches for row in batch.source]
    (frames,) = (batch.clips[int(shown[0]) // 2 :][:3] for batch, shown in rows if len(shown) == 6)
    assert (frames.numpy() == clips).all()
    assert sorted(len(shown) for _, shown in rows) == [0, 2 * 2, 3 * 2]
    assert feed.fed.samples == [1, 1, 1]
    assert feed.fed.rates == [pytest.approx(2.0, rel=0.03)]


def test_bad_media_stop_the_stage_and_are_named(decoder, truncated, tmp_path):
    feed = feeder([[video(truncated.name)]], decoder, tmp_path, samples=4)
    with pytest.raises(DecodeFailed, match=truncated.name) as caught:
        list(feed.batches(2, 2))
    assert caught.value.failure_class == "data"


def test_bad_media_are_skipped_and_counted_by_option(decoder, tmp_path):
    (tmp_path / "empty.mp4").touch()
    samples = [*(text(n) for n in range(9)), video("empty.mp4")]
    feed = feeder([samples], decoder, tmp_path, samples=20, bad_media="skip")
    said = [answer for step in fed(feed, 4, 2) for answer in step]
    assert len(said) == 18
    assert feed.fed.samples == [18]
    assert feed.fed.skips == 2
    assert feed.fed.skipped == {str(tmp_path / "empty.mp4"): "is empty (0 bytes)"}


def test_more_than_a_fifth_of_bad_samples_stop_the_stage_all_the_same(decoder, tmp_path):
    samples = [*(text(n) for n in range(7)), *(video(f"gone{n}.mp4") for n in range(3))]
    feed = feeder([samples], decoder, tmp_path, samples=10, bad_media="skip")
    with pytest.raises(BadData, match=r"more than 20 % .*skip: 0.2") as caught:
        list(feed.batches(2, 2))
    assert caught.value.failure_class == "data"
    assert "gone" in str(caught.value)


def test_a_batch_of_bad_samples_alone_is_an_empty_step(decoder, tmp_path):
    samples = [*(text(n) for n in range(9)), video("gone.mp4")]
    feed = feeder([samples], decoder, tmp_path, samples=10, bad_media="skip")
    assert [len(list(step)) for step in feed.batches(1, 1)].count(0) == 1


def test_each_mark_gives_way_to_its_own_medium_in_order():
    turns = [("user", "<image> or <image>?"), ("assistant", "the first"), ("user", "and <image>?")]
    placed = place_media(turns, [f"1{VISUAL}", f"2{VISUAL}", f"3{VISUAL}"])
    assert placed == [
        ("user", f"1{VISUAL} or 2{VISUAL}?"),
        ("assistant", "the first"),
        ("user", f"and 3{VISUAL}?"),
    ]


def test_private_use_characters_in_a_conversation_are_refused():
    with pytest.raises(BadData, match="private-use"):
        place_media([("user", f"which{VISUAL}?"), ("assistant", "7")], [])


def test_a_sample_seen_again_is_the_same_batch(decoder, tmp_path):
    feed = feeder([[text(3)]], decoder, tmp_path, samples=2)
    first, again = (next(step) for step in feed.batches(1, 1))
    assert torch.equal(first.tokens, again.tokens)
    assert torch.equal(first.labels, again.labels)


def test_how_many_workers_read_changes_no_batch_and_no_record(decoder, nasa, tmp_path, monkeypatch):
    monkeypatch.setattr(feeding, "WINDOW_BYTES", 1)
    (tmp_path / "real.mp4").symlink_to(nasa)
    samples = [video("real.mp4"), *(text(n) for n in range(9)), video("gone.mp4")]

    def batches(workers: int) -> tuple[list[Batch], dict[str, object]]:
        feed = feeder(
            [samples],
            decoder,
            tmp_path,
            samples=22,
            bad_media="skip",
            threads=max(1, workers),
            ahead=workers > 0,
        )
        return [batch for step in feed.batches(6, 2) for batch in step], feed.fed.to_json()

    (none, record), *others = (batches(workers) for workers in (0, 1, 4))
    for other, other_record in others:
        assert other_record == record
        assert len(none) == len(other)
        for mine, theirs in zip(none, other, strict=True):
            assert torch.equal(mine.tokens, theirs.tokens)
            assert torch.equal(mine.clips, theirs.clips)


def test_a_stage_can_start_at_any_step_and_reads_nothing_before_it(decoder, nasa, tmp_path):
    (tmp_path / "real.mp4").symlink_to(nasa)
    samples = [video("real.mp4"), *(text(n) for n in range(9))]
    whole = fed(feeder([samples], decoder, tmp_path, samples=20), 4, 2)
    for first in (0, 1, 4, 5):
        feed = feeder([samples], decoder, tmp_path, samples=20)
        assert steps_of(feed, 4, 2, first=first) == whole[first:]
        assert sum(feed.fed.samples) == 20 - 4 * first


def test_the_record_tells_of_what_was_taken_and_not_of_what_was_read_ahead(decoder, tmp_path):
    feed = feeder([[text(n) for n in range(9)]], decoder, tmp_path, samples=18)
    with closing(feed.batches(3, 1)) as steps:
        for taken in (3, 6, 9):
            list(next(steps))
            time.sleep(0.02)
            assert feed.fed.samples == [taken]


def test_what_was_fed_comes_back_from_its_plain_values(decoder, nasa, tmp_path):
    (tmp_path / "real.mp4").symlink_to(nasa)
    samples = [video("real.mp4"), *(text(n) for n in range(5)), video("gone.mp4")]
    feed = feeder([samples], decoder, tmp_path, samples=14, bad_media="skip")
    fed(feed, 2, 2)
    assert Fed.from_json(json.loads(json.dumps(feed.fed.to_json()))) == feed.fed
    assert len(feed.fed.sampling) == 1
    line = json.loads(next(iter(feed.fed.sampling)))
    assert (line["sample"], line["medium"], line["clips"]) == ("v-real.mp4", "real.mp4", 3)
    assert line["realised_fps"] == pytest.approx(2, rel=0.03)


def test_samples_are_sorted_by_length_inside_a_window_of_whole_micro_batches(
    decoder, tmp_path, monkeypatch
):
    samples = [text(n) for n in range(24)]

    def lengths() -> list[int]:
        feed = feeder([samples], decoder, tmp_path, samples=24)
        return [int(b.attended.sum(1).max()) for step in feed.batches(24, 2) for b in step]

    assert lengths() == sorted(lengths())
    monkeypatch.setattr(feeding, "WINDOW_BYTES", 0)
    assert sorted(lengths()) != lengths()


@pytest.mark.parametrize("most", [4, 32])
def test_less_than_a_tenth_of_a_step_is_padding(most, decoder, tmp_path):
    asked = ("which digit? " * (1 + n**2) for n in range(16))
    samples = [Sample(a, (), (("user", a), ("assistant", "7"))) for a in asked]
    feed = feeder([samples], decoder, tmp_path, samples=32)
    for step in feed.batches(32, most):
        parts = list(step)
        assert max(len(batch.tokens) for batch in parts) <= most
        attended = sum(int(batch.attended.sum()) for batch in parts)
        assert attended / sum(batch.attended.numel() for batch in parts) >= FILLED


def test_samples_of_one_length_are_cut_by_their_number_alone():
    assert [each.stop - each.start for each in like_length([5] * 10, 4)] == [2, 4, 4]
    assert [*like_length([], 4)] == []


def test_a_sample_that_is_longer_than_those_before_begins_a_micro_batch():
    assert [*like_length([8, 9, 10, 100, 101], 32)] == [slice(0, 3), slice(3, 5)]
    assert [*like_length([8, 9, 10, 100, 101], 32, filled=0)] == [slice(0, 5)]


def test_a_few_short_samples_go_with_longer_ones_where_that_pads_little_of_the_step():
    lengths = [2, 3, *[50] * 30]
    assert [*like_length(lengths, 32)] == [slice(0, 32)]
    assert [*like_length([2, 3, 50], 32)] == [slice(0, 2), slice(2, 3)]


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=9).map(sorted),
    most=st.integers(1, 9),
    filled=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_no_other_cut_has_fewer_parts_or_as_many_with_less_padding(lengths, most, filled):
    def positions(cut):
        return sum((end - begin) * lengths[end - 1] for begin, end in pairwise(cut))

    def fits(cut):
        small = all(end - begin <= most for begin, end in pairwise(cut))
        return small and positions(cut) * filled <= sum(lengths)

    found = [0, *(each.stop for each in like_length(lengths, most, filled=filled))]
    assert fits(found)
    inner = range(1, len(lengths))
    every = ((0, *c, len(lengths)) for k in range(len(lengths)) for c in combinations(inner, k))
    best = min((len(cut), positions(cut)) for cut in every if fits(cut))
    assert (len(found), positions(found)) == best


def test_a_feeder_that_is_closed_early_leaves_no_thread_behind(decoder, nasa, tmp_path):
    (tmp_path / "real.mp4").symlink_to(nasa)
    feed = feeder([[video("real.mp4"), text(1)]], decoder, tmp_path, samples=40, threads=3)
    with closing(feed.batches(2, 1)) as steps:
        next(next(steps))
    assert [t.name for t in threading.enumerate() if t.name.startswith("reading")] == []


def test_a_conversation_longer_than_the_language_model_takes_is_named(decoder, tmp_path):
    feed = feeder([[text(1)]], decoder, tmp_path, samples=1, longest=5)
    with pytest.raises(BadData, match=r"'t1' has \d+ positions, the language model takes 5"):
        list(feed.batches(1, 1))


def test_a_template_that_cannot_be_used_is_found_before_the_first_step(decoder, tmp_path):
    several = Sample(
        "s", (), (("user", "a?"), ("assistant", "b"), ("user", "c?"), ("assistant", "d"))
    )
    feed = feeder([[text(1), several]], decoder, tmp_path, samples=1)
    feed.rehearse()
    forgetful = "{% for m in messages %}{% if loop.last %}{{ m['content'] }}{% endif %}{% endfor %}"
    before = TOKENIZER.chat_template
    TOKENIZER.chat_template = forgetful
    try:
        with pytest.raises(BadData, match="rewrites earlier turns"):
            feed.rehearse()
    finally:
        TOKENIZER.chat_template = before
