"""The benchmark of the default spec: large enough, balanced, and silent without the video."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from statistics import mean
from typing import Any

import pytest

from apollo_core.microworld.chance import Split
from apollo_core.microworld.film import Film, plan_film
from apollo_core.microworld.focus import CATEGORIES, FAMILIES, NEEDS, Focus
from apollo_core.microworld.language import COLOURS, PLACES, SHAPES
from apollo_core.microworld.manifests import bench_rows, image_rows, video_rows
from apollo_core.microworld.questions import RARE
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.still import plan_still

Row = dict[str, Any]


@cache
def plans(split: Split, count: int) -> list[tuple[Film, Focus]]:
    """Films of the default spec, unrendered."""
    return [plan_film(WorldSpec(), split, i) for i in range(count)]


@pytest.fixture(scope="module")
def bench() -> list[Row]:
    """Items of the default benchmark."""
    return [dict(r) for r in bench_rows(plans(Split.BENCH, WorldSpec().bench_videos), 0)]


@cache
def many_items() -> list[Row]:
    """Items of a larger one."""
    return [dict(r) for r in bench_rows(plans(Split.BENCH, 800), 0)]


def right_option(row: Row) -> str:
    """The text of the right option."""
    return row["options"]["ABCD".index(row["answer"])]


def template(question: str) -> str:
    """The question with its colours, shapes, places, times and digits blanked."""
    held = "|".join((*COLOURS, *SHAPES, *PLACES))
    return re.sub(rf"\b({held}|\d\d:\d\d|\d)\b", "_", question)


def by_category(bench: list[Row]) -> dict[str, list[Row]]:
    """Items grouped."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in bench:
        groups[row["category"]].append(row)
    return groups


def test_every_film_is_asked_of_every_category_with_four_different_options(
    bench: list[Row],
) -> None:
    groups = by_category(bench)
    assert set(groups) == set(CATEGORIES)
    assert {len(rows) for rows in groups.values()} == {WorldSpec().bench_videos}
    assert all(len(set(row["options"])) == 4 for row in bench)


def test_every_family_of_a_category_is_asked_equally_often(bench: list[Row]) -> None:
    for category, rows in by_category(bench).items():
        counts = Counter(row["task_type"] for row in rows)
        assert set(counts) == set(FAMILIES[category])
        assert max(counts.values()) - min(counts.values()) <= 8


def test_right_options_are_spread_evenly_over_the_four_positions(bench: list[Row]) -> None:
    for rows in by_category(bench).values():
        counts = Counter(row["answer"] for row in rows)
        assert set(counts) == set("ABCD")
        assert max(counts.values()) - min(counts.values()) <= 1


def test_answers_to_each_form_of_question_are_balanced(bench: list[Row]) -> None:
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for row in bench:
        forms[template(row["question"])][right_option(row)] += 1
    assert len(forms) == 13
    for counts in forms.values():
        assert max(counts.values()) - min(counts.values()) <= 3


def best_guess(rows: list[Row], prefer: Callable[[Row, str], float]) -> float:
    """Accuracy of always taking the option that `prefer` rates highest, ties shared."""
    total = 0.0
    for row in rows:
        rates = {option: prefer(row, option) for option in row["options"]}
        top = [option for option in rates if rates[option] == max(rates.values())]
        total += (right_option(row) in top) / len(top)
    return total / len(rows)


def test_the_majority_answer_to_a_form_of_question_scores_near_chance(bench: list[Row]) -> None:
    seen = Counter((template(row["question"]), right_option(row)) for row in bench)
    for rows in by_category(bench).values():
        # Counted on the very items it is scored on: an upper bound.
        accuracy = best_guess(rows, lambda row, o: seen[template(row["question"]), o])
        assert accuracy <= 0.25 + 0.12


def test_what_training_says_about_a_question_text_scores_near_chance() -> None:
    bench = many_items()
    films = [film for film, _ in plans(Split.TRAIN, 400)]
    seen: Counter[tuple[str, str]] = Counter()
    for row in video_rows(films, 0):
        turns = row["conversations"]
        assert isinstance(turns, list)
        said = [turn["value"].removeprefix("<video>\n") for turn in turns]
        seen.update(zip(said[::2], said[1::2], strict=True))
    for category, rows in by_category(bench).items():
        accuracy = best_guess(rows, lambda row, option: seen[row["question"], option])
        assert abs(accuracy - 0.25) < 0.06, category


def test_options_alone_do_not_tell_which_is_right() -> None:
    bench = many_items()
    for category, rows in by_category(bench).items():
        right = Counter(right_option(row) for row in rows)
        offered = Counter(option for row in rows for option in row["options"])
        rates = {option: right[option] / offered[option] for option in offered}
        accuracy = best_guess(rows, lambda _row, option, rates=rates: rates[option])
        assert abs(accuracy - 0.25) < 0.06, category


def test_the_digits_of_the_video_are_among_the_options_as_far_as_there_is_room() -> None:
    for i, (film, focus) in enumerate(plans(Split.BENCH, 60)):
        [row] = [r for r in bench_rows([(film, focus)], i) if r["category"] == "temporal_ocr"]
        options = row["options"]
        assert isinstance(options, list)
        assert len(set(film.digits) & set(options)) == min(4, len(film.digits))


def test_a_films_length_tells_nothing_of_the_answer() -> None:
    lengths: dict[tuple[str, str], list[float]] = defaultdict(list)
    for film, focus in plans(Split.BENCH, 800):
        for category in ("temporal_ocr", "reasoning"):
            family, answer = getattr(focus, category)
            lengths[family, answer].append(film.seconds)
            assert film.seconds >= NEEDS.get(family, 4) - 0.1
    for family in ("seconds", "count"):
        means = [mean(rows) for (name, _), rows in lengths.items() if name == family]
        assert len(means) == 4
        assert max(means) - min(means) < 1.5


def test_digits_are_shown_one_at_a_time_and_long_enough_for_two_frames_a_second() -> None:
    for film, _ in plans(Split.TRAIN, 400):
        assert len(set(film.digits)) == len(film.digits)
        ends = [0, *(flash.end for flash in film.flashes)]
        for before, flash in zip(ends, film.flashes, strict=False):
            assert before < flash.begin < flash.end < film.frames
            shown = (flash.end - flash.begin) / film.fps
            assert shown >= 0.5
            assert flash.seconds == (shown if shown >= 1 else None)
            for moment in flash.moments:
                assert flash.begin / film.fps + 0.4 <= moment <= flash.end / film.fps - 0.4


def test_films_vary_in_length_and_rate() -> None:
    films = [film for film, _ in plans(Split.TRAIN, 400)]
    assert {film.fps for film in films} == set(WorldSpec().rates)
    assert min(film.seconds for film in films) < 5 < 15 < max(film.seconds for film in films)


def test_no_question_of_a_training_conversation_gives_away_another() -> None:
    films = [film for film, _ in plans(Split.TRAIN, 100)]
    stills = [plan_still(0, Split.IMAGES, i) for i in range(100)]
    for row in (*video_rows(films, 0), *image_rows(stills, 0)):
        turns = row["conversations"]
        assert isinstance(turns, list)
        asked = [turn["value"] for turn in turns[::2]]
        named = [shape for text in asked for shape in re.findall(r"where is the \w+ (\w+)\?", text)]
        coloured = [
            shape for text in asked for shape in re.findall(r"what colour is the (\w+)\?", text)
        ]
        assert not set(named) & set(coloured)


def test_training_videos_ask_rare_families_of_one_film_in_four() -> None:
    films = [film for film, _ in plans(Split.TRAIN, 400)]
    said = Counter(
        template(turn["value"].removeprefix("<video>\n"))
        for row in video_rows(films, 0)
        for turn in row["conversations"]  # pyright: ignore[reportGeneralTypeIssues]
        if turn["from"] == "human"
    )
    rare = {
        "which digit is shown second?",
        "what colour is the shape at the _?",
        "in words, how many more _ than _ shapes are shown?",
    }
    assert len(rare) == len(RARE)
    assert all(70 < said[text] < 130 for text in rare)
    assert min(count for text, count in said.items() if text not in rare) > 330
