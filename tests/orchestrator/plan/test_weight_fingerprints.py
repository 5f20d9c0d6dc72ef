import pytest
from small_sweep import planned

from apollo_core.catalogue import ENCODERS, LLMS
from apollo_core.errors import BadInput
from apollo_core.microworld.parts import PARTS_VERSION
from orchestrator.fetching import HubSource
from orchestrator.plan.weights import encoder_reference, find_weights, llm_reference
from orchestrator.spec.sweep_types import ModelSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def found(name, **models):
    return find_weights(encoder_reference(models, name))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_microworld_part_is_named_with_its_version():
    weights = found("mine", mine=ModelSource(source="micro:siglip"))
    assert weights.fingerprint == f"micro:siglip@{PARTS_VERSION}"
    assert weights.location == "micro:siglip"


def test_a_commit_is_a_fingerprint_and_case_and_branches_are_not(cache):
    weights = found(
        "siglip-so400m", **{"siglip-so400m": ModelSource(source="a/b", revision=COMMIT)}
    )
    assert weights.fingerprint == f"hub:a/b@{COMMIT}"
    assert weights.location == f"a/b@{COMMIT}"
    assert found("siglip-so400m").provisional


def test_a_branch_is_pinned_by_the_local_cache(cache):
    source = ENCODERS["siglip-so400m"].source
    references = cache / f"models--{source.replace('/', '--')}" / "refs"
    references.mkdir(parents=True)
    (references / "main").write_text(COMMIT)
    assert found("siglip-so400m").fingerprint == f"hub:{source}@{COMMIT}"


def test_a_local_folder_is_fingerprinted_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS", str(tmp_path))
    mine = ModelSource(source="$WEIGHTS/model", family="siglip")
    assert found("mine", mine=mine).provisional
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"one")
    one = found("mine", mine=mine)
    assert one.location == str(folder)
    (folder / "model.safetensors").write_bytes(b"two!")
    (folder / "notes.md").write_text("not read by a model")
    other = found("mine", mine=mine)
    assert not one.provisional
    assert one.fingerprint != other.fingerprint
    (folder / "model.safetensors").write_bytes(b"one")
    assert found("mine", mine=mine).fingerprint == one.fingerprint


def test_what_torch_saved_counts_only_for_families_that_read_it(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    alone = found("mine", mine=ModelSource(source=str(tmp_path), family="siglip"))
    (tmp_path / "pytorch_model.bin").write_bytes(b"two")
    assert found("mine", mine=ModelSource(source=str(tmp_path), family="siglip")) == alone


def test_a_published_file_is_fingerprinted_by_itself_and_its_config(tmp_path):
    file = tmp_path / "vitl16.pth.tar"
    file.write_bytes(b"one")
    by_folder = found("mine", mine=ModelSource(source=str(tmp_path), family="vjepa"))
    mine = ModelSource(source=str(file), family="vjepa")
    one = found("mine", mine=mine)
    assert one.fingerprint == by_folder.fingerprint
    assert one.location == str(file)
    (tmp_path / "notes.json").write_text("{}")
    assert found("mine", mine=mine) == one
    (tmp_path / "config.json").write_text('{"num_attention_heads": 2}')
    told = found("mine", mine=mine)
    file.write_bytes(b"two!")
    other = found("mine", mine=mine)
    assert not other.provisional
    assert len({one.fingerprint, told.fingerprint, other.fingerprint}) == 3


def test_a_folder_of_several_files_that_could_be_the_weights_is_refused_with_their_names(tmp_path):
    for name in ("vitl16.pth.tar", "vith16.pth.tar"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInput, match=r"vith16\.pth\.tar, vitl16\.pth\.tar"):
        found("mine", mine=ModelSource(source=str(tmp_path), family="vjepa"))


def test_an_empty_folder_leaves_a_published_file_provisional(tmp_path):
    assert found("mine", mine=ModelSource(source=str(tmp_path), family="vjepa")).provisional


def test_fetching_takes_what_torch_saved_only_where_it_is_read():
    assert "*.pt" in HubSource("a/b", "main", "internvideo2").wanted
    for family in ("siglip", "causal-lm"):
        wanted = HubSource("a/b", "main", family).wanted
        assert wanted == ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]


def test_a_known_name_keeps_its_family_for_weights_of_ones_own():
    reference = encoder_reference({"videomae-large": ModelSource(source="./x")}, "videomae-large")
    assert reference.family == "videomae"
    assert reference.built


def test_the_size_of_an_unknown_language_model_is_that_of_the_nearest_known_one():
    assert llm_reference({}, "some/model", 7.5).geometry.hidden == 3584
    assert llm_reference({}, "some/model", 0.5).geometry.hidden == 896


def test_an_unknown_name_is_told_with_the_names_of_its_own_kind_each_once():
    models = {
        "own-siglip": ModelSource(source="micro:siglip"),
        "siglip-so400m": ModelSource(source="./weights"),
        "mine": ModelSource(source="a/b", family="clip"),
        "talker": ModelSource(source="micro:qwen2-xs"),
        "reader": ModelSource(source="org/language"),
    }
    with pytest.raises(ValueError, match="unknown encoder 'siglp'") as caught:
        encoder_reference(models, "siglp")
    offered = str(caught.value).split("Known: ")[1].split(", ")
    assert offered == sorted({*ENCODERS, "own-siglip", "mine"})
    with pytest.raises(ValueError, match="unknown language model 'talkr'") as caught:
        llm_reference(models, "talkr", 0.5)
    offered = str(caught.value).split("Known: ")[1].split(", ")
    assert offered == sorted({*LLMS, "talker", "reader"})


def test_a_full_size_plan_reads_no_network(tmp_path, cache):
    plan = planned(tmp_path, {"scales/xs/llm": "Qwen/Qwen2-0.5B-Instruct"})
    assert plan.unpinned == ("Qwen/Qwen2-0.5B-Instruct: Qwen/Qwen2-0.5B-Instruct@main",)
    assert "pretrain" not in plan.variants[0].steps
