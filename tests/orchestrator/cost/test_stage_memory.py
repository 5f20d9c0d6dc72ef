"""Planned memory against what torch's allocator held while the real classes trained.

The models are small and yet large enough that weights, optimiser and activations are all that
counts. The peak is that of torch's allocator, so that nothing of the process hides the matter.
"""

from dataclasses import replace

import pytest
import torch
from real_models import batch_of, build, modules, peak_bytes, row_of
from small_sweep import planned

from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
)
from apollo_core.encoders.families import FAMILIES
from apollo_core.geometry import LlmGeometry
from apollo_core.media.reader import Shown
from apollo_core.microworld.parts import ENCODERS
from apollo_core.scoring.prefix import beginnings
from apollo_core.training.block_options import recompute_activations
from apollo_core.training.loop import Recipe, train
from apollo_core.training.packing import pack, prepare_attention
from orchestrator.cost.devices_needed import devices_needed
from orchestrator.cost.load_bytes import Load
from orchestrator.cost.memory import evaluation_memory, training_memory
from orchestrator.cost.model_sizes import ModelSizes
from orchestrator.cost.planned_memory import plan_memory, stage_memory
from orchestrator.cost.towers import VISION
from orchestrator.engine.task import task_of
from orchestrator.store.store import open_store

CPU = torch.device("cpu")
EVERYTHING = ("vision", "connector", "llm")
PERCEIVER = PerceiverResampler(
    kind="perceiver", tokens_per_frame=8, depth=1, heads=4, kv_heads=2, head_dim=48
)


def encoder(name, **changes):
    """A small encoder of the family of a microworld part."""
    part = ENCODERS[name].geometry
    own = {"dim": 96, "depth": 3, "mlp": 384, "size": 72, "heads": 4}
    return replace(part, **(own | changes))


SIZES = ModelSizes(
    encoders=(encoder("siglip"), encoder("videomae")),
    llm=LlmGeometry(192, 4, 4, 2, 768, 1000),
    resampler=PERCEIVER,
    frames_per_clip=4,
    joining="unified",
    memory=None,
    text_tokens=40,
)
LOAD = Load(samples=2, clips=2)


def held_in_training(sizes, trained, load, *, precision, checkpointing=False, micro_batches=1):
    """Bytes that two steps of the real loop held at most."""
    model = build(sizes)
    assert prepare_attention(model.llm, "auto", packed=True).packed
    if checkpointing:
        recompute_activations(model, vision="vision" in trained)
    batch = pack(batch_of(sizes, load.samples, load.clips, still=load.still))
    recipe = Recipe(
        rates=dict.fromkeys(trained, 1e-4),
        steps=2,
        warmup=0,
        weight_decay=0,
        clip_norm=1.0,
        precision=precision,
    )
    steps = [[batch] * micro_batches] * 2
    weights = 4 * sum(each.numel() for each in model.parameters())
    return (
        weights
        + batch.clips.nbytes
        + peak_bytes(
            lambda: train(
                modules(model), model.loss, steps, recipe, device=CPU, report=lambda _: None
            )
        )
    )


@pytest.mark.parametrize(
    ("trained", "precision", "checkpointing", "micro_batches"),
    [
        (("connector",), "float32", False, 1),
        (("vision", "connector"), "bfloat16", False, 1),
        (("connector", "llm"), "float32", False, 2),
        (("connector", "llm"), "bfloat16", True, 1),
        (EVERYTHING, "float32", True, 1),
        (EVERYTHING, "float32", False, 1),
        (("llm",), "bfloat16", False, 1),
    ],
)
def test_a_training_stages_memory_is_within_a_fifth_of_what_it_really_held(
    trained, precision, checkpointing, micro_batches
):
    found = held_in_training(
        SIZES,
        trained,
        LOAD,
        precision=precision,
        checkpointing=checkpointing,
        micro_batches=micro_batches,
    )
    expected = training_memory(
        SIZES,
        trained,
        LOAD,
        precision=precision,
        accumulates=micro_batches > 1,
        checkpointing=checkpointing,
    )
    assert expected.total == pytest.approx(found, rel=0.2)


@pytest.mark.parametrize(
    "resampler",
    [
        MlpAvgResampler(kind="mlp_avg", tokens_per_frame=8),
        ConvAvgResampler(kind="conv_avg", tokens_per_frame=8),
        AttentionPoolResampler(kind="attention_pool", tokens_per_frame=8, heads=4, head_dim=48),
        QFormerResampler(kind="qformer", tokens_per_frame=8, width=96, heads=4, text=True),
    ],
    ids=lambda spec: spec.kind,
)
def test_every_resamplers_alignment_is_within_a_fifth(resampler):
    sizes = replace(SIZES, resampler=resampler)
    found = held_in_training(sizes, ("connector",), LOAD, precision="float32")
    expected = training_memory(sizes, ("connector",), LOAD, precision="float32", accumulates=False)
    assert expected.total == pytest.approx(found, rel=0.2)


def test_stills_behind_a_branch_of_their_own_are_within_a_fifth():
    sizes, load = replace(SIZES, joining="split"), Load(samples=6, clips=1, still=True)
    found = held_in_training(sizes, EVERYTHING, load, precision="float32")
    expected = training_memory(sizes, EVERYTHING, load, precision="float32", accumulates=False)
    assert expected.total == pytest.approx(found, rel=0.2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ENCODERS)
def test_what_an_encoders_blocks_keep_is_what_autograd_saves(name, precision):
    def kept(depth):
        geometry = encoder(name, depth=depth, size=60)
        model = FAMILIES[geometry.family].create(geometry, frames_per_clip=4)
        clips = torch.rand(3, 4, 3, 60, 60)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return saved_bytes(lambda: model(clips), model)

    geometry = encoder(name, depth=1, size=60)
    each = VISION[geometry.family][precision]
    expected = 3 * geometry.tokens(4) * (each.width * geometry.dim + each.mlp * geometry.mlp)
    copies = 2 * geometry.block_parameters * (precision == "bfloat16")
    assert (kept(3) - kept(1)) / 2 == pytest.approx(expected + copies, rel=0.06)


def saved_bytes(run, model):
    """Of the tensors that a forward saves for its backward, parameters left out."""
    own = {each.untyped_storage().data_ptr() for each in model.parameters()}
    found = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        # Held, so that no other tensor can come to lie where it lies.
        found[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    assert result.requires_grad
    return sum(each.nbytes() for place, each in found.items() if place not in own)


def held_in_evaluation(sizes, clips, rows):
    """Bytes that so many questions about one video held at most, by the real scoring."""
    model = build(sizes).eval().requires_grad_(False)
    batch = batch_of(sizes, 1, clips)
    visual = sizes.visual_tokens(clips)
    asked = [row_of(sizes, visual, seed) for seed in range(rows)]
    shown = Shown(batch.clips.numpy(), ("",), 2.0, (clips,), (False,))

    def score():
        for prefix, group in beginnings(model, asked, shown):
            list(prefix.log_probabilities(group, micro_batch=rows))

    weights = 4 * sum(each.numel() for each in model.parameters())
    return weights + batch.clips.nbytes + peak_bytes(score)


@pytest.mark.parametrize(("clips", "rows"), [(8, 2), (2, 12)])
def test_an_evaluations_memory_is_within_a_fifth_of_what_it_really_held(clips, rows):
    found = held_in_evaluation(SIZES, clips, rows)
    expected = evaluation_memory(SIZES, Load(1, clips), precision="float32", rows=rows)
    assert expected.total == pytest.approx(found, rel=0.2)


GB = 1e9
STUDY_7B = replace(SIZES, llm=LlmGeometry(3584, 28, 28, 4, 18944, 152064, tied=False))


def sft(**changes):
    return training_memory(
        STUDY_7B,
        ("connector", "llm"),
        LOAD,
        precision="bfloat16",
        accumulates=True,
        **changes,
    )


def test_a_trained_7b_model_takes_16_bytes_a_parameter_and_sharding_divides_them():
    whole, shared = sft(), sft(devices=8, sharding="fsdp")
    states = (whole.weights, whole.gradients, whole.optimiser)
    assert sum(states) == pytest.approx(16 * 7.62e9, rel=0.03)
    llm, rim = STUDY_7B.llm.parameters, 2 * 3584 * 152064
    assert whole.optimiser - shared.optimiser == pytest.approx(8 * llm * 7 / 8, rel=1e-6)
    # Embedding and head stay whole from the loss to the backward, beside two blocks.
    saved = llm * 7 / 8 - rim
    assert whole.weights - shared.weights == pytest.approx(4 * saved, rel=0.1)
    assert shared.activations == whole.activations


def test_ddp_divides_nothing():
    assert sft(devices=8).total == sft().total


def test_every_stage_of_a_plan_has_a_memory_and_an_evaluation_no_gradients(tmp_path):
    plan = planned(tmp_path)
    memory = plan_memory(plan, device=80 * GB)
    assert set(memory) == set(plan.stages)
    for key, node in plan.stages.items():
        assert memory[key].total > 0
        assert (memory[key].gradients == 0) == (node.kind == "evaluate")


def test_a_stage_gets_as_many_devices_as_hold_it_and_none_where_none_do(tmp_path):
    plan = planned(tmp_path, {"scales/xs/resources": {"gpus": 1}})
    variant = plan.variant("base@xs#0")
    node, sizes = plan.stages[variant.steps["sft"]], ModelSizes.of(plan, variant)
    one = stage_memory(plan, node, sizes, micro_batch=8)
    needed = devices_needed(plan, node, sizes, device=2 * one.total)
    assert needed is not None
    assert (needed.devices, needed.micro_batch) == (1, 8)
    smaller = devices_needed(plan, node, sizes, device=0.6 * one.total)
    assert smaller is not None
    assert smaller.micro_batch < 8
    assert devices_needed(plan, node, sizes, device=0.01 * one.total) is None


def test_what_one_device_cannot_hold_is_sharded_unless_the_file_says_otherwise(tmp_path):
    def ways(sharding):
        changes = {"scales/xs/resources": {"gpus": 2}, "execution/sharding": sharding}
        plan = planned(tmp_path, changes)
        key = plan.variant("base@xs#0").steps["sft"]
        return [plan_memory(plan, device=size)[key].sharding for size in (80 * GB, 1e6)]

    assert ways("auto") == ["ddp", "fsdp"]
    assert ways("ddp") == ["ddp", "ddp"]
    assert ways("fsdp") == ["fsdp", "fsdp"]


def test_a_stage_is_handed_out_with_its_memory_and_with_the_sharding_that_it_needs(tmp_path):
    plan = planned(tmp_path, {"scales/xs/resources": {"gpus": 2}})
    node = plan.stages[plan.variant("base@xs#0").steps["sft"]]
    store = open_store(tmp_path / "store")
    for size, sharding in ((80 * GB, "ddp"), (1e6, "fsdp")):
        memory = plan_memory(plan, device=size)[node.key]
        task = task_of(node, plan, store, seconds=1.0, memory=memory)
        assert task.memory == memory.total > 0
        assert task.execution.sharding == sharding


def micro_batches(folder, changes, *, device):
    """What each step of the base variant is handed out with on devices of these bytes."""
    plan = planned(folder, {"scales/xs/resources": {"gpus": 1}} | changes)
    memory, store = plan_memory(plan, device=device), open_store(folder / "store")
    return {
        step: task_of(
            plan.stages[key], plan, store, seconds=1.0, memory=memory[key]
        ).execution.micro_batch
        for step, key in plan.variant("base@xs#0").steps.items()
    }


def test_on_a_gpu_a_stage_begins_with_the_largest_micro_batch_that_is_planned_to_fit(tmp_path):
    large = {"schedules/two-stage/1/batch_size": 64}
    assert micro_batches(tmp_path, large, device=80 * GB)["sft"] == 32
    plan = planned(tmp_path, {"scales/xs/resources": {"gpus": 1}} | large)
    variant = plan.variant("base@xs#0")
    node, sizes = plan.stages[variant.steps["sft"]], ModelSizes.of(plan, variant)
    device = stage_memory(plan, node, sizes, micro_batch=4).total / 0.89
    assert micro_batches(tmp_path, large, device=device)["sft"] == 4
    half = large | {"scales/xs/resources": {"gpus": 0.5}}
    assert micro_batches(tmp_path, half, device=2 * device)["sft"] == 4
    assert micro_batches(tmp_path, large, device=1000)["sft"] == 1


def test_an_asked_micro_batch_and_one_on_processors_stay_as_they_are(tmp_path):
    asked = micro_batches(tmp_path, {"execution/micro_batch": 3}, device=80 * GB)
    assert set(asked.values()) == {3}
    for changes in ({"scales/xs/resources": {"gpus": 0}}, {"execution/device": "cpu"}):
        assert set(micro_batches(tmp_path, changes, device=80 * GB).values()) == {"auto"}
