"""The benchmark of the default spec: large enough, balanced, and silent without the video."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from apollo_core.microworld.chance import Split
from apollo_core.microworld.film import Film, Focus, plan_film
from apollo_core.microworld.language import COLOURS, SHAPES
from apollo_core.microworld.manifests import bench_rows, video_rows
from apollo_core.microworld.questions import CATEGORIES
from apollo_core.microworld.world import WorldSpec

Row = dict[str, Any]


def plans(split: Split, count: int) -> list[tuple[Film, Focus]]:
    """Films of the default length, unrendered."""
    return [plan_film(0, split, i, fps=8, min_seconds=4.0, max_seconds=8.0) for i in range(count)]


@pytest.fixture(scope="module")
def bench() -> list[Row]:
    """Items of the default benchmark."""
    return [dict(r) for r in bench_rows(plans(Split.BENCH, WorldSpec().bench_videos), 0)]


def right_option(row: Row) -> str:
    """The text of the right option."""
    return row["options"]["ABCD".index(row["answer"])]


def template(question: str) -> str:
    """The question with its colours and shapes blanked."""
    return re.sub(r"\b(" + "|".join((*COLOURS, *SHAPES)) + r")\b", "_", question)


def by_category(bench: list[Row]) -> dict[str, list[Row]]:
    """Items grouped."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in bench:
        groups[row["category"]].append(row)
    return groups


def test_each_category_has_sixty_items_with_four_different_options(bench: list[Row]) -> None:
    groups = by_category(bench)
    assert set(groups) == set(CATEGORIES)
    assert min(map(len, groups.values())) >= 60
    assert all(len(set(row["options"])) == 4 for row in bench)


def test_right_options_are_spread_evenly_over_the_four_positions(bench: list[Row]) -> None:
    for rows in by_category(bench).values():
        counts = Counter(row["answer"] for row in rows)
        assert set(counts) == set("ABCD")
        assert max(counts.values()) - min(counts.values()) <= 1


def test_answers_to_each_form_of_question_are_balanced(bench: list[Row]) -> None:
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for row in bench:
        forms[template(row["question"])][right_option(row)] += 1
    assert len(forms) == 9
    for counts in forms.values():
        assert max(counts.values()) - min(counts.values()) <= 2


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
        assert accuracy <= 0.25 + 0.08


def test_what_training_says_about_a_question_text_scores_near_chance() -> None:
    bench = [dict(r) for r in bench_rows(plans(Split.BENCH, 800), 0)]
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
    bench = [dict(r) for r in bench_rows(plans(Split.BENCH, 800), 0)]
    for category, rows in by_category(bench).items():
        right = Counter(right_option(row) for row in rows)
        offered = Counter(option for row in rows for option in row["options"])
        rates = {option: right[option] / offered[option] for option in offered}
        accuracy = best_guess(rows, lambda _row, option, rates=rates: rates[option])
        assert abs(accuracy - 0.25) < 0.06, category


def test_the_digits_of_the_video_are_among_the_options() -> None:
    for i, (film, focus) in enumerate(plans(Split.BENCH, 60)):
        items = [r for r in bench_rows([(film, focus)], i) if r["category"] == "temporal_ocr"]
        assert len(items) == (len(film.digits) > 1)
        for row in items:
            options = row["options"]
            assert isinstance(options, list)
            assert set(film.digits) <= set(options)


def test_no_two_digits_are_shown_at_once_and_each_for_most_of_a_second() -> None:
    for film, _ in plans(Split.TRAIN, 200):
        assert len(set(film.digits)) == len(film.digits)
        ends = [0, *(flash.end for flash in film.flashes)]
        for before, flash in zip(ends, film.flashes, strict=False):
            assert before < flash.begin < flash.end < film.frames
            assert 8 <= flash.end - flash.begin <= 16
