"""Models of others through our evaluation: tiny Qwen2-VL and LLaVA-OneVision, untrained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_models import tiny_llava_onevision, tiny_qwen2_vl
from transformers.utils.import_utils import is_torchvision_available

from apollo_core.errors import BadData, BadInput
from apollo_core.external.answering import answer_externally, write
from apollo_core.external.conversation import conversations
from apollo_core.external.loading import External, external_config, load_external
from apollo_core.external.passing import Passage, Row
from apollo_core.external.whole_frames import Seen
from apollo_core.media.manifest import Item

CPU = torch.device("cpu")
BUILDERS = {"qwen2_vl": tiny_qwen2_vl, "llava_onevision": tiny_llava_onevision}
ASKED = (
    ("which shape moves?", ("circle", "square", "triangle")),
    ("what colour is it?", ("red", "blue")),
)
ITEMS = [
    Item(str(number), "v", question, options, 1, "c")
    for number, (question, options) in enumerate(ASKED)
]


@pytest.fixture(scope="module", params=[*BUILDERS])
def external(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> External:
    folder = BUILDERS[request.param](tmp_path_factory.mktemp(request.param))
    return load_external(folder, frames_as="images", device=CPU)


def seen(frames: int = 3, *, seed: int = 0) -> Seen:
    drawn = np.random.default_rng(seed).integers(0, 255, (frames, 1, 40, 64, 3), dtype=np.uint8)
    times = tuple(float(number) for number in range(frames))
    return Seen(drawn, ("",), 1.0, (frames,), (False,), times=times, duration=float(frames))


def test_a_shared_beginning_changes_no_likelihood(external: External) -> None:
    asked = conversations(external, ITEMS, seen(), prompt="lettered-v1")
    assert all(one.shared == asked[0].shared for one in asked)
    passage = Passage(external, asked, micro_batch=4, room=2, rows=4)
    assert passage.is_shared
    rows = [Row(one, (5, 7)) for one in asked]
    alone = [Passage(external, [row.asked], micro_batch=1, room=2, rows=1) for row in rows]
    for found, row, own in zip(passage.log_probabilities(rows), rows, alone, strict=True):
        assert torch.allclose(found, next(own.log_probabilities([row])), atol=1e-4)


@pytest.mark.parametrize("shown", [seen(), None], ids=["video", "text"])
def test_greedy_writing_is_that_of_transformers(external: External, shown: Seen | None) -> None:
    asked = conversations(external, ITEMS, shown, prompt="lettered-v1")
    for one, text in zip(asked, write(external, asked, micro_batch=4), strict=True):
        generated = external.model.generate(**one.inputs, max_new_tokens=16, do_sample=False)  # pyright: ignore[reportCallIssue,reportArgumentType]
        behind = generated[0, one.inputs["input_ids"].shape[1] :]
        assert text == external.tokenizer.decode(behind, skip_special_tokens=True)


def test_likelihoods_are_those_of_the_model_asked_whole(external: External) -> None:
    (answer,) = answer_externally(
        external,
        ITEMS[:1],
        seen(),
        scoring="letters",
        prompt="lettered-v1",
        rotations=1,
        micro_batch=4,
    )
    (asked,) = conversations(external, ITEMS[:1], seen(), prompt="lettered-v1")
    logits = external.model(**asked.inputs).logits[0, -1].log_softmax(-1)
    ids = [external.tokenizer.convert_tokens_to_ids(letter) for letter in "ABC"]
    assert answer.log_likelihoods == pytest.approx(logits[ids].tolist(), abs=1e-4)


def test_marks_in_a_question_show_nothing(external: External) -> None:
    mark = external.processor.image_token
    item = Item("0", "v", f"what is {mark} this?", ("red", "blue"), 0, "c")
    plain = Item("0", "v", "what is  this?", ("red", "blue"), 0, "c")
    found, wanted = conversations(external, [item, plain], seen(), prompt="lettered-v1")
    assert found.own == wanted.own


def test_a_question_too_long_for_the_model_is_refused(external: External) -> None:
    long = Item("0", "v", "why " * 1100, ("red", "blue"), 0, "c")
    with pytest.raises(BadData, match=r"positions, the model takes 4096"):
        answer_externally(
            external,
            [long],
            None,
            scoring="letters",
            prompt="lettered-v1",
            rotations=1,
            micro_batch=4,
        )


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def language_model(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "qwen2"}')


def no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def no_processor(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def without_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "lm_head" in name or "embed_tokens" in name))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "error", "said"),
    [
        (no_config, BadInput, "folder that holds config.json"),
        (language_model, BadInput, "model type 'qwen2' is not one for image-text-to-text"),
        (no_template, BadInput, "no chat template"),
        (no_processor, BadInput, "no processor for model type 'qwen2_vl'"),
        (without_head, BadData, "1 missing"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_is_no_whole_model_is_refused(
    tmp_path: Path, harm: Callable[[Path], None], error: type[Exception], said: str
) -> None:
    harm(tiny_qwen2_vl(tmp_path))
    with pytest.raises(error, match=said):
        load_external(tmp_path, frames_as="images", device=CPU)


@pytest.mark.skipif(is_torchvision_available(), reason="torchvision is installed")
def test_without_torchvision_frames_as_a_video_are_refused_with_what_to_do(tmp_path: Path) -> None:
    tiny_qwen2_vl(tmp_path)
    with pytest.raises(BadInput, match=r"needs torchvision.*set `frames_as: images`"):
        load_external(tmp_path, frames_as="video", device=CPU)


def test_an_exported_variant_of_ours_is_told_apart(tmp_path: Path) -> None:
    import apollo_core  # noqa: F401 - makes the type known

    (tmp_path / "config.json").write_text('{"model_type": "apollo_sweeps"}')
    with pytest.raises(BadInput, match="an exported variant of ours"):
        external_config(tmp_path)


@pytest.mark.skipif(not is_torchvision_available(), reason="processors for video need torchvision")
@pytest.mark.parametrize("name", BUILDERS)
def test_frames_are_shown_as_a_video_where_torchvision_is_there(tmp_path: Path, name: str) -> None:
    external = load_external(BUILDERS[name](tmp_path), frames_as="video", device=CPU)
    shown = seen(4)
    (asked, other) = conversations(external, ITEMS, shown, prompt="lettered-v1")
    assert "pixel_values_videos" in asked.inputs
    assert asked.shared == other.shared
    assert Passage(external, [asked, other], micro_batch=2, room=1, rows=2).is_shared
