"""All that the next step of a training stage depends on, as named tensors and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from apollo_core.errors import BadData
from apollo_core.training.loss_spikes import LossWatch
from apollo_core.weights import own_tensors


@dataclass
class TrainingState:
    """A stage between two steps.

    Attributes:
        modules: those that it trains.
        optimiser: over their parameters.
        device: whose random streams it draws from, beside the CPU's.
        step: steps done.
        tokens_seen: positions that went through the language model so far.
        spikes: of the loss so far.
        watch: the losses of late.
    """

    modules: Mapping[str, nn.Module]
    optimiser: Optimizer
    device: torch.device
    step: int = 0
    tokens_seen: int = 0
    spikes: int = 0
    watch: LossWatch = field(default_factory=LossWatch)

    def tensors(self) -> dict[str, Tensor]:
        """Weights, moments of the optimiser, and where the random streams stand."""
        found = {f"module.{name}": tensor.detach() for name, tensor in self._weights().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{index}.{name}": moment for name, moment in moments.items()}
        found["random.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            found["random.cuda"] = torch.cuda.get_rng_state(self.device)
        return found

    def values(self) -> dict[str, Any]:
        """The rest, for JSON (which keeps every digit of a float)."""
        return {
            "step": self.step,
            "tokens_seen": self.tokens_seen,
            "spikes": self.spikes,
            "recent": list(self.watch.recent),
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Take over what `tensors` and `values` gave.

        Raises:
            BadData: they are another model's; nothing was changed.
        """
        weights = self._weights()
        stored = _under(tensors, "module.")
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in stored.items()}:
            raise BadData("a checkpoint of other modules than this stage trains")
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(stored[name])
        self._restore_moments(_under(tensors, "optimiser."))
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
        self.step = int(values["step"])
        self.tokens_seen = int(values["tokens_seen"])
        # Checkpoints did not always count them, and the stage that left one goes on from it.
        self.spikes = int(values.get("spikes", 0))
        self.watch = LossWatch(values["recent"])

    def _restore_moments(self, stored: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in stored.items():
            index, name = key.split(".")
            moments.setdefault(int(index), {})[name] = tensor
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": tensor
            for name, module in self.modules.items()
            for key, tensor in own_tensors(module).items()
        }


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
