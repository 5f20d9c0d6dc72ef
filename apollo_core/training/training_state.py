"""All that the next step of a training stage depends on, as named tensors and plain values.

What is stored does not say how many ranks there were: the first writes everything whole, and any
number of ranks can go on from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from apollo_core.errors import BadData
from apollo_core.training.distributed import NOBODY_ELSE, Peers
from apollo_core.training.loss_spikes import LossWatch
from apollo_core.weights import tensors_of


@dataclass
class TrainingState:
    """A stage between two steps.

    Attributes:
        modules: those that it trains.
        optimiser: over their parameters.
        device: whose random streams it draws from, beside the CPU's.
        peers: the ranks that train it; all call its methods together.
        step: steps done.
        tokens_seen: positions that went through the language model so far.
        spikes: of the loss so far.
        watch: the losses of late.
    """

    modules: Mapping[str, nn.Module]
    optimiser: Optimizer
    device: torch.device
    peers: Peers = NOBODY_ELSE
    step: int = 0
    tokens_seen: int = 0
    spikes: int = 0
    watch: LossWatch = field(default_factory=LossWatch)

    def tensors(self) -> dict[str, Tensor]:
        """Weights, moments of the optimiser, and where the random streams stand.

        Each put together as the first rank has them; on the others there is nothing.
        """
        found = {f"module.{name}": tensor for name, tensor in tensors_of(self.modules).items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{index}.{name}": moment for name, moment in moments.items()}
        whole = {name: self.peers.whole(tensor) for name, tensor in found.items()}
        streams = self._streams()
        return {name: each for name, each in (whole | streams).items() if each is not None}

    def values(self) -> dict[str, Any]:
        """The rest, for JSON (which keeps every digit of a float)."""
        return {
            "step": self.step,
            "tokens_seen": self.tokens_seen,
            "spikes": self.spikes,
            "recent": list(self.watch.recent),
            "first": self.watch.first,
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take over what `tensors` and `values` gave; `tensors` is asked of the first rank only.

        Raises:
            BadData: they are another model's; nothing was changed.
        """
        weights = tensors_of(self.modules)
        stored = _under(tensors, "module.")
        if self.peers.is_first and _shapes(weights) != _shapes(stored):
            raise BadData("a checkpoint of other modules than this stage trains")
        with torch.no_grad():
            for name, tensor in weights.items():
                self.peers.spread(stored.get(name), tensor)
            self._restore_moments(_under(tensors, "optimiser."))
        self._restore_streams(_under(tensors, "random."))
        self.step = int(values["step"])
        self.tokens_seen = int(values["tokens_seen"])
        # Checkpoints did not always count them, and the stage that left one goes on from it.
        self.spikes = int(values.get("spikes", 0))
        self.watch = LossWatch(values["recent"], values.get("first", ()))

    def _restore_moments(self, stored: Mapping[str, Tensor]) -> None:
        parameters = [each for group in self.optimiser.param_groups for each in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for key, shape in self.peers.first_says(_shapes(stored)).items():
            index, name = key.split(".")
            parameter = parameters[int(index)].detach()
            # Sharded like its parameter, unless it is a mere count of steps.
            like = shape == parameter.shape
            into = torch.zeros_like(parameter) if like else torch.zeros(shape, device=self.device)
            self.peers.spread(stored.get(key), into)
            moments.setdefault(int(index), {})[name] = into
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def _streams(self) -> dict[str, Tensor]:
        """Where each rank's random streams stand: `random.cpu`, then `random.cpu.1`..."""
        mine = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            mine["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            f"random.{name}{_of_rank(rank)}": state
            for rank, states in enumerate(self.peers.gathered(mine))
            for name, state in states.items()
        }

    def _restore_streams(self, stored: Mapping[str, Tensor]) -> None:
        """Each rank its own; a rank that there was none of goes on with the stream it was given."""
        streams = self.peers.first_says(dict(stored))
        own = _of_rank(self.peers.rank)
        if f"cpu{own}" in streams:
            torch.set_rng_state(streams[f"cpu{own}"])
        if self.device.type == "cuda" and f"cuda{own}" in streams:
            torch.cuda.set_rng_state(streams[f"cuda{own}"], self.device)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _of_rank(rank: int) -> str:
    return f".{rank}" if rank else ""
