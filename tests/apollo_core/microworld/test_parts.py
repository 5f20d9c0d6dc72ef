import pytest
import torch

from apollo_core.encoders.families import build_encoder
from apollo_core.execution import Execution
from apollo_core.microworld.parts import ENCODERS, PARTS_VERSION
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import Part, PretrainIdentity
from apollo_core.stages.pretrain_encoder import pretrain_encoder

CAPTIONS = {"image": "image_captions.jsonl", "video": "captions.jsonl"}


def part_of(name):
    return Part(family=ENCODERS[name].family, fingerprint=f"micro:{name}@{PARTS_VERSION}")


@pytest.mark.parametrize("name", ENCODERS)
def test_a_part_is_built_of_its_size_and_gives_its_grid(name):
    geometry = ENCODERS[name].geometry
    encoder = build_encoder(part_of(name), f"micro:{name}", frames_per_clip=4, trained=None)
    assert sum(each.numel() for each in encoder.parameters()) == geometry.parameters
    grid = encoder(torch.rand(2, 4, 3, 48, 48))
    assert grid.shape == (2, geometry.slots(4), geometry.side, geometry.side, geometry.dim)
    assert encoder.per_frame == (geometry.frames == 1) == (ENCODERS[name].learns_from == "image")


@pytest.mark.parametrize("name", ENCODERS)
def test_a_part_learns_from_captions_of_its_modality(name, small_world, tmp_path):
    part, events = part_of(name), []
    identity = PretrainIdentity(
        part=part, corpus="captions", seed=0, samples=24, batch_size=4, lr=3e-3
    )
    places = {part.fingerprint: f"micro:{name}"}
    places["captions"] = str(small_world / CAPTIONS[ENCODERS[name].learns_from])
    context = StageContext(
        out=tmp_path,
        parents={},
        chain=(),
        locations=places,
        media_root=small_world,
        execution=Execution(workers=0),
        report=events.append,
    )
    pretrain_encoder(identity, context)
    assert events[-1]["loss"] < events[0]["loss"]
    trained = build_encoder(
        part, f"micro:{name}", frames_per_clip=4, trained=tmp_path / "weights.safetensors"
    )
    fresh = build_encoder(part, f"micro:{name}", frames_per_clip=4, trained=None)
    pairs = zip(trained.parameters(), fresh.parameters(), strict=True)
    assert not any(torch.equal(after, before) for after, before in pairs)


def test_two_parts_of_one_class_and_size_start_apart():
    first, second = (
        build_encoder(part_of(name), f"micro:{name}", frames_per_clip=4, trained=None)
        for name in ("clip", "languagebind-image")
    )
    assert not torch.equal(next(first.parameters()), next(second.parameters()))
