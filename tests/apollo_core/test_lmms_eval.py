"""What lmms-eval asks of a model, asked of an exported variant: with lmms-eval, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_exports import write

from apollo_core.errors import BadInput
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration
from apollo_core.exported.apollo_processor import ApolloProcessor
from apollo_core.exported.lmms_eval_requests import VariantUnderTest, cut, stop_words
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import Item

VIDEO = str(Path(__file__).parents[1] / "data" / "nasa_13013.mp4")
OPTIONS = ("circle", "a blue square", "triangle")
DOCUMENTS = {
    "shapes": {
        "test": [
            {"question": "which shape moves?", "visual": [VIDEO]},
            {"question": "which colour?", "visual": []},
            {"question": "and here?", "visual": Image.new("RGB", (40, 30), "red")},
        ]
    }
}


@dataclass(frozen=True)
class Asked:
    """A request as lmms-eval makes it, as far as a model looks at it."""

    args: tuple[Any, ...]


def visual(document: dict[str, Any]) -> object:
    return document["visual"]


def choices(number: int, *continuations: str) -> list[Asked]:
    question = DOCUMENTS["shapes"]["test"][number]["question"]
    return [
        Asked((question, f" {text}", visual, number, "shapes", "test")) for text in continuations
    ]


def asked(number: int, **settings: object) -> Asked:
    question = DOCUMENTS["shapes"]["test"][number]["question"]
    return Asked((question, settings, visual, number, "shapes", "test"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lmms-eval") / "exported"
    write(folder, "siglip")
    return folder


@pytest.fixture(scope="module")
def variant(folder: Path) -> Iterator[VariantUnderTest]:
    model = ApolloForConditionalGeneration.from_pretrained(folder).eval()
    with Decoder() as decoder:
        yield VariantUnderTest(model, ApolloProcessor.from_pretrained(folder), decoder)


@pytest.mark.parametrize("number", [0, 1])
def test_the_smallest_loss_is_the_choice_of_the_evaluation(
    variant: VariantUnderTest, number: int
) -> None:
    found = variant.losses(choices(number, *OPTIONS), DOCUMENTS)
    document = DOCUMENTS["shapes"]["test"][number]
    item = Item("0", "v", document["question"], OPTIONS, 0, "c")
    (wanted,) = variant.model.judge(
        variant.processor,
        [item],
        VIDEO if number == 0 else None,
        scoring="options",
        prompt="question-v1",
    )
    assert [-loss for loss, _ in found] == pytest.approx(list(wanted.log_likelihoods), abs=1e-5)
    assert int(np.argmin([loss for loss, _ in found])) == wanted.choice


def test_only_what_greedy_writing_would_give_is_told_to_be_so(variant: VariantUnderTest) -> None:
    encoded = variant.processor.ask("which colour?", None)
    inputs = variant.processor.inputs(["which colour?"], [None])
    assert inputs["input_ids"][0].tolist() == encoded.tokens.tolist()
    likeliest = variant.model(**inputs).logits[0, -1].argsort(descending=True)
    decode = variant.processor.tokenizer.decode
    words = [decode(token, skip_special_tokens=True).strip() for token in likeliest]
    told = variant.losses(choices(1, *[word for word in words if word][:3]), DOCUMENTS)
    assert [loss for loss, _ in told] == sorted(loss for loss, _ in told)
    assert [greedy for _, greedy in told] == [bool(words[0]), False, False]


def test_writing_is_that_of_the_model_up_to_a_stop_word(variant: VariantUnderTest) -> None:
    plain, short = variant.written(
        [asked(0, max_new_tokens=8), asked(0, max_new_tokens=8, temperature=0, do_sample=False)],
        DOCUMENTS,
    )
    question = DOCUMENTS["shapes"]["test"][0]["question"]
    assert plain == short
    assert plain == variant.model.answer(variant.processor, question, VIDEO, max_new_tokens=8)
    stop = plain[2:4]
    (stopped,) = variant.written([asked(0, max_new_tokens=8, until=[stop, ""])], DOCUMENTS)
    assert stopped == plain[: plain.index(stop)]


def test_images_in_memory_and_several_videos_are_shown(variant: VariantUnderTest) -> None:
    documents = {"shapes": {"test": [{"visual": [VIDEO, VIDEO]}, {"visual": None}]}}
    requests = [Asked(("what?", " A", visual, number, "shapes", "test")) for number in range(2)]
    both, none = variant.losses(requests, documents)
    assert both[0] != none[0]
    assert variant.losses(choices(2, "red"), DOCUMENTS)[0][0] > 0


def test_what_cannot_be_asked_is_refused(variant: VariantUnderTest) -> None:
    with pytest.raises(BadInput, match="nothing is left"):
        variant.losses(choices(1, " "), DOCUMENTS)
    documents = {"shapes": {"test": [{"visual": [{"array": [0.0]}]}]}}
    with pytest.raises(BadInput, match="a task shows dict"):
        variant.losses([Asked(("what?", " A", visual, 0, "shapes", "test"))], documents)
    long = [Asked(("why " * 5000, " A", visual, 1, "shapes", "test"))]
    with pytest.raises(BadInput, match="more than the language model takes"):
        variant.losses(long, DOCUMENTS)


@pytest.mark.parametrize(
    ("until", "stops"), [(None, []), ("\n", ["\n"]), (["\n\n", ""], ["\n\n"]), ([], [])]
)
def test_stop_words_may_be_one_several_or_none(until: object, stops: list[str]) -> None:
    assert stop_words({"until": until} if until is not None else {}) == stops


def test_text_is_cut_at_the_first_stop_word_that_comes() -> None:
    assert cut("B\n\nbecause. It", [".", "\n\n"]) == "B"
    assert cut("B", ["."]) == "B"


def test_the_entry_point_is_announced_to_lmms_eval() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    (found,) = project["project"]["entry-points"]["lmms_eval.models"].items()
    assert found == ("apollo", "apollo_core.exported.lmms_eval_plugin:manifest")


def test_the_class_has_every_abstract_method_and_answers_through_it(folder: Path) -> None:
    pytest.importorskip("lmms_eval", reason="needs lmms-eval, which is never in this environment")
    from apollo_core.exported.lmms_eval_model import Apollo
    from apollo_core.exported.lmms_eval_plugin import manifest

    assert manifest().model_id == "apollo"
    assert not Apollo.__abstractmethods__
    made = Apollo.create_from_arg_string(f"path={folder},max_clips=1", {"batch_size": 1})
    made.task_dict = DOCUMENTS
    from lmms_eval.api import instance  # pyright: ignore[reportMissingImports]

    unwrap = getattr(instance, "unwrap_generation_output", lambda reply: (reply, None))
    for reply in made.loglikelihood(choices(0, *OPTIONS)):
        loss, greedy = unwrap(reply)[0]
        assert isinstance(loss, float)
        assert isinstance(greedy, bool)
    assert len(made.generate_until([asked(0, max_new_tokens=2)])) == 1
    with pytest.raises(BadInput, match="unknown option 'frames'"):
        Apollo(str(folder), frames=2)
