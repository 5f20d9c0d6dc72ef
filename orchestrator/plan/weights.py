"""From a name in the sweep file to the weights it means, and to their fingerprint."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from apollo_core.catalogue import ENCODER_FAMILIES, ENCODERS, LLMS
from apollo_core.encoders.checkpoint_files import (
    OWN_FAMILIES,
    config_file,
    is_read,
    weights_file,
    weights_files,
)
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.microworld import parts
from orchestrator.spec.data_types import expand
from orchestrator.spec.problems import nearest
from orchestrator.spec.sweep_types import ModelSource

MICRO = "micro:"
LLM_FAMILY = "causal-lm"
PROVISIONAL = "provisional:"

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")

Geometry = TypeVar("Geometry", VisionGeometry, LlmGeometry)


@dataclass(frozen=True)
class Reference(Generic[Geometry]):
    """What a name in a sweep file stands for.

    Attributes:
        source: hub id, path as written, or `micro:NAME`.
        revision: commit or branch of a hub id.
        family: adapter that builds it.
        geometry: its size, for the cost; of the nearest known model where it is not known.
        built: whether the adapter exists.
    """

    source: str
    revision: str
    family: str
    geometry: Geometry
    built: bool = True


@dataclass(frozen=True)
class Weights:
    """A fingerprint and where the weights lie, as `StageContext.locations` writes it."""

    fingerprint: str
    location: str

    @property
    def provisional(self) -> bool:
        """Whether the content is not known here yet."""
        return self.fingerprint.startswith(PROVISIONAL)


def encoder_reference(models: Mapping[str, ModelSource], name: str) -> Reference[VisionGeometry]:
    """What an encoder's name means: an entry of `models`, then of the catalogue.

    Raises:
        ValueError: unknown, with the nearest name.
    """
    known = ENCODERS.get(name)
    if name not in models:
        if known is None:
            raise ValueError(f"unknown encoder {name!r}{nearest(name, _encoders(models))}")
        return Reference(known.source, "main", known.family, known.geometry, known.built)
    given = models[name]
    if given.source.startswith(MICRO):
        micro = given.source.removeprefix(MICRO)
        if micro not in parts.ENCODERS:
            raise ValueError(
                f"unknown microworld encoder {given.source!r}{nearest(micro, [*parts.ENCODERS])}"
            )
        part = parts.ENCODERS[micro]
        return Reference(given.source, "", part.family, part.geometry)
    family = given.family or (known.family if known else None)
    if family is None:
        raise ValueError(
            f"models.{name} needs `family`, as the catalogue does not know the name"
            f"{nearest(name, [*ENCODER_FAMILIES])}"
        )
    if family not in ENCODER_FAMILIES:
        raise ValueError(f"unknown family {family!r}{nearest(family, [*ENCODER_FAMILIES])}")
    geometry = known or next(entry for entry in ENCODERS.values() if entry.family == family)
    return Reference(
        given.source,
        given.revision or "main",
        family,
        geometry.geometry,
        ENCODER_FAMILIES[family],
    )


def llm_reference(
    models: Mapping[str, ModelSource], name: str, size: float
) -> Reference[LlmGeometry]:
    """What a language model's name means: an entry of `models`, else a source itself.

    Raises:
        ValueError: neither, with the nearest name.
    """
    given = models.get(name) or ModelSource(source=name)
    source = given.source
    if source.startswith(MICRO):
        micro = source.removeprefix(MICRO)
        if micro not in parts.LLMS:
            raise ValueError(
                f"unknown microworld language model {source!r}{nearest(micro, [*parts.LLMS])}"
            )
        return Reference(source, "", LLM_FAMILY, parts.LLMS[micro].geometry)
    if not is_local(source) and not _HUB_ID.fullmatch(source):
        known = [*(set(models) - set(_encoders(models))), *LLMS]
        raise ValueError(f"unknown language model {source!r}{nearest(source, known)}")
    return Reference(source, given.revision or "main", LLM_FAMILY, _llm_geometry(source, size))


def _encoders(models: Mapping[str, ModelSource]) -> list[str]:
    """Names that stand for encoders: the catalogue's, and those of `models` that can be one."""
    own = [
        name
        for name, given in models.items()
        if given.family is not None
        or (given.source.startswith(MICRO) and given.source.removeprefix(MICRO) in parts.ENCODERS)
    ]
    return [*own, *ENCODERS]


def source_problem(source: str) -> str | None:
    """Why `source` is none of hub id, local path, `micro:NAME`; None if it is one."""
    if source.startswith(MICRO) or is_local(source) or _HUB_ID.fullmatch(source):
        return None
    return (
        f"{source!r} is no source: give a hub id `org/name`, a local path (starts with `/`, `.`, "
        "`~` or `$`), or `micro:NAME`"
    )


def is_local(source: str) -> bool:
    """Whether a source is a path."""
    return source[0] in "/.~$"


def _llm_geometry(source: str, size: float) -> LlmGeometry:
    """The published size, or that of the known model nearest to `size` billions of parameters."""
    if source in LLMS:
        return LLMS[source]
    return min(LLMS.values(), key=lambda known: abs(math.log(known.parameters / (size * 1e9))))


def find_weights(reference: Reference[VisionGeometry] | Reference[LlmGeometry]) -> Weights:
    """Fingerprint and place of the weights, from this machine alone.

    Provisional where nothing here fixes the content: a branch that the Hugging Face cache does not
    hold, or a path that is absent.

    Raises:
        BadInput: a folder in which several files could be the weights.
    """
    source, revision = reference.source, reference.revision
    if source.startswith(MICRO):
        return Weights(f"{source}@{parts.PARTS_VERSION}", source)
    if is_local(source):
        return local_weights(source, reference.family)
    commit = revision if _COMMIT.fullmatch(revision) else _cached_commit(source, revision)
    if commit is None:
        return Weights(f"{PROVISIONAL}hub:{source}@{revision}", f"{source}@{revision}")
    return Weights(f"hub:{source}@{commit}", f"{source}@{commit}")


def local_weights(source: str, family: str) -> Weights:
    """Fingerprint and place of weights in a local folder; provisional where it is absent."""
    path = expand(source).absolute()
    found = _local_digest(path, family)
    return Weights(f"local:{found}" if found else f"{PROVISIONAL}local:{source}", str(path))


def _cached_commit(source: str, revision: str) -> str | None:
    """The commit that the local Hugging Face cache has for a branch; never asks the network."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    cache = expand(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")
    reference = cache / f"models--{source.replace('/', '--')}" / "refs" / revision
    try:
        commit = reference.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _local_digest(path: Path, family: str) -> str | None:
    """sha256 over names and contents of what a model is read from; None if nothing is there.

    Only what the family reads counts. Transformers' families read no pickles, so that what torch
    saved beside their safetensors is no part of them; the families built here read one file of
    weights, of either kind, and the config beside it.
    """
    files = _own_files(path) if family in OWN_FAMILIES else _folder_files(path, family)
    if not files:
        return None
    folder = path.parent if path.is_file() else path
    whole = hashlib.sha256()
    for file in files:
        status = file.stat()
        content = _file_digest(file, status.st_size, status.st_mtime_ns)
        whole.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def _folder_files(folder: Path, family: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.rglob("*") if is_read(file, family) and file.is_file())


def _own_files(path: Path) -> list[Path]:
    if not weights_files(path):
        return []
    weights = weights_file(path)
    config = config_file(weights)
    return [weights, config] if config.is_file() else [weights]


# Weights of one architecture differ in nothing but their content, so all of it is hashed; once a
# process for a file that has not changed.
@lru_cache(maxsize=4096)
def _file_digest(file: Path, size: int, mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
