"""Weights of modules as safetensors: saved without repeats, loaded exactly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from apollo_core.errors import BadData


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and stored buffers by name; a tensor tied to an earlier one is left out."""
    own: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            own[name] = tensor
    return own


def save_modules(modules: Mapping[str, nn.Module], path: Path) -> None:
    """Write the tensors of `modules`, each named `MODULE.TENSOR`."""
    save_tensors(tensors_of(modules), path)


def tensors_of(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """The own tensors of modules, each named `MODULE.TENSOR`."""
    return {
        f"{name}.{key}": tensor
        for name, module in modules.items()
        for key, tensor in own_tensors(module).items()
    }


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors of any device."""
    save_file({name: each.detach().cpu().contiguous() for name, each in tensors.items()}, path)


def load_modules(modules: Mapping[str, nn.Module], path: Path) -> None:
    """Overwrite the tensors of `modules` with those in `path`.

    Raises:
        BadData: no such file, a damaged one, or one whose names and shapes are not exactly those of
            `modules`, which are then as they were.
    """
    stored = _read(path)
    own = tensors_of(modules)
    missing, extra = sorted(own.keys() - stored.keys()), sorted(stored.keys() - own.keys())
    if missing or extra:
        raise BadData(
            f"{path}: not the weights of {', '.join(modules)}: {len(missing)} missing "
            f"{missing[:3]}, {len(extra)} left over {extra[:3]}"
        )
    for name, tensor in own.items():
        if tensor.shape != stored[name].shape:
            raise BadData(
                f"{path}: {name} has shape {tuple(stored[name].shape)}, "
                f"the model needs {tuple(tensor.shape)}"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(stored[name])


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise BadData(f"{path}: there is no such file of weights") from None
    except SafetensorError as error:
        raise BadData(f"{path}: not a whole safetensors file: {error}") from None
