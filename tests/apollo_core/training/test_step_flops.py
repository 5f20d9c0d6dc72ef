"""The closed form of a step's FLOPs against torch's own count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_languages import mamba
from tiny_models import conversations, llama, lmm
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from apollo_core.batch import Batch
from apollo_core.features.feature_keeper import MediumFeatures
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.stages.assembly import modules_of
from apollo_core.training.device_peaks import peak_flops
from apollo_core.training.loop import set_trainable
from apollo_core.training.model_work import WorkMeter, lengths_of, llm_sizes, measure
from apollo_core.training.packing import pack, prepare_attention
from apollo_core.training.step_flops import passes
from apollo_core.training.work import Work

TOKENIZER = build_tokenizer()
# Of one length, so that no padding is computed that the closed form leaves out.
ALIKE = [(2, "red"), (2, "7"), (2, "blue")]
SUBSETS = [
    ("connector",),
    ("llm",),
    ("connector", "llm"),
    ("vision", "connector"),
    ("vision", "connector", "llm"),
]


def counted(batch: Batch, trained: tuple[str, ...], *, packed: bool) -> tuple[float, float]:
    """FLOPs of forward and backward: ours, torch's."""
    model = lmm(llama())
    set_trainable(modules_of(model), trained)
    prepare_attention(model.llm, "auto", packed=packed)
    ours = WorkMeter(model, trained, flops=True)(batch).flops
    # Torch counts no fused attention on a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss = model.loss(batch)
        if loss.requires_grad:
            loss.backward()
    return ours, float(counter.get_total_flops())


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("trained", SUBSETS, ids="+".join)
def test_the_closed_form_is_within_5_per_cent_of_torchs_count(trained, packed):
    batch = conversations(TOKENIZER, ALIKE)
    assert batch.attended.all()
    ours, theirs = counted(pack(batch) if packed else batch, trained, packed=packed)
    assert ours == pytest.approx(theirs, rel=0.05)


def test_stills_cost_an_image_encoder_one_frame():
    batch = conversations(TOKENIZER, ALIKE)
    still = replace(batch, still=~batch.still)
    ours, theirs = counted(still, ("connector", "llm"), packed=False)
    assert ours == pytest.approx(theirs, rel=0.05)
    assert ours < counted(batch, ("connector", "llm"), packed=False)[0]


def test_text_alone_teaches_a_frozen_language_models_connector_nothing_and_costs_a_forward():
    batch = conversations(TOKENIZER, [(0, "red"), (0, "7")])
    ours, theirs = counted(batch, ("connector",), packed=False)
    assert ours == pytest.approx(theirs, rel=0.05)


def test_encoding_is_no_work_where_features_are_at_hand():
    batch = conversations(TOKENIZER, [(2, "red"), (3, "7")])
    model = lmm()
    meter = WorkMeter(model, ("connector", "llm"), flops=True)
    at_hand = MediumFeatures({}, whole=True, read=None, keep=lambda *_: None)
    # The first medium is encoded, the three clips of the second are not.
    half = replace(batch, clips=batch.clips[:2], known=(None, at_hand))
    known = llm_sizes(model)
    assert known is not None
    vision = measure(model, known, batch).vision
    assert meter(half).flops == pytest.approx(meter(batch).flops - 3 * vision)
    assert meter(half).positions == meter(batch).positions


def test_padding_is_no_work():
    batch = conversations(TOKENIZER, [(2, "red"), (0, "7")])
    assert lengths_of(batch) == lengths_of(pack(batch)) == batch.attended.sum(1).tolist()


def test_a_language_model_without_heads_has_positions_and_no_flops():
    batch = conversations(TOKENIZER, ALIKE)
    work = WorkMeter(lmm(mamba()), ("connector", "llm"), flops=True)(batch)
    assert work == Work(positions=sum(lengths_of(batch)), flops=0.0)


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (("connector",), {"vision": 1, "connector": 3, "llm": 2}),
        (("vision", "connector", "llm"), {"vision": 3, "connector": 3, "llm": 3}),
        (("llm",), {"vision": 1, "connector": 1, "llm": 3}),
        (("vision",), {"vision": 3, "connector": 2, "llm": 2}),
    ],
)
def test_a_frozen_module_passes_the_gradient_on_only_above_a_trained_one(trained, expected):
    assert passes(trained) == expected


def test_a_devices_peak_is_found_by_its_name():
    assert peak_flops("NVIDIA H200", "bfloat16") == pytest.approx(989.4e12)
    assert peak_flops("NVIDIA H100 PCIe", "bfloat16") == pytest.approx(756e12)
    assert peak_flops("NVIDIA A100-SXM4-80GB", "float32") == pytest.approx(19.5e12)
    assert peak_flops("NVIDIA A10G", "bfloat16") is None
    assert peak_flops("another", "bfloat16") is None
