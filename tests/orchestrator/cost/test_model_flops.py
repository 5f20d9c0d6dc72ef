"""Closed-form FLOPs against those that torch counts while the real, micro, modules run."""

from dataclasses import replace

import pytest
import torch
from real_models import batch_of, build, modules, row_of
from small_sweep import planned
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from apollo_core.connector.connector import Connector
from apollo_core.connector.resamplers.qformer import Words
from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    MemoryBank,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
)
from apollo_core.encoders.families import FAMILIES
from apollo_core.media.reader import Shown
from apollo_core.microworld.parts import ENCODERS, LLMS
from apollo_core.scoring.prefix import beginnings
from apollo_core.training.loop import set_trainable
from orchestrator.cost.cost import plan_flops, sample_flops
from orchestrator.cost.model_sizes import ModelSizes

FRAMES, WORDS = 4, 6
RESAMPLERS = {
    "perceiver": PerceiverResampler(
        kind="perceiver", tokens_per_frame=4, depth=2, heads=4, kv_heads=2, head_dim=16
    ),
    "mlp_avg": MlpAvgResampler(kind="mlp_avg", tokens_per_frame=4),
    "conv_avg": ConvAvgResampler(kind="conv_avg", tokens_per_frame=6),
    "attention_pool": AttentionPoolResampler(
        kind="attention_pool", tokens_per_frame=4, heads=4, head_dim=16
    ),
    "qformer": QFormerResampler(kind="qformer", tokens_per_frame=4, width=32, heads=4),
    "qformer with text": QFormerResampler(
        kind="qformer", tokens_per_frame=4, width=32, heads=4, text=True
    ),
}


def sizes(kind, encoders=("siglip", "videomae"), **changes):
    whole = ModelSizes(
        encoders=tuple(ENCODERS[name].geometry for name in encoders),
        llm=LLMS["qwen2-m"].geometry,
        resampler=RESAMPLERS[kind],
        frames_per_clip=FRAMES,
        joining="unified",
        memory=None,
        text_tokens=WORDS,
    )
    return replace(whole, **changes)


def counted(run):
    """FLOPs that torch counts; its counter knows attention by its products only."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("frames", [1, FRAMES])
def test_an_encoders_flops_are_those_that_torch_counts(name, frames):
    part = ENCODERS[name]
    if part.learns_from == "video" and frames == 1:
        pytest.skip("a video encoder takes whole clips")
    encoder = FAMILIES[part.family].create(part.geometry, frames_per_clip=frames)
    found = counted(lambda: encoder(torch.rand(1, frames, 3, 48, 48)))
    still = frames == 1
    expected = sizes("mlp_avg", encoders=(name,)).vision_forward(still=still)
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("joining", ["unified", "split"])
@pytest.mark.parametrize("kind", RESAMPLERS)
@pytest.mark.parametrize("still", [False, True])
def test_a_connectors_flops_are_those_that_torch_counts(kind, joining, still):
    planned_sizes = sizes(kind, joining=joining)
    geometries = planned_sizes.encoders
    connector = Connector(
        RESAMPLERS[kind],
        dims=[each.dim for each in geometries],
        hidden=planned_sizes.llm.hidden,
        frames_per_clip=FRAMES,
        joining=joining,
        per_frame=[each.frames == 1 for each in geometries],
    )
    stills = torch.tensor([still])
    grids = [
        torch.rand(1, each.slots(FRAMES), each.side, each.side, each.dim)[
            connector.needed(place, stills)
        ]
        for place, each in enumerate(geometries)
    ]
    asked = Words(torch.rand(1, WORDS, planned_sizes.llm.hidden), torch.ones(1, WORDS).bool())
    words = asked if connector.conditioned else None
    found = counted(lambda: connector(grids, still=stills, words=words))
    assert found == pytest.approx(planned_sizes.connector_forward(still=still), rel=0.01)


def test_image_encoders_see_a_still_once_and_with_split_no_other_encoder_does():
    image, video = (
        sizes("mlp_avg", encoders=(name,)).vision_forward() for name in ("siglip", "videomae")
    )
    both = sizes("mlp_avg")
    assert both.vision_forward() == image + video
    assert both.vision_forward(still=True) == image / FRAMES + video
    assert replace(both, joining="split").vision_forward(still=True) == image / FRAMES


def test_a_memory_bank_bounds_what_the_language_model_reads():
    bounded = sizes("mlp_avg", memory=MemoryBank(long=2, recent=1))
    assert [bounded.visual_tokens(clips) for clips in (1, 3, 30)] == [16, 48, 48]
    assert bounded.llm_forward(30) == sizes("mlp_avg").llm_forward(3)


def test_questions_behind_a_shared_video_cost_what_one_after_another_would_without_it():
    whole = sizes("mlp_avg")
    assert whole.llm_prefix(3) + whole.llm_question(3) == whole.llm_forward(3)
    assert whole.llm_question(3) > whole.llm_question(0) == whole.llm_forward(0)


def evaluated(tmp_path, **changes):
    plan = planned(tmp_path, {f"evaluation/0/{field}": value for field, value in changes.items()})
    return plan_flops(plan)[plan.variant("base@xs#0").evaluations["bench"]]


def test_asking_in_more_orders_costs_less_than_as_many_evaluations(tmp_path):
    once, thrice = (evaluated(tmp_path, rotations=count, prompt="lettered-v1") for count in (1, 3))
    assert once < thrice < 3 * once


def test_a_benchmark_of_texts_costs_least_and_of_single_frames_less_than_of_videos(tmp_path):
    text, frame, video = (
        evaluated(tmp_path, regimes=[regime]) for regime in ("text", "center_frame", "video")
    )
    assert text < frame < video


CONNECTOR, SFT, EVERYTHING = ("connector",), ("connector", "llm"), ("vision", "connector", "llm")
VISION = ("vision", "connector")


@pytest.mark.parametrize(
    ("trained", "clips", "still", "changes"),
    [
        (CONNECTOR, 2, False, {}),
        (VISION, 2, False, {}),
        (SFT, 2, False, {}),
        (EVERYTHING, 2, False, {}),
        (("llm",), 2, False, {}),
        (("vision",), 2, False, {}),
        (SFT, 0, False, {}),
        (CONNECTOR, 0, False, {}),
        (EVERYTHING, 1, True, {}),
        (EVERYTHING, 1, True, {"joining": "split"}),
        (SFT, 5, False, {"memory": MemoryBank(long=1, recent=1)}),
        (EVERYTHING, 2, False, {"resampler": RESAMPLERS["qformer with text"]}),
    ],
)
def test_a_training_stages_flops_are_those_that_torch_counts(trained, clips, still, changes):
    planned_sizes = sizes("perceiver", text_tokens=24, **changes)
    model = build(planned_sizes)
    set_trainable(modules(model), trained)
    batch = batch_of(planned_sizes, 1, clips, still=still)

    def learn():
        loss = model.loss(batch)
        if loss.requires_grad:
            loss.backward()

    learns = clips > 0 or "llm" in trained
    expected = sample_flops(planned_sizes, trained, clips=clips, still=still)
    # The counter takes attention for whole, of which a plan counts the half that is not masked.
    expected += (3 if learns else 1) * planned_sizes.llm_attention(clips)
    assert counted(learn) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("questions", [1, 3])
def test_an_evaluations_flops_are_those_that_torch_counts(questions):
    planned_sizes = sizes("perceiver", text_tokens=24)
    model = build(planned_sizes).eval().requires_grad_(False)
    clips = 2
    visual = planned_sizes.visual_tokens(clips)
    asked = [row_of(planned_sizes, visual, seed) for seed in range(questions)]
    frames = batch_of(planned_sizes, 1, clips).clips.numpy()
    shown = Shown(frames, ("",), 2.0, (clips,), (False,))

    def answer():
        for prefix, group in beginnings(model, asked, shown):
            list(prefix.log_probabilities(group, micro_batch=questions))

    once = planned_sizes.vision_forward() + planned_sizes.connector_forward()
    expected = clips * once + planned_sizes.llm_prefix(clips)
    expected += questions * planned_sizes.llm_question(clips)
    prefix = replace(planned_sizes, text_tokens=0).llm_attention(clips)
    layers, hidden, text = planned_sizes.llm.layers, planned_sizes.llm.hidden, 24
    # The half of each that is masked: a question's own square, not what it sees of the video.
    masked = prefix + questions * 2 * layers * hidden * text**2
    assert counted(answer) == pytest.approx(expected + masked, rel=0.05)
