"""What the store remembers of a sweep: enough to show and to rebuild everything about its runs.

`<store>/sweeps/<name>/<hash>.yaml` is a sweep file that ran, `<hash>.json` its record: variants,
stages and their keys. Status, tracking, the score table and gc read records, never a live run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, JsonValue, ValidationError

from apollo_core.errors import BadInput
from apollo_core.frozen import Frozen
from apollo_core.redaction import redact
from apollo_core.stages.identity import EvaluateIdentity, PretrainIdentity, TrainIdentity
from orchestrator.files import write_atomically
from orchestrator.plan.feature_keys import all_feature_keys
from orchestrator.plan.plan import Plan, StageNode
from orchestrator.plan.weights import llm_reference
from orchestrator.store.store import Store

# The record of the version that ran last.
LATEST = "latest.json"


class StageRecord(Frozen):
    """One stage: its kind, what the sweep calls it, and role -> key of its parents.

    `part` is what a pretraining stage makes, as the sweep file names it (`micro:NAME`); `regimes`
    are those of an evaluation. `settings` is what the sweep decided for the stage, data sets by
    their place under the media's folder.
    """

    kind: str
    label: str
    parents: dict[str, str]
    part: str = ""
    regimes: tuple[str, ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class VariantRecord(Frozen):
    """One replicate; see `orchestrator.plan.plan.Variant`. `resolved` is the design as JSON.

    `llm` is the source of the scale's language model, with its revision.
    """

    id: str
    design: str
    levels: dict[str, str]
    scale: str
    scale_size: float
    seed: int
    resolved: dict[str, JsonValue]
    stages: tuple[str, ...]
    evaluations: dict[str, str]
    llm: str = ""


class SweepRecord(Frozen):
    """A planned sweep, as far as its results are concerned.

    `sets`: fingerprint of each data set that is trained on -> its name in the sweep file.
    `features`: keys of all features of frozen encoders that its stages may read.
    `data`: its folder of data in the store, "" where they lie elsewhere; None = not recorded.
    """

    name: str
    variants: tuple[VariantRecord, ...]
    stages: dict[str, StageRecord]
    sets: dict[str, str] = Field(default_factory=dict[str, str])
    features: tuple[str, ...] = ()
    data: str | None = None

    def label(self, key: str) -> str:
        """A stage's name for people: what it is, of which part or replicate, shared by how many."""
        users = [variant.id for variant in self.variants if key in variant.stages]
        return self._named(key, users)

    def labels(self) -> dict[str, str]:
        """The names of all stages; one look at the variants for all of them."""
        users: dict[str, list[str]] = {key: [] for key in self.stages}
        for variant in self.variants:
            for key in variant.stages:
                users[key].append(variant.id)
        return {key: self._named(key, found) for key, found in users.items()}

    def _named(self, key: str, users: list[str]) -> str:
        stage = self.stages[key]
        if stage.part or not users:
            return f"{stage.label} {stage.part}".rstrip()
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        return f"{stage.label} {users[0]}{more}"

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of its designs."""
        return tuple(dict.fromkeys(axis for each in self.variants for axis in each.levels))

    def only(self, identifiers: tuple[str, ...]) -> frozenset[str]:
        """Keys of the stages that these replicates need; of all of them where none is named."""
        wanted = identifiers or tuple(variant.id for variant in self.variants)
        found = [variant for variant in self.variants if variant.id in wanted]
        return frozenset(key for variant in found for key in variant.stages)

    def refers_to(self, key: str) -> bool:
        """Whether it needs a stage or features of this key, or this folder of data in the store."""
        return key in self.stages or key in self.features or key == self.data

    def variants_with(self, keys: Iterable[str]) -> list[str]:
        """Ids of the replicates that need one of these stages."""
        asked = set(keys)
        return [variant.id for variant in self.variants if asked.intersection(variant.stages)]


def record_of(plan: Plan) -> SweepRecord:
    """The record of a plan."""
    return SweepRecord(
        name=plan.name,
        variants=tuple(
            VariantRecord(
                id=variant.id,
                design=variant.design,
                levels=dict(variant.levels),
                scale=variant.scale,
                scale_size=variant.scale_size,
                seed=variant.seed,
                resolved=variant.resolved.model_dump(mode="json"),
                stages=variant.stages,
                evaluations=dict(variant.evaluations),
                llm=_llm(plan, variant.scale),
            )
            for variant in plan.variants
        ),
        stages={
            key: StageRecord(
                kind=node.kind,
                label=node.label,
                parents=dict(node.parents),
                part=_part(node),
                regimes=_regimes(node),
                settings=_settings(node, plan.media_root),
            )
            for key, node in plan.stages.items()
        },
        sets=_sets(plan),
        features=all_feature_keys(plan),
        data=_data(plan),
    )


def _data(plan: Plan) -> str:
    kept = plan.sweep.data.root is None or plan.sweep.data.is_remote
    return f"{plan.media_root.parent.name}/{plan.media_root.name}" if kept else ""


def _sets(plan: Plan) -> dict[str, str]:
    """Names by fingerprint; those of one manifest together."""
    manifests = {
        node.locations[fingerprint]: fingerprint
        for node in plan.stages.values()
        if isinstance(node.identity, TrainIdentity)
        for share in node.identity.data
        for fingerprint in share.sets
    }
    names: dict[str, list[str]] = {}
    for name, data in plan.sweep.data.sets.items():
        if fingerprint := manifests.get(str(plan.media_root / data.manifest)):
            names.setdefault(fingerprint, []).append(name)
    return {fingerprint: ", ".join(found) for fingerprint, found in names.items()}


def _part(node: StageNode) -> str:
    identity = node.identity
    if not isinstance(identity, PretrainIdentity):
        return ""
    return node.locations[identity.part.fingerprint]


def _regimes(node: StageNode) -> tuple[str, ...]:
    identity = node.identity
    return identity.regimes if isinstance(identity, EvaluateIdentity) else ()


def _llm(plan: Plan, scale: str) -> str:
    known = plan.sweep.scales[scale]
    reference = llm_reference(plan.sweep.models, known.llm, known.size)
    revision = f"@{reference.revision}" if reference.revision else ""
    return redact(reference.source + revision)


def _settings(node: StageNode, root: Path) -> dict[str, JsonValue]:
    identity = node.identity

    def place(fingerprint: str) -> str:
        path = Path(node.locations[fingerprint])
        return str(path.relative_to(root)) if path.is_relative_to(root) else path.name

    elsewhere = {"kind", "model", "part", "seed", "data", "corpus", "benchmark"}
    found: dict[str, JsonValue] = identity.model_dump(mode="json", exclude=elsewhere)
    if isinstance(identity, TrainIdentity):
        found["data"] = [
            f"{each.share:g}: {' + '.join(sorted(map(place, each.sets)))}" for each in identity.data
        ]
    elif isinstance(identity, EvaluateIdentity):
        found["data"] = place(identity.benchmark)
    elif isinstance(identity, PretrainIdentity):
        found["data"] = place(identity.corpus)
    return found


def sweep_folder(store: Store, name: str) -> Path:
    """Where the store keeps what it remembers of a sweep."""
    return store.root / "sweeps" / name


def register(store: Store, record: SweepRecord, source: str) -> Path:
    """Keep a sweep file that runs now, and its record; return the file's place."""
    folder = sweep_folder(store, record.name)
    folder.mkdir(parents=True, exist_ok=True)
    # Data can change under an unchanged file, and the keys with it: both are in the name.
    text = record.model_dump_json(indent=1)
    name = hashlib.sha256(f"{source}\0{text}".encode()).hexdigest()[:16]
    write_atomically(folder / f"{name}.yaml", source)
    write_atomically(folder / f"{name}.json", text)
    write_atomically(folder / LATEST, text)
    write_atomically(folder / f"{name}.ran", f"{time.time():.0f}\n", durable=False)
    return folder / f"{name}.yaml"


def registered(store: Store, name: str) -> SweepRecord:
    """The sweep of this name that ran last.

    Raises:
        BadInput: none did; names those that did.
    """
    path = sweep_folder(store, name) / LATEST
    if not path.is_file():
        ran = sorted(each.parent.name for each in (store.root / "sweeps").glob(f"*/{LATEST}"))
        known = ", ".join(ran) or "none"
        raise BadInput(f"no sweep {name!r} has run in the store {store.root}. Known: {known}.")
    return read_record(path)


def read_record(path: Path) -> SweepRecord:
    """A record as it lies in the store.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return SweepRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise BadInput(f"{path}: cannot be read as a sweep's record; remove it") from error
