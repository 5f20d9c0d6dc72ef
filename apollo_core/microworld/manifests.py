"""The microworld's manifests: rows of conversations and of benchmark items, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import Purpose, Split, shuffled, stream
from apollo_core.microworld.film import Film, Focus
from apollo_core.microworld.questions import every_question, make_items
from apollo_core.microworld.still import Asked, Still, ask_still, ask_stills, describe_still
from apollo_core.microworld.writing import describe, write_film, write_still, write_sum

Row = Mapping[str, object]

# Several questions share one scene, because encoding or reading it is what costs. Measured: a small
# transformer trained from scratch reached 97 % in temporal OCR in 600 steps with six questions to a
# video, and stayed at chance with one.
VIDEO_TURNS = 5
CORPUS_TURNS = 3


def train_video(index: int) -> str:
    """Path of training video `index` under the root."""
    return f"videos/v{index:05d}.mp4"


def bench_video(index: int) -> str:
    """Path of benchmark video `index` under the root."""
    return f"videos/b{index:05d}.mp4"


def image(index: int) -> str:
    """Path of image `index` under the root."""
    return f"images/i{index:05d}.png"


def image_of_several(index: int, part: int) -> str:
    """Path of one image of multi-image sample `index` under the root."""
    return f"images/m{index:05d}_{part}.png"


def _row(key: str, turns: Sequence[Asked], **media: object) -> Row:
    conversations = [
        {"from": role, "value": text}
        for turn in turns
        for role, text in zip(("human", "gpt"), turn, strict=True)
    ]
    return {"id": key, **media, "conversations": conversations}


def _shown(marks: str, asked: Sequence[Asked]) -> list[Asked]:
    """The conversation with its media marks before the first question."""
    return [(marks + asked[0][0], asked[0][1]), *asked[1:]]


def caption_rows(films: Sequence[Film]) -> Iterator[Row]:
    """One caption per training video."""
    for i, film in enumerate(films):
        asked = (f"<video>\n{say.DESCRIBE_VIDEO}", describe(film))
        yield _row(f"caption-v{i:05d}", [asked], video=train_video(i))


def video_rows(films: Sequence[Film], seed: int) -> Iterator[Row]:
    """Every question about every training video in random order, at most five to a conversation."""
    for i, film in enumerate(films):
        rng = stream(seed, Split.TRAIN, Purpose.QUESTIONS, i)
        asked = [(q.text, q.answer) for q in shuffled(rng, every_question(film, rng))]
        for k in range(0, len(asked), VIDEO_TURNS):
            turns = _shown("<video>\n", asked[k : k + VIDEO_TURNS])
            yield _row(f"v{i:05d}-{k // VIDEO_TURNS}", turns, video=train_video(i))


def image_caption_rows(stills: Sequence[Still]) -> Iterator[Row]:
    """One caption per image."""
    for i, still in enumerate(stills):
        asked = (f"<image>\n{say.DESCRIBE_IMAGE}", describe_still(still))
        yield _row(f"caption-i{i:05d}", [asked], image=image(i))


def image_rows(stills: Sequence[Still], seed: int) -> Iterator[Row]:
    """The questions about each image, in one conversation."""
    for i, still in enumerate(stills):
        rng = stream(seed, Split.IMAGES, Purpose.QUESTIONS, i)
        yield _row(f"i{i:05d}", _shown("<image>\n", ask_still(still, rng)), image=image(i))


def multi_image_rows(groups: Sequence[list[Still]], seed: int) -> Iterator[Row]:
    """The questions about each group of images, in one conversation."""
    for i, stills in enumerate(groups):
        rng = stream(seed, Split.MULTI_IMAGES, Purpose.QUESTIONS, i)
        paths = [image_of_several(i, part) for part in range(len(stills))]
        turns = _shown("<image>\n" * len(stills), ask_stills(stills, rng))
        yield _row(f"m{i:05d}", turns, images=paths)


def text_rows(films: Sequence[Film], seed: int) -> Iterator[Row]:
    """Text alone: sums and rows of numbers, and between them one question on a written scene."""
    for i, film in enumerate(films):
        rng = stream(seed, Split.TEXTS, Purpose.QUESTIONS, i)
        turns = [write_sum(rng)] if i % 2 else write_film(film, rng, turns=1)
        yield _row(f"t{i:05d}", turns)


def corpus_rows(scenes: Iterable[Film | Still], seed: int) -> Iterator[Row]:
    """Written scenes with the very questions of videos and images, to pretrain a language model."""
    for i, scene in enumerate(scenes):
        rng = stream(seed, Split.CORPUS, Purpose.QUESTIONS, i)
        if isinstance(scene, Film):
            turns = write_film(scene, rng, CORPUS_TURNS)
        else:
            turns = write_still(scene, rng, CORPUS_TURNS)
        yield _row(f"c{i:05d}", turns)


def bench_rows(plans: Sequence[tuple[Film, Focus]], seed: int) -> Iterator[Row]:
    """The benchmark: an item per category and video; temporal OCR only with two digits or more."""
    for i, (film, focus) in enumerate(plans):
        for item in make_items(film, focus, seed, i):
            yield {
                "id": f"b{i:05d}-{item.category}",
                "video": bench_video(i),
                "question": item.text,
                "options": list(item.options),
                "answer": item.letter,
                "category": item.category,
            }


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
