"""Checkpoints of the encoders built here: read as published, and taken whole or not at all."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from torch import Tensor, nn

from apollo_core.encoders.checkpoint_files import config_file, endings, weights_file
from apollo_core.encoders.finite import refuse_not_finite
from apollo_core.errors import BadData


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, as a model here names them.

    Attributes:
        origin: where they come from, for messages.
        tensors: them.
        config: the `config.json` beside them; empty if there is none.
    """

    origin: str
    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """The shape of a tensor, from which sizes are read.

        Raises:
            BadData: it is not there, or has another number of axes.
        """
        if name not in self.tensors:
            raise BadData(f"{self.origin}: lacks the tensor {name}")
        shape = tuple(self.tensors[name].shape)
        if len(shape) != axes:
            raise BadData(f"{self.origin}: {name} has shape {shape}; {axes} axes are expected")
        return shape

    def count(self, stem: str) -> int:
        """How many layers `STEM.0`, `STEM.1`, ... there are."""
        numbered = re.compile(rf"{re.escape(stem)}\.(\d+)\.")
        found = {int(match[1]) for name in self.tensors if (match := numbered.match(name))}
        return max(found) + 1 if found else 0

    def number(self, name: str, known: int | None) -> int:
        """A size that no tensor's shape tells: as the config says, else `known`.

        Raises:
            BadData: neither does, or what the config says is no positive number.
        """
        value = self.config.get(name, known)
        if type(value) is int and value > 0:
            return value
        raise BadData(
            f"{self.origin}: the tensors don't tell {name} (config.json beside them says "
            f"{self.config.get(name)!r}); write it there as a positive number"
        )

    def with_tensor(self, name: str, tensor: Tensor) -> Checkpoint:
        """The same with one tensor replaced."""
        return replace(self, tensors={**self.tensors, name: tensor})


def read(
    source: str, *, revision: str, family: str, entries: Sequence[str], prefixes: Sequence[str]
) -> Checkpoint:
    """Read a checkpoint from a folder, a file, or a repository on the hub.

    Args:
        source: hub id, folder or file.
        revision: commit or branch of a hub id.
        family: one of `OWN_FAMILIES`, which says what to fetch.
        entries: where a file holds more than tensors: which of its entries is meant, by preference.
        prefixes: what training put before the tensors' names; stripped as often as it is there.

    Raises:
        BadData: no weights, damaged ones, or a file that holds more than tensors.
        BadInput: several files of weights.
    """
    path = weights_file(_local(source, revision, family))
    tensors = _entry(_content(path), entries, path)
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = _stripped(name, prefixes)
        if short in named:
            raise BadData(f"{path}: two tensors are both {short} without {', '.join(prefixes)}")
        named[short] = tensor
    return Checkpoint(str(path), named, _config(path))


def fill(model: nn.Module, checkpoint: Checkpoint, *, left_out: Sequence[str] = ()) -> None:
    """Give `model` the checkpoint's tensors, in float32: small steps would round to nothing.

    The model may lie on the meta device: its tensors are replaced, not written to.

    Args:
        left_out: tensors or modules that the checkpoint may have beyond the model: nothing else.

    Raises:
        BadData: a tensor is lacking, unknown, of another shape or not finite; the model is as it
            was.
    """
    own = model.state_dict()
    tensors = checkpoint.tensors
    problems = [
        *_listed("lacking", own.keys() - tensors.keys()),
        *_listed("unknown", {n for n in tensors.keys() - own.keys() if not _within(n, left_out)}),
        *(
            f"{name} has shape {tuple(tensors[name].shape)}, the model needs {tuple(mine.shape)}"
            for name, mine in own.items()
            if name in tensors and tensors[name].shape != mine.shape
        ),
    ]
    if problems:
        kind = type(model).__name__
        raise BadData(
            f"{checkpoint.origin}: not the weights of a {kind}: {'; '.join(problems[:4])}"
        )
    taken = {name: tensors[name].to(torch.float32, copy=True).contiguous() for name in own}
    refuse_not_finite(checkpoint.origin, taken)
    model.load_state_dict(taken, strict=True, assign=True)


def _listed(what: str, names: set[str]) -> list[str]:
    """`["3 lacking (a, b, c)"]`, or nothing."""
    return [f"{len(names)} {what} ({', '.join(sorted(names)[:3])})"] if names else []


def _within(name: str, modules: Sequence[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _stripped(name: str, prefixes: Sequence[str]) -> str:
    while found := next((prefix for prefix in prefixes if name.startswith(prefix)), None):
        name = name.removeprefix(found)
    return name


def _local(source: str, revision: str, family: str) -> Path:
    """`source` on this machine; of a repository on the hub only what is read from is fetched."""
    path = Path(source)
    if path.is_absolute() or path.exists():
        return path
    wanted = [f"*{ending}" for ending in endings(family)]
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise BadData(f"{source}@{revision}: cannot be fetched: {error}") from error


def _content(path: Path) -> Any:
    """What a file holds. Of a pickle only tensors and plain containers: it can't run code."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Mapped, since an optimiser's state, which is not read, is twice the model's size.
        mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    # Whatever comes first: from damaged bytes an unpickler raises struct.error, IndexError,
    # UnicodeDecodeError, KeyError, ...
    except Exception as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign:
            raise BadData(
                f"{path}: holds more than tensors ({foreign[1]}), which could run code and is "
                "never opened; save its tensors as safetensors where you trust it"
            ) from None
        reason = str(error).strip().partition("\n")[0]
        raise BadData(
            f"{path}: not a whole checkpoint, fetch it again: {type(error).__name__}: {reason}"
        ) from None


def _entry(content: Any, entries: Sequence[str], path: Path) -> Mapping[str, Tensor]:
    """The mapping of tensors that is meant: the file's own, or the first entry that it has."""
    if not isinstance(content, Mapping):
        raise BadData(f"{path}: holds a {type(content).__name__}, not tensors by name")
    meant = next((content[entry] for entry in entries if entry in content), content)
    if not isinstance(meant, Mapping) or not all(isinstance(x, Tensor) for x in meant.values()):
        raise BadData(
            f"{path}: has no tensors by name, by itself or under {' or '.join(entries)}; "
            f"it has {', '.join(sorted(map(str, content))[:8])}"
        )
    return meant


def _config(weights: Path) -> Mapping[str, Any]:
    path = config_file(weights)
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"{path}: not a JSON document: {error}") from error
    if not isinstance(config, dict):
        raise BadData(f"{path}: is {type(config).__name__}, not an object with names")
    return config
