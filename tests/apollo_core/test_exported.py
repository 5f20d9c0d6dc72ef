"""Every encoder goes through an exported folder and comes back to the bit."""

import pytest
import torch
from tiny_exports import write

from apollo_core.errors import BadData, BadInput
from apollo_core.exported.apollo_config import ApolloConfig
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration, _padded_on_the_left
from apollo_core.exported.apollo_processor import ApolloProcessor
from apollo_core.microworld.parts import ENCODERS


def test_every_encoder_is_loaded_as_it_was_written(tmp_path):
    written = write(tmp_path, *ENCODERS)
    loaded = ApolloForConditionalGeneration.from_pretrained(tmp_path).lmm
    assert not loaded.training
    clips = torch.rand(2, 4, 3, 48, 48)
    for before, after in zip(written.vision, loaded.vision, strict=True):
        with torch.no_grad():
            assert torch.equal(before.eval()(clips), after(clips))


def test_a_folder_that_lacks_a_tensor_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    write(tmp_path, "siglip")
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["lmm.connector.marks"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadData, match=r"1 missing \(lmm\.connector\.marks\)"):
        ApolloForConditionalGeneration.from_pretrained(tmp_path)


def test_questions_side_by_side_are_answered_as_each_alone(tmp_path):
    write(tmp_path, "siglip")
    model = ApolloForConditionalGeneration.from_pretrained(tmp_path)
    processor = ApolloProcessor.from_pretrained(tmp_path)
    questions = ["which shape moves?", "what colour is the circle that moves to the left?"]
    options = {"max_new_tokens": 5, "min_new_tokens": 5}
    together = model.generate(**processor(text=questions), **options)
    alone = [model.generate(**processor(text=each), **options)[0] for each in questions]
    assert together.tolist() == [each.tolist() for each in alone]


def test_padding_goes_from_behind_the_rows_to_before_them():
    embedded = torch.arange(6.0).reshape(2, 3, 1)
    attended = torch.tensor([[True, True, True], [True, False, False]])
    moved, seen = _padded_on_the_left(embedded, attended)
    assert moved[0, :, 0].tolist() == [0, 1, 2]
    assert moved[1, 2, 0] == 3
    assert seen.tolist() == [[True, True, True], [False, False, True]]


def test_a_medium_for_each_question_is_needed(tmp_path):
    write(tmp_path, "siglip")
    processor = ApolloProcessor.from_pretrained(tmp_path)
    with pytest.raises(BadInput, match="videos: a path for each question is needed"):
        processor(text=["one?", "two?"], videos="a.mp4")


def test_its_config_survives_a_round_trip(tmp_path):
    write(tmp_path, "siglip", "videomae")
    config = ApolloConfig.from_pretrained(tmp_path)
    assert [each["kind"] for each in config.encoders] == ["siglip", "videomae"]
    assert config.get_text_config().model_type == "qwen2"
