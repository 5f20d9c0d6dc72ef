"""The microworld's manifests: rows of conversations and of benchmark items, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import Purpose, Split, shuffled, stream
from apollo_core.microworld.film import Film
from apollo_core.microworld.focus import Focus
from apollo_core.microworld.items import make_items
from apollo_core.microworld.questions import every_question, without_rare
from apollo_core.microworld.still import Asked, Still, ask_still, ask_stills, describe_still
from apollo_core.microworld.writing import (
    describe,
    describe_action,
    practise_film,
    practise_still,
    write_film,
    write_sum,
)

Row = Mapping[str, object]

# Several questions share one scene, because encoding or reading it is what costs.
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


def pretrain_image(index: int) -> str:
    """Path of image `index` of the neighbouring look under the root."""
    return f"images/n{index:05d}.png"


def pretrain_video(index: int) -> str:
    """Path of video `index` of the neighbouring look under the root."""
    return f"videos/n{index:05d}.mp4"


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


def caption_rows(films: Sequence[Film], seed: int) -> Iterator[Row]:
    """One caption per training video."""
    for i, film in enumerate(films):
        rng = stream(seed, Split.TRAIN, Purpose.CAPTION, i)
        asked = (f"<video>\n{say.DESCRIBE_VIDEO}", describe(film, rng))
        yield _row(f"caption-v{i:05d}", [asked], video=train_video(i))


def pretrain_video_rows(films: Sequence[Film]) -> Iterator[Row]:
    """One caption per video of the neighbouring look: what moves, without times."""
    for i, film in enumerate(films):
        asked = (f"<video>\n{say.DESCRIBE_VIDEO}", describe_action(film))
        yield _row(f"caption-n{i:05d}", [asked], video=pretrain_video(i))


def video_rows(films: Sequence[Film], seed: int) -> Iterator[Row]:
    """The questions about each training video in random order, in one conversation."""
    for i, film in enumerate(films):
        rng = stream(seed, Split.TRAIN, Purpose.QUESTIONS, i)
        questions = without_rare(every_question(film, rng), rng)
        asked = [(q.text, q.answer) for q in shuffled(rng, questions)]
        yield _row(f"v{i:05d}", _shown("<video>\n", asked), video=train_video(i))


def image_caption_rows(
    stills: Sequence[Still], seed: int, split: Split = Split.IMAGES
) -> Iterator[Row]:
    """One caption per image of a split."""
    path = pretrain_image if split is Split.PRETRAIN_IMAGES else image
    for i, still in enumerate(stills):
        rng = stream(seed, split, Purpose.CAPTION, i)
        asked = (f"<image>\n{say.DESCRIBE_IMAGE}", describe_still(still, rng))
        yield _row(f"caption-{Path(path(i)).stem}", [asked], image=path(i))


def image_rows(stills: Sequence[Still], seed: int) -> Iterator[Row]:
    """The questions about each image, in one conversation."""
    for i, still in enumerate(stills):
        rng = stream(seed, Split.IMAGES, Purpose.QUESTIONS, i)
        asked = ask_still(still, rng)
        yield _row(f"i{i:05d}", _shown("<image>\n", asked), image=image(i))


def multi_image_rows(groups: Sequence[list[Still]], seed: int) -> Iterator[Row]:
    """The questions about each group of images, in one conversation."""
    for i, stills in enumerate(groups):
        rng = stream(seed, Split.MULTI_IMAGES, Purpose.QUESTIONS, i)
        paths = [image_of_several(i, part) for part in range(len(stills))]
        turns = _shown("<image>\n" * len(stills), ask_stills(stills, rng))
        yield _row(f"m{i:05d}", turns, images=paths)


def text_rows(films: Sequence[Film], seed: int) -> Iterator[Row]:
    """Text alone: sums, and between them one question on a written scene, every other of how many
    more there are of one colour."""
    for i, film in enumerate(films):
        rng = stream(seed, Split.TEXTS, Purpose.QUESTIONS, i)
        first = "more" if i % 4 == 0 else None
        yield _row(f"t{i:05d}", [write_sum(rng) if i % 2 else write_film(film, rng, first=first)])


def corpus_rows(scenes: Iterable[Film | Still | None], seed: int) -> Iterator[Row]:
    """To pretrain a language model: written scenes, told again and asked about, and sums.

    Args:
        scenes: what each row describes; None where it is a sum.
        seed: the world's.
    """
    for i, scene in enumerate(scenes):
        rng = stream(seed, Split.CORPUS, Purpose.QUESTIONS, i)
        if scene is None:
            turns = [write_sum(rng)]
        elif isinstance(scene, Film):
            turns = practise_film(scene, rng, CORPUS_TURNS)
        else:
            turns = practise_still(scene, rng, CORPUS_TURNS)
        yield _row(f"c{i:05d}", turns)


def bench_rows(plans: Sequence[tuple[Film, Focus]], seed: int) -> Iterator[Row]:
    """The benchmark: an item per category and video; `task_type` is the family of the question."""
    for i, (film, focus) in enumerate(plans):
        for item in make_items(film, focus, seed, i):
            question = item.question
            yield {
                "id": f"b{i:05d}-{question.category}",
                "video": bench_video(i),
                "question": question.text,
                "options": list(item.options),
                "answer": item.letter,
                "category": question.category,
                "task_type": question.family,
            }


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
