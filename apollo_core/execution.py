"""Where and how fast a stage runs; never part of a stage key."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from apollo_core.features.feature_budget import FeatureBudget, FeatureCacheOption
from apollo_core.frozen import Frozen


class Execution(Frozen):
    """Execution fields: they may change the last digit of a sum, never what is computed.

    Attributes:
        micro_batch: samples per forward; `auto` takes what the device is known to hold. A stage
            that runs out of memory all the same halves it, up to three times.
        workers: decoding processes beside the training process, which reads ahead of the trainer;
            0 = one decoding process, asked only when its frames are needed.
        threads: torch threads of a stage on a CPU.
        device: `auto` takes a GPU where one is visible.
        frame_cache_mb: decoded frames that a worker keeps, in MiB.
        decode_deadline_s: seconds after which a decoder that does not answer is killed.
        checkpoint_minutes: a training stage keeps its state this often, so that a killed one goes
            on from there; 0 = never.
        stall_minutes: a stage that reports no step for as long is ended, with its process, and
            tried once more; loading, the first step and a whole optimiser step must fit. 0 = never.
        diverged_above: a training stage is given up as diverged when the median loss of its last 64
            steps is more than this many times that of its first 64; absent = only a loss or
            gradient that is not finite does it.
        packing: conversations of a micro-batch in one row instead of padded; `auto` where the
            language model's class keeps them apart, on a CPU only if it does so without a mask.
        attention: how the language model attends in training; `auto` takes what suits its class.
            `flex_attention` needs a GPU.
        activation_checkpointing: compute activations again in the backward: less memory, a third
            more work.
        compile: torch.compile the blocks of encoders and language model. Worth it on a GPU and for
            long stages only: on a CPU it costs minutes and gains nothing.
        sharding: what the processes of a stage that has several hold of its model. `ddp`: each all
            of it. `fsdp`: each an equal part of the language model, which is put together block by
            block. `auto`: `ddp`, until a plan knows that one device cannot hold the model.
        fused_optimiser: AdamW in one kernel.
        feature_cache: room for what frozen encoders make of media, kept beside the store's results
            and read by every stage that needs it: `{budget: 200GB}`. `auto` is 20 GB, `off` none.
            The plan says for which features that is enough.
        peak_tflops: the device's peak in the stage's precision, in 1e12 FLOPs a second, for the
            logged utilisation; absent = as known for the device.
    """

    micro_batch: PositiveInt | Literal["auto"] = "auto"
    workers: NonNegativeInt = 1
    threads: PositiveInt = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    frame_cache_mb: NonNegativeInt = 512
    decode_deadline_s: PositiveInt = 30
    checkpoint_minutes: NonNegativeFloat = 10.0
    stall_minutes: NonNegativeFloat = 30.0
    diverged_above: float | None = Field(default=None, gt=1)
    packing: Literal["auto", "on", "off"] = "auto"
    attention: Literal["auto", "sdpa", "eager", "flex_attention"] = "auto"
    activation_checkpointing: bool = False
    compile: bool = False
    sharding: Literal["auto", "ddp", "fsdp"] = "auto"
    fused_optimiser: bool = True
    feature_cache: FeatureCacheOption = FeatureBudget()
    peak_tflops: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check_attention(self) -> Execution:
        if self.attention == "flex_attention" and self.device == "cpu":
            raise ValueError(
                "attention: 'flex_attention' needs a GPU, and device is 'cpu'; set attention to "
                "'auto', 'sdpa' or 'eager', or device to 'auto'"
            )
        return self
