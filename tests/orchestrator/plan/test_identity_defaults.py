"""Defaults are left out of stage keys: a changed one would give an old key a new meaning.

If a test here fails, raise the kind's STAGE_VERSIONS entry, then write the new defaults down.
"""

import hashlib

import pytest

from apollo_core import design
from apollo_core.stages import identity
from orchestrator.plan.plan import stage_key

DEFAULTS = {
    identity.Part: {},
    identity.Rates: {"vision": 0.0, "connector": 0.0, "llm": 0.0},
    identity.DataShare: {},
    identity.ModelIdentity: {"joining": "unified", "memory": None, "integration_version": 1},
    identity.PretrainIdentity: {"kind": "pretrain", "warmup": 0.03, "precision": "float32"},
    identity.TrainIdentity: {
        "kind": "train",
        "warmup": 0.03,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "bad_media": "stop",
        "precision": "float32",
        "exhausted": "repeat",
        "most_skipped": 0.2,
        "decoder": "pyav",
    },
    identity.EvaluateIdentity: {
        "kind": "evaluate",
        "bad_media": "stop",
        "precision": "float32",
        "rotations": 1,
        "format": "items",
        "decoder": "pyav",
    },
    identity.ExternalIdentity: {
        "kind": "external",
        "bad_media": "stop",
        "precision": "float32",
        "rotations": 1,
        "format": "items",
        "decoder": "pyav",
    },
    design.FpsSampling: {},
    design.UniformSampling: {},
    design.MlpAvgResampler: {},
    design.ConvAvgResampler: {},
    design.AttentionPoolResampler: {"heads": 16, "head_dim": 96},
    design.QFormerResampler: {
        "depth": 2,
        "width": 768,
        "heads": 12,
        "mlp_ratio": 4,
        "text": False,
    },
    design.MemoryBank: {},
    design.PerceiverResampler: {
        "depth": 1,
        "heads": 16,
        "kv_heads": 4,
        "head_dim": 96,
        "mlp_ratio": 4,
    },
}


@pytest.mark.parametrize("model", DEFAULTS, ids=lambda model: model.__name__)
def test_defaults_of_identity_fields_never_change(model):
    found = {n: f.default for n, f in model.model_fields.items() if not f.is_required()}
    assert found == DEFAULTS[model]


def test_the_versions_that_these_defaults_belong_to():
    assert identity.STAGE_VERSIONS == {
        "pretrain": 4,
        "train": 5,
        "evaluate": 4,
        "external": 1,
    }


def test_a_stage_key_is_the_same_on_every_machine_and_in_every_release():
    pretraining = identity.PretrainIdentity(
        part=identity.Part(family="causal-lm", fingerprint="micro:qwen2-xs@1"),
        corpus="world:0",
        seed=0,
        samples=128,
        batch_size=32,
        lr=3e-3,
    )
    text = (
        '{"identity":{"batch_size":32,"corpus":"world:0","lr":0.003,"part":{"family":"causal-lm",'
        '"fingerprint":"micro:qwen2-xs@1"},"samples":128,"seed":0},"kind":"pretrain",'
        '"parents":{},"version":4}'
    )
    golden = "f33edfa46e04"
    key = stage_key(pretraining, {})
    assert key == hashlib.sha256(text.encode()).hexdigest()
    assert key.startswith(golden)
