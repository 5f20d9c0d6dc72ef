"""A model whose language model is sharded over the ranks of a stage (FSDP2).

Weights, gradients and optimiser states of the language model lie in equal parts on the ranks; a
block's weights are put together just before it runs. Encoders and connector, which are smaller and
which a micro-batch of text alone does not reach, stay whole on every rank.

Each rank must then run the language model equally often, forward and backward:

- a rank that has no micro-batch while another has one runs an idle one, of no weight;
- what enters the language model always asks for a gradient. Without it a micro-batch of text alone
  would have no backward where the language model is frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

from apollo_core.batch import Batch
from apollo_core.model import VideoLMM
from apollo_core.text.chat import TEXT
from apollo_core.training.block_options import blocks_of
from apollo_core.training.distributed import Peers
from apollo_core.training.packing import pack


def shard_language_model(model: VideoLMM, peers: Peers) -> None:
    """Leave on this rank only its part of the language model; afterwards only `loss` may be asked.

    Blocks must be compiled or set to recompute before. A device holds the whole weights until then.
    """
    mesh = init_device_mesh(peers.device.type, (peers.size,))
    for block in blocks_of(model.llm):
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    rest = {each for part in (model.vision, model.connector) for each in part.parameters()}
    # Embeddings and head, which are often one tensor, stay put together from `loss` to backward.
    fully_shard(model, mesh=mesh, reshard_after_forward=False, ignored_params=rest)
    register_fsdp_forward_method(model, "loss")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # Sums, not means: a step divides by its tokens, whoever had them.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    model.llm.register_forward_pre_hook(_ask_for_a_gradient, with_kwargs=True)


def idle_batch(*, packed: bool) -> Batch:
    """A few words of no meaning, for a rank that has nothing to learn while others do."""
    none = torch.zeros(0, dtype=torch.long)
    tokens = torch.zeros(1, 2, dtype=torch.long)
    batch = Batch(
        tokens=tokens,
        labels=tokens.clone(),
        attended=torch.ones(1, 2, dtype=torch.bool),
        source=torch.full((1, 2), TEXT),
        clips=torch.zeros(0, 1, 1, 1, 3, dtype=torch.uint8),
        still=none.bool(),
        medium=none,
        places=none,
        asked=torch.zeros(0, 0, dtype=torch.long),
    )
    return pack(batch) if packed else batch


def _ask_for_a_gradient(
    _: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    embedded = kwargs["inputs_embeds"]
    if torch.is_grad_enabled() and not embedded.requires_grad:
        embedded = embedded.detach().requires_grad_()
    return args, {**kwargs, "inputs_embeds": embedded}
