"""The texts: a closed vocabulary, one-word answers, and scenes that hold what is asked of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from apollo_core.microworld.chance import Split, stream
from apollo_core.microworld.film import plan_film
from apollo_core.microworld.language import VOCABULARY, words
from apollo_core.microworld.questions import every_question
from apollo_core.microworld.still import ask_still, ask_stills, describe_still, plan_still
from apollo_core.microworld.writing import describe, write_film, write_sum


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
        film, _ = plan_film(3, Split.TRAIN, i, fps=8, min_seconds=4.0, max_seconds=8.0)
        stills = [plan_still(3, Split.IMAGES, i, part) for part in range(3)]
        said = [describe(film), *(describe_still(still) for still in stills)]
        pairs = [(q.text, q.answer) for q in every_question(film, rng)]
        pairs += [*ask_still(stills[0], rng), *ask_stills(stills, rng), write_sum(rng)]
        for question, answer in pairs:
            assert len(words(answer)) == 1
            assert len(words(question)) < 16
            said += [question, answer]
        assert set(words(" ".join(said))) <= set(VOCABULARY)


def answer_from_text(text: str, question: str) -> str:
    """Answer a film's question from its description alone, by other means than the generator's."""
    mover = re.search(r"a (\w+) (\w+) moves from (\w+) to (\w+)\.", text)
    stayer = re.search(r"a (\w+) (\w+) stays at the (\w+)\.", text)
    camera = re.search(r"the camera (?:moves|stays) (\w+)\.", text)
    shown = re.search(r"(\d) digits? appears?: ([\d, ]+)\.", text)
    assert mover is not None
    assert stayer is not None
    assert camera is not None
    assert shown is not None
    digits = shown[2].split(", ")
    assert len(digits) == int(shown[1])
    fixed = {
        "which digit appears first?": digits[0],
        "which digit appears last?": digits[-1],
        "which way does the camera move?": camera[1],
        "which shape moves?": mover[2],
        "what colour is the shape that moves?": mover[1],
        "how many digits appear?": shown[1],
        f"what colour is the {mover[2]}?": mover[1],
        f"what colour is the {stayer[2]}?": stayer[1],
        f"where is the {mover[1]} {mover[2]} at the start?": mover[3],
        f"where is the {mover[1]} {mover[2]} at the end?": mover[4],
        f"where is the {stayer[1]} {stayer[2]} at the start?": stayer[3],
        f"where is the {stayer[1]} {stayer[2]} at the end?": stayer[3],
    }
    return fixed[question]


def test_a_written_scene_holds_the_answer_to_each_of_its_questions() -> None:
    rng = stream(11)
    for i in range(100):
        film, _ = plan_film(0, Split.CORPUS, i, fps=8, min_seconds=4.0, max_seconds=8.0)
        text = describe(film)
        turns = write_film(film, rng, turns=9)
        opening, answer = turns[0]
        assert opening.startswith(text + " ")
        pairs = [(opening.removeprefix(text + " "), answer), *turns[1:]]
        assert [answer_from_text(text, q) for q, _ in pairs] == [a for _, a in pairs]


def test_sums_and_rows_of_numbers_come_out_right() -> None:
    rng = stream(13)
    for _ in range(300):
        question, answer = write_sum(rng)
        numbers = [int(n) for n in re.findall(r"\d", question)]
        if "plus" in question:
            assert sum(numbers) == int(answer)
        elif "minus" in question:
            assert numbers[0] - numbers[1] == int(answer)
        else:
            step = numbers[1] - numbers[0]
            assert step == numbers[2] - numbers[1] == int(answer) - numbers[2] != 0
