"""The evaluate stage: one look at each video, by whichever rule answers are scored."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_chain import SIGLIP, Workshop, contents, evaluation, read_rows, write_rows
from tiny_models import image_encoder, qwen2
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from transformers import PreTrainedModel, Qwen2ForCausalLM

from apollo_core.design import FpsSampling, MemoryBank, QFormerResampler
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import BadData
from apollo_core.microworld.tokenizer import build_tokenizer

OWN = (SIGLIP,)
VIDEOS = ("a.mp4", "b.mp4", "c.mp4")
ASKED = (
    ("which shape moves?", ("circle", "square", "triangle")),
    ("what colour is the circle?", ("red", "blue")),
    ("how many squares are there?", ("1", "2", "3", "4")),
    ("which digit is shown?", ("7", "5", "a red square")),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Three videos with four questions each, in no order; a tiny Qwen2 and SigLIP."""
    folder = tmp_path_factory.mktemp("evaluate")
    media = folder / "media"
    media.mkdir()
    nasa = Path(__file__).parents[2] / "data" / "nasa_13013.mp4"
    for name in VIDEOS:
        shutil.copy(nasa, media / name)
    qwen2().save_pretrained(folder / "llm")
    build_tokenizer().save_pretrained(folder / "llm")
    tower = image_encoder().model
    assert isinstance(tower, PreTrainedModel)
    tower.save_pretrained(folder / "tower")
    write_rows(
        folder / "bench.jsonl",
        [
            {
                "id": f"{video[0]}{number}",
                "video": video,
                "question": question,
                "options": options,
                "answer": "B",
                "category": "perception",
            }
            for number, (question, options) in enumerate(ASKED)
            for video in reversed(VIDEOS)
        ],
    )
    places = {"bench": "bench.jsonl", "llm": "llm", "siglip": "tower"}
    return Workshop(folder, media, {name: str(folder / place) for name, place in places.items()})


@contextmanager
def ran(*kinds: type[nn.Module]) -> Iterator[list[tuple[type[nn.Module], int]]]:
    """Every forward of modules of these classes, with its rows or clips."""
    seen: list[tuple[type[nn.Module], int]] = []

    def note(module: nn.Module, args: Any, kwargs: Any, _output: Any) -> None:
        for kind in kinds:
            if isinstance(module, kind):
                seen.append((kind, len(args[0] if args else kwargs["inputs_embeds"])))

    hook = register_module_forward_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


def read(out: Path, name: str) -> Any:
    return json.loads((out / name).read_text())


def test_each_video_is_encoded_once_and_what_its_questions_share_is_run_once(shop):
    with ran(VideoEncoder, Qwen2ForCausalLM) as seen:
        lettered: dict[str, Any] = {"scoring": "letters", "prompt": "lettered-v1"}
        out = shop.run("once", evaluation(OWN, regimes=("video",), **lettered))
    assert len(read_rows(out / "items.jsonl")) == 12
    assert [kind for kind, _ in seen] == [VideoEncoder, *[Qwen2ForCausalLM] * 2] * 3
    # Two clips of a video; then its prefix once, and its four questions behind it.
    assert [rows for _, rows in seen] == [2, 1, 4] * 3


@pytest.mark.parametrize("scoring", ["letters", "options"])
def test_rows_in_a_forward_and_readers_change_no_more_than_the_last_digits(shop, scoring):
    identity = evaluation(OWN, scoring=scoring, prompt="lettered-v1", regimes=("video", "text"))
    first, second = (
        read_rows(shop.run(f"{scoring} {name}", identity, **execution) / "items.jsonl")
        for name, execution in (
            ("few", {"micro_batch": 2}),
            ("many", {"micro_batch": 64, "workers": 2, "frame_cache_mb": 0}),
        )
    )
    for one, other in zip(first, second, strict=True):
        assert one["log_likelihoods"] == pytest.approx(other["log_likelihoods"], abs=1e-4)
        assert {**one, "log_likelihoods": 0} == {**other, "log_likelihoods": 0}


def test_rows_come_by_regime_then_by_video_and_are_the_same_bytes_again(shop):
    identity = evaluation(OWN, scoring="letters", prompt="lettered-v1")
    out = shop.run("ordered", identity)
    rows = read_rows(out / "items.jsonl")
    regimes = [row["regime"] for row in rows]
    assert regimes == ["video"] * 12 + ["center_frame"] * 12 + ["text"] * 12
    assert [row["video"] for row in rows[:24]] == [v for v in VIDEOS for _ in range(4)] * 2
    assert [row["item"] for row in rows[:4]] == ["a0", "a1", "a2", "a3"]
    assert shop.events[-1] == {"step": 36, "steps": 36}
    assert contents(shop.run("ordered again", identity)) == contents(out)


def test_how_each_video_was_sampled_is_recorded_once(shop):
    lines = read_rows(shop.run("sampled", evaluation(OWN)) / "sampling.jsonl")
    assert [line["medium"] for line in lines] == list(VIDEOS)
    assert [line["sample"] for line in lines] == ["a0", "b0", "c0"]
    for line in lines:
        assert (line["mode"], line["fps"], line["clips"], line["cut"]) == ("fps", 2, 2, True)
        assert line["realised_fps"] == pytest.approx(2, rel=0.03)
    text = shop.run("nothing sampled", evaluation(OWN, regimes=("text",)))
    assert read_rows(text / "sampling.jsonl") == []


def test_a_regime_without_video_reads_none(shop, tmp_path):
    blind = Workshop(tmp_path, tmp_path / "no media here", shop.locations)
    rows = read_rows(blind.run("text", evaluation(OWN, regimes=("text",))) / "items.jsonl")
    assert len(rows) == 12


def test_orders_are_recorded_and_letters_counted(shop):
    identity = evaluation(OWN, scoring="letters", prompt="lettered-v1", rotations=3)
    out = shop.run("rotated", identity)
    rows = read_rows(out / "items.jsonl")
    for row in rows:
        assert len(row["orders"]) == min(3, row["n_options"])
        listed = "ABCDEFGH"[: row["n_options"]]
        right = listed.index(row["answer"])
        for start, order in enumerate(row["orders"]):
            assert order["answer"] == listed[(right - start) % len(listed)]
    for regime, bias in read(out, "letter_bias.json").items():
        mine = [order for row in rows if row["regime"] == regime for order in row["orders"]]
        assert bias["asked"] == len(mine) == 3 * 11
        for name, field in (("chosen", "choice"), ("right", "answer")):
            counted = Counter(order[field] for order in mine)
            assert bias[name] == {letter: counted[letter] for letter in "ABCD"}
        assert 0 <= bias["agreement"] <= 1


def test_written_answers_are_kept_and_those_that_cannot_be_read_are_wrong_and_counted(shop):
    out = shop.run("generated", evaluation(OWN, scoring="generate", prompt="lettered-v1"))
    rows = read_rows(out / "items.jsonl")
    record = read(out, "scoring.json")
    assert (record["scoring"], record["parser"]) == ("generate", "letter-parser-v1")
    for regime, share in record["unparsed"].items():
        mine = [row for row in rows if row["regime"] == regime]
        unread = [row for row in mine if row["choice"] == ""]
        assert share == len(unread) / len(mine)
        assert all(row["correct"] == 0 for row in unread)
        assert read(out, "letter_bias.json")[regime]["unparsed"] == len(unread)
    assert all(len(row["generated"]) == 1 and "log_likelihoods" not in row for row in rows)
    # An untrained model's words name nothing.
    assert record["unparsed"]["video"] > 0.5
    again = shop.run("generated again", evaluation(OWN, scoring="generate", prompt="lettered-v1"))
    assert contents(again) == contents(out)


def test_likelihoods_are_always_readable_and_no_parser_is_named(shop):
    record = read(shop.run("likely", evaluation(OWN)), "scoring.json")
    assert record["parser"] is None
    assert record["unparsed"] == {"video": 0, "center_frame": 0, "text": 0}


MEMORY = MemoryBank(long=1, recent=1)


@pytest.mark.parametrize("scoring", ["letters", "generate"])
@pytest.mark.parametrize(
    "changes",
    [
        {"memory": MEMORY},
        {"joining": "split"},
        {"resampler": QFormerResampler(
            kind="qformer", tokens_per_frame=1, depth=1, width=16, heads=2, text=True)},
        {"resampler": QFormerResampler(
            kind="qformer", tokens_per_frame=1, depth=1, width=16, heads=2, text=True),
         "memory": MEMORY},
    ],
    ids=["memory", "split", "conditioned", "both"],
)  # fmt: skip
def test_designs_beyond_the_study_are_evaluated_in_every_regime(shop, scoring, changes, request):
    model = evaluation(OWN).model.model_copy(update=changes)
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=5)
    identity = evaluation(
        OWN, scoring=scoring, prompt="lettered-v1", model=model, sampling=sampling
    )
    rows = read_rows(shop.run(request.node.name, identity) / "items.jsonl")
    assert len(rows) == 36
    if scoring == "letters":
        seen = {row["item"]: row["log_likelihoods"] for row in rows if row["regime"] == "video"}
        assert seen["a0"] == pytest.approx(seen["b0"], abs=1e-5)  # copies of one video
        assert seen["a0"] != pytest.approx(seen["a3"], abs=1e-5)


def test_more_clips_than_the_language_model_has_positions_for_are_an_error_with_both(shop):
    many = {"mode": "uniform", "frames": 600, "frames_per_clip": 4}
    with pytest.raises(BadData, match=r"needs \d+ positions, the language model takes 512"):
        shop.run("long", evaluation(OWN, sampling=many))


def test_shuffled_frames_are_one_more_regime_that_changes_no_other(shop):
    def rows(name: str, *regimes: str) -> tuple[Path, list[dict[str, Any]]]:
        identity = evaluation(OWN, scoring="letters", prompt="lettered-v1", regimes=regimes)
        out = shop.run(name, identity)
        return out, read_rows(out / "items.jsonl")

    out, both = rows("both orders", "video", "shuffled")
    _, video = rows("in order", "video")
    alone_out, alone = rows("out of order", "shuffled")
    assert [row["regime"] for row in both] == ["video"] * 12 + ["shuffled"] * 12
    assert both[:12] == video
    assert both[12:] == alone
    seen = [row["log_likelihoods"] for row in both]
    assert seen[:12] != seen[12:]
    assert read_rows(out / "sampling.jsonl") == read_rows(alone_out / "sampling.jsonl")


def test_questions_of_a_public_file_that_have_no_answer_are_named_beside_what_is_skipped(
    shop, tmp_path
):
    row = {"video": "a.mp4", "question": "which digit is shown?", "candidates": ["7", "5"],
           "answer": "5", "question_type": "plotQA", "duration": 4}  # fmt: skip
    (tmp_path / "1_plotQA.json").write_text(json.dumps([*[row] * 4, row | {"answer": "6"}]))
    shop.locations["mlvu"] = str(tmp_path / "1_plotQA.json")
    identity = evaluation(OWN, benchmark="mlvu", format="mlvu", regimes=("text",))
    out = shop.run("faulty", identity)
    assert len(read_rows(out / "items.jsonl")) == 4
    why = "answer: '6' is none of the options ['7', '5']"
    assert json.loads((out / "skipped.json").read_text()) == {"1_plotQA.json, entry 5": why}


def test_a_public_file_is_evaluated_as_it_is_with_its_groups_beside_each_answer(shop, tmp_path):
    rows = [
        {"videoID": video, "question_id": f"{video}-1", "duration": "short", "task_type": "OCR",
         "question": "which digit is shown?", "options": ["A. 7", "B. 5"], "answer": "B"}
        for video in ("a", "b")
    ]  # fmt: skip
    (tmp_path / "mme.json").write_text(json.dumps(rows))
    (shop.media_root / "data").mkdir(exist_ok=True)
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(shop.media_root / name, shop.media_root / "data" / name)
    shop.locations["mme"] = str(tmp_path / "mme.json")
    identity = evaluation(OWN, benchmark="mme", format="video_mme", regimes=("text", "video"))
    found = read_rows(shop.run("public", identity) / "items.jsonl")
    assert len(found) == 4
    for row in found:
        assert (row["category"], row["duration_group"], row["task_type"]) == (
            "short",
            "short",
            "OCR",
        )
        assert row["answer"] == "B"
