"""The texts: a closed vocabulary, one-word answers, and scenes that hold what is asked of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import pytest

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import Split, stream
from apollo_core.microworld.film import plan_film
from apollo_core.microworld.language import DIRECTIONS, HEADINGS, SPEEDS, VOCABULARY, words
from apollo_core.microworld.questions import every_question
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.still import ask_still, ask_stills, describe_still, plan_still
from apollo_core.microworld.writing import (
    describe,
    facts,
    practise_film,
    write_film,
    write_sum,
)

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def texts_of(value: object) -> list[str]:
    """Every question, option and turn in a manifest row, media marks removed."""
    if isinstance(value, str):
        return [re.sub(r"<(image|video)>\n", "", value)]
    if isinstance(value, list):
        return [text for part in value for text in texts_of(part)]
    assert isinstance(value, dict)
    keys = ("conversations", "value", "question", "options")
    return [text for key in keys if key in value for text in texts_of(value[key])]


def test_the_vocabulary_is_small_lower_case_and_without_repeats() -> None:
    assert len(VOCABULARY) < 200
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert all(words(word) == [word] for word in VOCABULARY)


def test_every_word_of_every_manifest_is_in_the_vocabulary(small_world: Path) -> None:
    for manifest in small_world.glob("*.jsonl"):
        for line in manifest.read_text(encoding="utf-8").splitlines():
            for text in texts_of(json.loads(line)):
                assert text == text.lower()
                assert set(words(text)) <= set(VOCABULARY), text


def test_every_word_of_many_unwritten_samples_is_in_the_vocabulary() -> None:
    rng = stream(7)
    for i in range(200):
        film, _ = plan_film(WorldSpec(seed=3), Split.TRAIN, i)
        stills = [plan_still(3, Split.IMAGES, i, part) for part in range(3)]
        said = [describe(film, rng), *(describe_still(still, rng) for still in stills)]
        pairs = [(q.text, q.answer) for q in every_question(film, rng)]
        pairs += [*ask_still(stills[0], rng), *ask_stills(stills, rng), write_sum(rng)]
        for question, answer in pairs:
            assert len(words(answer)) == 1
            assert len(words(question)) < 16
            said += [question, answer]
        assert set(words(" ".join(said))) <= set(VOCABULARY)


def parted(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of a pattern that all of `text` has to follow."""
    match = re.fullmatch(pattern, text)
    assert match, text
    return match.groups()


def answer_from_text(text: str, question: str) -> str:
    """Answer a film's question from its description alone, by other means than the generator's."""
    said = [sentence.split() for sentence in re.findall(r"[^ .][^.]*(?=\.)", text)]
    [listed] = re.findall(r"digits ([^.]+)\.", text)
    said = [parts for parts in said if parts[0] != "digits"]
    lying = [(colour, shape, place) for shape, colour, place in (p for p in said if len(p) == 3)]
    [(shape, colour, heading, speed)] = [parts for parts in said if len(parts) == 4]
    [(_, camera)] = [parts for parts in said if len(parts) == 2]
    told = [re.fullmatch(r"(?:at (\S+) )?(\d)(?: for (\w+))?", part) for part in listed.split(", ")]
    shown = [(match[2], match[1], match[3]) for match in told if match]
    assert len(shown) == len(told)
    if match := re.fullmatch(r"in words, how many more (\w+) than (\w+) .*", question):
        colours = [colour, *(each[0] for each in lying)]
        return NUMBERS[colours.count(match[1]) - colours.count(match[2])]
    fixed = {
        "which digit is shown first?": shown[0][0],
        "which digit is shown second?": shown[1][0],
        "which digit is shown last?": shown[-1][0],
        "which way does the camera move?": camera,
        f"which way does the {shape} move?": heading,
        f"how fast does the {shape} move?": speed,
        f"what colour is the {shape}?": colour,
        "how many digits are shown?": NUMBERS[len(shown)],
        **{f"which digit is shown at {at}?": digit for digit, at, _ in shown if at},
        **{f"for how many seconds is the digit {d} shown?": lasting for d, _, lasting in shown},
        **{f"what colour is the {shape}?": colour for colour, shape, _ in lying},
        **{f"what colour is the shape at the {place}?": colour for colour, _, place in lying},
        **{f"where is the {colour} {shape}?": place for colour, shape, place in lying},
    }
    return fixed[question]


def test_a_written_scene_holds_the_answer_to_each_of_its_questions() -> None:
    rng = stream(11)
    for i in range(100):
        film, _ = plan_film(WorldSpec(), Split.CORPUS, i)
        opening, answer = write_film(film, rng)
        text, question = parted(r"(.+\.) (.+\?)", opening)
        assert answer_from_text(text, question) == answer


def test_films_to_pretrain_on_are_brief_and_told_in_sentences_without_times(
    small_world: Path,
) -> None:
    lines = (small_world / "pretrain_videos.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    for line in lines:
        row = json.loads(line)
        caption = row["conversations"][1]["value"]
        _, heading, speed, camera = parted(r"(\w+ \w+)\. (\w+)\. (\w+)\. camera (\w+)\.", caption)
        assert heading in HEADINGS
        assert speed in SPEEDS
        assert camera in DIRECTIONS
        with av.open(str(small_world / row["video"])) as container:
            assert container.duration == pytest.approx(4 * av.time_base, rel=0.02)


def test_a_conversation_may_begin_with_a_family_of_questions() -> None:
    rng = stream(12)
    for i in range(20):
        film, _ = plan_film(WorldSpec(), Split.TEXTS, i)
        assert "in words, how many more" in write_film(film, rng, first="more")[0]


def test_a_text_to_practise_on_tells_what_it_asks_and_half_of_them_tell_it_twice() -> None:
    rng = stream(14)
    whole = again = 0
    for i in range(200):
        film, _ = plan_film(WorldSpec(), Split.CORPUS, i)
        every = sorted(fact.sentence for fact in facts(film))
        turns = practise_film(film, rng, turns=3)
        text, question = parted(r"(.+?\.) ((?:describe|[^.]+\?).*)", turns[0][0])
        told = sorted(re.findall(r"[^ .][^.]*\.", text))
        assert set(told) <= set(every)
        asked = [(question, turns[0][1]), *turns[1:]]
        if question == "describe the video.":
            again += 1
            assert sorted(re.findall(r"[^ .][^.]*\.", asked.pop(0)[1])) == told
        if told == every:
            whole += 1
            assert [answer_from_text(text, q) for q, _ in asked] == [a for _, a in asked]
        for asks, _ in asked:
            named = {*say.SHAPES, *say.PLACES} & set(say.words(asks))
            assert len(told) == len(every) or not named or named & set(say.words(text))
    assert 20 < whole < 80
    assert 70 < again < 130


def test_sums_and_rows_of_numbers_come_out_right_in_digits_and_in_words() -> None:
    rng = stream(13)
    in_words = 0
    for _ in range(300):
        question, answer = write_sum(rng)
        if question.startswith("in words, "):
            answer = str(NUMBERS.index(answer))
            in_words += 1
        numbers = [int(n) for n in re.findall(r"\d", question)]
        if "plus" in question:
            assert sum(numbers) == int(answer)
        elif "minus" in question:
            assert numbers[0] - numbers[1] == int(answer)
        else:
            step = numbers[1] - numbers[0]
            assert step == numbers[2] - numbers[1] == int(answer) - numbers[2] != 0
    assert 100 < in_words < 200
