"""Closed-form counts of the published models: equal to what is built, and to what is published."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from apollo_core.catalogue import ENCODERS, LLMS
from apollo_core.encoders.families import FAMILIES
from apollo_core.shipped_configs import FOLDER, config_file

# In millions, of the whole vision tower as published; the field's figures.
PUBLISHED_WHOLE = {
    "siglip-so400m": 428.2,
    "siglip2-so400m": 428.2,
    "dinov2-large": 304.4,
    "clip-large": 303.5,
    "videomae-large": 303.9,
    "vjepa2-large": 326.0,
}
# Of what is used here of them; published/README.md says what is left out.
USED = {
    "siglip-so400m": 413.0,
    "dinov2-large": 303.7,
    "clip-large": 290.9,
    "videomae-large": 303.9,
    "vjepa2-large": 303.9,
    "internvideo2-1b": 987.0,
}
PUBLISHED_LLMS = {
    "Qwen/Qwen2-0.5B-Instruct": 0.49,
    "Qwen/Qwen2-1.5B-Instruct": 1.54,
    "Qwen/Qwen1.5-4B-Chat": 3.95,
    "Qwen/Qwen2-7B-Instruct": 7.62,
    "Qwen/Qwen2.5-1.5B-Instruct": 1.54,
    "Qwen/Qwen2.5-3B-Instruct": 3.09,
    "Qwen/Qwen2.5-7B-Instruct": 7.62,
}


def count(model: torch.nn.Module) -> int:
    """Parameters, a tensor that two modules share counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoders_count_is_that_of_the_built_one_at_full_size(name):
    entry = ENCODERS[name]
    with torch.device("meta"):
        encoder = FAMILIES[entry.family].create(
            entry.geometry, frames_per_clip=entry.geometry.frames
        )
    assert count(encoder) == entry.geometry.parameters
    assert encoder.spec.size == entry.geometry.size
    assert encoder.dim == entry.geometry.dim


@pytest.mark.parametrize("name", LLMS)
def test_a_language_models_count_is_that_of_the_built_one_at_full_size(name):
    config = AutoConfig.from_pretrained(config_file(name))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert count(model) == LLMS[name].parameters
    assert LLMS[name].parameters / 1e9 == pytest.approx(PUBLISHED_LLMS[name], abs=0.005)


@pytest.mark.parametrize("name", PUBLISHED_WHOLE)
def test_transformers_builds_the_published_size_from_a_shipped_config(name):
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.from_pretrained(config_file(name)))
    assert count(model) / 1e6 == pytest.approx(PUBLISHED_WHOLE[name], abs=0.05)


@pytest.mark.parametrize("name", USED)
def test_what_is_used_of_an_encoder_is_what_the_readme_says(name):
    millions = ENCODERS[name].geometry.parameters / 1e6
    assert millions == pytest.approx(USED[name], abs=0.05)
    assert f"{USED[name]}M" in (FOLDER / "README.md").read_text()


def test_internvideo2_has_its_published_size_with_its_last_block():
    geometry = ENCODERS["internvideo2-1b"].geometry
    assert geometry.depth == 39
    whole = replace(geometry, depth=40)
    assert whole.parameters / 1e6 == pytest.approx(1012.2, abs=0.05)


def test_every_known_model_ships_a_config_and_every_config_is_of_a_known_one():
    shipped = {path for path in FOLDER.iterdir() if path.suffix == ".json"}
    assert shipped == {config_file(name) for name in (*ENCODERS, *LLMS)}
    assert all(json.loads(path.read_text())["model_type"] for path in shipped)


def test_the_catalogue_needs_no_torch():
    script = "import sys, apollo_core.catalogue; print('torch' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "False\n"
