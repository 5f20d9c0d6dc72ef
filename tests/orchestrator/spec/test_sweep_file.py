import re

import pytest
from small_sweep import write

from apollo_core.errors import BadInput
from apollo_core.stages.identity import TrainIdentity
from orchestrator.spec.schedule_types import StageSpec
from orchestrator.spec.sweep_file import load_sweep

EMPTY = "a value that the file leaves out"
EXTRA = {"benchmark": "bench", "manifest": "bench.jsonl", "regimes": ["text"], "scoring": "letters"}


def test_a_complete_file_loads_and_is_frozen(tmp_path):
    sweep = load_sweep(write(tmp_path))
    assert sweep.seeds == (0,)
    with pytest.raises(ValueError, match="frozen"):
        sweep.name = "other"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"base": None, "bsae": {}}, "bsae: unknown key. Did you mean 'base'?"),
        ({"base/integration": None}, "base.integration: required, but missing"),
        ({"base/sampling/fps": -3}, "base.sampling.fps: -3 is not allowed"),
        ({"base/sampling/fps": 1e-320}, "base.sampling.fps: 1e-320 is not allowed"),
        ({"base/sampling/max_clips": 10**7}, "less than or equal to 1000000"),
        ({"base/resampler/depth": 10**30}, "less than or equal to 1000000"),
        ({"schedules/two-stage/0/samples": 4 * 10**30}, "less than or equal to 1000000000000"),
        ({"schedules/two-stage/0/batch_size": 10**7}, "less than or equal to 1000000"),
        ({"evaluation/0/sampling": {"fps": 1e9}}, "less than or equal to 1000"),
        ({"scales/xs/size": 1e-320}, "greater than or equal to 0.000000001"),
        ({"base/sampling/fsp": 3}, "base.sampling.fsp: unknown key. Did you mean 'fps'?"),
        ({"base/sampling/mode": "fsp"}, "base.sampling: 'fsp' is not allowed. Did you mean 'fps'?"),
        ({"base/encoders": "siglip"}, "base.encoders: 'siglip' is not allowed: a list"),
        ({"base/encoders": ["siglip", "siglip"]}, "repeated: siglip"),
        ({"base/encoders": ["videomae"], "axes/joining": {"split": {"joining": "split"}}},
         "axes.joining.split.joining: split shows images to the image encoders alone"),
        ({"base/sampling/frames_per_clip": 5},
         "base.sampling.frames_per_clip: 5 frames are not a whole number of videomae's slots of 2"),
        ({"base/encoders/0": "sigli"}, "base.encoders.0: unknown encoder 'sigli'. Did you mean"),
        ({"base/integration": "timestamp"}, "Did you mean 'timestamps'?"),
        ({"base/mixture/video": 50}, "base.mixture: the shares sum to 90, not to 100"),
        ({"base/mixture": "videoss"}, "base.mixture: unknown data set 'videoss'. Did you mean"),
        ({"base/schedule": "two-stag"}, "base.schedule: unknown schedule 'two-stag'. Did you mean"),
        ({"base/mixture": {"text": 10, "image": 30, "multi_image": 0, "video": 60}},
         "base.mixture.text: 10 % of text, but data.mixture.text lists no set"),
        ({"axes": {}}, "axes: {} is not allowed: it is empty, and at least 1 entry is needed"),
        ({"axes": EMPTY}, "axes: it is empty; a mapping of keys is needed"),
        ({"base/schedule": EMPTY}, "base.schedule: it is empty; text is needed"),
        ({"base/integration": EMPTY}, "base.integration: it is empty. Known: plain"),
        ({"base/sampling/fps": EMPTY}, "base.sampling.fps: it is empty; a number is needed"),
        ({"name": 2024}, "name: 2024 is not allowed: text is needed; put it in quotes"),
        ({"axes/sampling/x": {"smapling": {}}}, "Did you mean 'sampling'?"),
        ({"axes/score": {"x": {"integration": "plain"}}}, "a column of the score table"),
        ({"axes/a b": {"x": {"integration": "plain"}}}, "axes.a b: 'a b' is not allowed"),
        ({"axes/mixture/x": {"mixture": {"image": 5}}}, "axes.mixture.x.mixture: the shares sum"),
        ({"seeds": [1, 1]}, "seeds: each once; repeated: 1"),
        ({"seeds": [-1]}, "seeds.0: -1 is not allowed"),
        ({"models/siglip/source": "siglip"}, "models.siglip.source: 'siglip' is no source"),
        ({"models/siglip/source": "micro:sglip"}, "Did you mean 'siglip'?"),
        ({"models/siglip/revision": "main"}, "revision belongs to a hub id"),
        ({"base/encoders": ["mine"], "models/mine": {"source": "a/b"}}, "needs `family`"),
        ({"base/encoders": ["mine"], "models/mine": {"source": "a/b", "family": "siglp"}},
         "Did you mean 'siglip'?"),
        ({"scales/xs/llm": "micro:qwen2-x"}, "Did you mean 'qwen2-xs'?"),
        ({"scales/xs/llm": "qwen"}, "scales.xs.llm: unknown language model 'qwen'"),
        ({"scales/again": {"llm": "micro:qwen2-xs", "size": 0.1}},
         "scales.again: a duplicate of 'xs'"),
        ({"scales/xs/resources": {"gpus": 1.5}}, "a part of one GPU, or whole GPUs"),
        (
            {"scales/xs/resources": {"gpus": 4, "processes": 2}},
            "processes=2 with gpus=4: a process for each GPU, so leave `processes` out",
        ),
        ({"scales/xs/overrides": {"schedules": {"two-stge": {}}}}, "Did you mean 'two-stage'?"),
        ({"scales/xs/overrides": {"schedules": {"two-stage": {"sfd": {}}}}}, "Did you mean 'sft'?"),
        ({"scales/xs/overrides": {"schedules": {"two-stage": {"align": {"lr": {"connector": 0}}}}}},
         "would train nothing"),
        ({"schedules/two-stage/0/lr": {"connector": -1}}, "lr.connector: -1 is not allowed"),
        ({"schedules/two-stage/0/lr": {}}, "no rate above 0"),
        ({"schedules/two-stage/0/data": "caption"}, "Did you mean 'captions'?"),
        ({"schedules/two-stage/1/stage": "align"}, "a duplicate stage name 'align'"),
        ({"schedules/two-stage/1/stage": "evaluate"}, "the name of another kind of stage"),
        ({"data/mixture/video": ["images"]}, "the set 'images' is of modality image, not video"),
        ({"data/mixture/video": ["video"]}, "Did you mean 'videos'?"),
        ({"data/mixture/video": ["videos", "videos"]}, "repeated: videos"),
        ({"data/sets/mixture": {"manifest": "captions.jsonl"}}, "cannot be named 'mixture'"),
        ({"data/sets/captions/manifest": "caption.jsonl"}, "Did you mean 'captions.jsonl'?"),
        (
            {"data/pretraining/text": None},
            "data.pretraining.text: required: the set that 'micro:qwen2-xs'",
        ),
        ({"data/microworld": None}, "give `root`, the folder of the manifests, or `microworld`"),
        ({"data/microworld/sed": 1}, "data.microworld.sed: unknown key. Did you mean 'seed'?"),
        ({"evaluation": []}, "evaluation: [] is not allowed"),
        ({"evaluation": [EXTRA, EXTRA]}, "evaluation.1: a duplicate"),
        ({"evaluation/0/sampling": {"frames_per_clip": 8}}, "differs from the design's 4"),
        ({"evaluation/0/sampling": {"mode": "uniform", "frames": 6}}, "not a whole number"),
        ({"evaluation/0/sampling": {"frame": 6}}, "sampling.frame: unknown key. Did you mean"),
        ({"schedules/two-stage/0/exhausted": "stop"}, "exhausted: 'stop' is not allowed"),
        ({"execution": {"attention": "flex_attention", "device": "cpu"}},
         "'flex_attention' needs a GPU, and device is 'cpu'"),
        ({"execution": {"threads": 0}}, "execution.threads: 0 is not allowed"),
        ({"data/mixture/video": {"vidoes": 1}}, "data.mixture.video.vidoes: unknown data set"),
        ({"data/mixture/video": {"videos": -1}}, "data.mixture.video.videos: -1 is not allowed"),
        ({"execution": {"threads": True}}, "threads takes no truth value"),
        ({"name": "../x"}, "name: '../x' is not allowed"),
    ],
)  # fmt: skip
def test_one_wrong_thing_is_told_with_line_key_path_value_and_what_is_allowed(
    tmp_path, changes, told
):
    path = write(tmp_path, changes)
    path.write_text(path.read_text().replace(EMPTY, ""))
    with pytest.raises(BadInput) as caught:
        load_sweep(path)
    assert told in str(caught.value)
    assert re.search(r"sweep\.yaml:\d+: ", str(caught.value))


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"videos": 3, "captions": 0}, "video.captions: 0 is not allowed: input should be greater"),
        ({}, "video: {} is not allowed: it is empty, and at least 1 entry is needed"),
        ("videos", "video: 'videos' is not allowed: a list, as [a, b], is needed"),
        (["videos", 3], "video.1: 3 is not allowed: text is needed"),
        ({"videos": "often"}, "video.videos: 'often' is not allowed: a number is needed"),
    ],
)
def test_weights_and_a_list_of_sets_are_each_told_their_own_error_alone(tmp_path, sets, message):
    with pytest.raises(BadInput) as told:
        load_sweep(write(tmp_path, {"data/mixture/video": sets}))
    assert message in str(told.value)
    assert str(told.value).count("not allowed") == 1


@pytest.mark.parametrize(
    "changes", [{"evaluation/0/regimes": []}, {"base/encoders": []}, {"axes/sampling": {}}]
)
def test_a_wrong_child_is_told_without_its_parent(tmp_path, changes):
    with pytest.raises(BadInput, match="it is empty") as caught:
        load_sweep(write(tmp_path, changes))
    assert "\n" not in str(caught.value)


def test_several_problems_are_told_together_in_the_files_order(tmp_path):
    changes = {"base/schedule": "two", "base/encoders/0": "sigli", "data/pretraining/text": "word"}
    with pytest.raises(BadInput) as caught:
        load_sweep(write(tmp_path, changes))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "base.encoders.0",
        "base.schedule",
        "data.pretraining.text",
    ]


def test_the_line_is_that_of_the_wrong_value(tmp_path):
    path = write(tmp_path, {"base/sampling/fps": -3})
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "fps: -3" in text)
    with pytest.raises(BadInput, match=f"sweep.yaml:{line}: base.sampling.fps"):
        load_sweep(path)


def test_two_scales_of_one_language_model_that_are_trained_differently_are_two(tmp_path):
    over = {"schedules": {"two-stage": {"sft": {"samples": 128}}}}
    again = {"llm": "micro:qwen2-xs", "size": 0.1, "overrides": over}
    assert set(load_sweep(write(tmp_path, {"scales/again": again})).scales) == {"xs", "again"}


def test_two_evaluations_of_one_benchmark_need_two_names(tmp_path):
    sweep = load_sweep(write(tmp_path, {"evaluation": [EXTRA, {**EXTRA, "name": "again"}]}))
    assert [entry.metric for entry in sweep.evaluation] == ["bench", "again"]


def test_the_prompt_follows_the_scoring_where_it_is_absent(tmp_path):
    entries = [
        {**EXTRA, "name": "a", "scoring": "letters"},
        {**EXTRA, "name": "b", "scoring": "options"},
        {**EXTRA, "name": "c", "scoring": "options", "prompt": "lettered-v1"},
    ]
    sweep = load_sweep(write(tmp_path, {"evaluation": entries}))
    assert [entry.full_prompt for entry in sweep.evaluation] == [
        "lettered-v1",
        "question-v1",
        "lettered-v1",
    ]


def test_a_stages_defaults_are_those_of_its_identity():
    for name in ("warmup", "weight_decay", "clip_norm"):
        assert StageSpec.model_fields[name].default == TrainIdentity.model_fields[name].default


def test_paths_are_resolved_when_used_and_not_when_read(tmp_path, monkeypatch):
    sweep = load_sweep(
        write(tmp_path, {"data/root": "${HERE}/data", "data/microworld": {"seed": 1}})
    )
    monkeypatch.setenv("HERE", str(tmp_path))
    assert sweep.data.root == "${HERE}/data"
    assert sweep.data.folder(tmp_path / "store") == tmp_path / "data"


def test_a_generated_world_without_a_root_lies_in_the_store_by_its_content(tmp_path):
    one = load_sweep(write(tmp_path)).data.folder(tmp_path)
    other = load_sweep(write(tmp_path, {"data/microworld/seed": 5})).data.folder(tmp_path)
    assert one.parent == other.parent == tmp_path / "worlds"
    assert one != other
