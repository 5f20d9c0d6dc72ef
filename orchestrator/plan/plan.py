"""A planned sweep: variants, and the stages that they share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from apollo_core.design import Design
from apollo_core.errors import BadInput, DataMissing
from apollo_core.frozen import Frozen
from apollo_core.microworld.spec import WorldSpec
from apollo_core.stages.identity import STAGE_VERSIONS, StageIdentity
from orchestrator.canonical import digest
from orchestrator.spec.problems import nearest
from orchestrator.spec.sweep_types import Sweep


@dataclass(frozen=True)
class StageNode:
    """One stage, shared by every variant that needs its key.

    Attributes:
        key: sha256 of `payload`.
        kind: `pretrain`, `train` or `evaluate`.
        label: what the sweep file calls it: a schedule's stage name, or the kind.
        identity: what can change its result.
        parents: role -> key (`llm`, `previous`).
        locations: fingerprint -> where it lies.
        used_by: variants that need it.
        provisional: whether the key will change once all data and weights are at hand.
        gpus, cpus: what it holds while it runs.
        processes: how many run it together.
    """

    key: str
    kind: str
    label: str
    identity: StageIdentity
    parents: Mapping[str, str]
    locations: Mapping[str, str]
    used_by: int
    provisional: bool
    gpus: float
    cpus: int
    processes: int

    @property
    def payload(self) -> dict[str, object]:
        """What the key hashes."""
        return stage_payload(self.identity, self.parents)


@dataclass(frozen=True)
class Variant:
    """A design at a scale with a seed.

    Attributes:
        id: `DESIGN@SCALE#SEED`; looked up, never parsed.
        design: the design's id.
        levels: axis -> level, `base` on the axes that it leaves alone.
        scale, scale_size: name, and billions of parameters.
        seed: of the replicate.
        resolved: the complete design.
        steps: name of each stage before evaluation (`pretrain`, then the schedule's) -> key.
        evaluations: first part of a metric's name -> key of its stage.
    """

    id: str
    design: str
    levels: Mapping[str, str]
    scale: str
    scale_size: float
    seed: int
    resolved: Design
    steps: Mapping[str, str]
    evaluations: Mapping[str, str]

    @property
    def stages(self) -> tuple[str, ...]:
        """Keys of all stages in order, each once."""
        return tuple(dict.fromkeys([*self.steps.values(), *self.evaluations.values()]))


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs to know before it starts.

    Attributes:
        name: of the sweep.
        sweep: the checked file.
        variants: in the file's order.
        stages: key -> stage, parents before children.
        media_root: folder of manifests and media.
        world: the microworld to generate into `media_root` first, if any.
        not_yet: names that are known but not built.
        unpinned: sources whose content is not known here; their stages are provisional.
    """

    name: str
    sweep: Sweep
    variants: tuple[Variant, ...]
    stages: Mapping[str, StageNode]
    media_root: Path
    world: WorldSpec | None
    not_yet: tuple[str, ...]
    unpinned: tuple[str, ...]

    @cached_property
    def modalities(self) -> Mapping[str, str]:
        """Manifest's path -> modality, from the set itself or from where the mixture lists it."""
        data = self.sweep.data
        listed = {name: m for m, names in data.mixture.by_modality().items() for name in names}
        return {
            str(self.media_root / entry.manifest): entry.modality or listed.get(name, "video")
            for name, entry in data.sets.items()
        }

    @property
    def provisional(self) -> bool:
        """Whether some key is not final."""
        return bool(self.unpinned)

    def variant(self, identifier: str) -> Variant:
        """Look a variant up by its id.

        Raises:
            BadInput: there is none, with the nearest ids.
        """
        variants = {each.id: each for each in self.variants}
        if identifier not in variants:
            hint = nearest(identifier, list(variants))
            raise BadInput(f"variant id: unknown value {identifier!r}{hint}.")
        return variants[identifier]

    def chain(self, key: str) -> tuple[str, ...]:
        """Keys of all training stages before `key` in its variant, oldest first."""
        before: list[str] = []
        current = self.stages[key].parents.get("previous")
        while current is not None:
            before.append(current)
            current = self.stages[current].parents.get("previous")
        return tuple(reversed(before))

    def require_runnable(self) -> None:
        """Refuse to run what is not built or not pinned.

        Raises:
            BadInput: names that are not built yet.
            DataMissing: data or weights that are not at hand or not pinned.
        """
        text = "\n".join(self._obstacles())
        if self.not_yet:
            raise BadInput(text)
        if text:
            raise DataMissing(text)

    def _obstacles(self) -> Iterator[str]:
        if self.not_yet:
            yield (
                f"{self.name}: not yet built: {', '.join(self.not_yet)}. Such a sweep can be "
                "planned; to run, take these out of the sweep file."
            )
        if self.unpinned:
            yield f"{self.name}: not at hand, or not pinned to one content:"
            yield from (f"  {source}" for source in self.unpinned)
            yield (
                "Put manifests, media and local weights where the file says; give a hub model a "
                "`revision` of 40 hexadecimal digits, or download its branch first."
            )
        for name in sorted(_unset_variables(self.sweep)):
            yield f"{self.name}: the environment variable {name} is not set."


def stage_payload(identity: Frozen, parents: Mapping[str, str]) -> dict[str, object]:
    """What a stage key hashes; a field that equals its default is left out."""
    kind: str = getattr(identity, "kind")  # noqa: B009 - each member of the union has it
    return {
        "kind": kind,
        "version": STAGE_VERSIONS[kind],
        "identity": identity.model_dump(exclude_defaults=True),
        "parents": dict(parents),
    }


def stage_key(identity: Frozen, parents: Mapping[str, str]) -> str:
    """sha256 over the payload's canonical JSON."""
    return digest(stage_payload(identity, parents))


def _unset_variables(sweep: Sweep) -> set[str]:
    paths = [sweep.data.root or "", *(model.source for model in sweep.models.values())]
    names = re.findall(r"\$\{?(\w+)\}?", " ".join(paths))
    return {name for name in names if name not in os.environ}
