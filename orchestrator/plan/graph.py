"""From designs to the stage graph: each variant's stages, each stage once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from apollo_core.catalogue import INTEGRATIONS, JOININGS, RESAMPLERS
from apollo_core.design import Design
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.microworld import parts
from apollo_core.stages.identity import (
    DataShare,
    EvaluateIdentity,
    ModelIdentity,
    Part,
    PretrainIdentity,
    Regime,
    StageIdentity,
    TrainIdentity,
)
from apollo_core.text.integration import FORMATS
from orchestrator.plan.data_sets import TRAINING, FileFormat, Manifest, find_manifest
from orchestrator.plan.designs import NamedDesign
from orchestrator.plan.plan import Plan, StageNode, Variant, stage_key
from orchestrator.plan.weights import (
    MICRO,
    PROVISIONAL,
    Reference,
    Weights,
    encoder_reference,
    find_weights,
    is_local,
    llm_reference,
)
from orchestrator.spec.merging import scale_schedule, stage_sampling
from orchestrator.spec.schedule_types import StageSpec
from orchestrator.spec.sweep_checks import EVALUATE, MIXTURE, PRETRAIN
from orchestrator.spec.sweep_file import checked_designs
from orchestrator.spec.sweep_types import Evaluation, Scale, Sweep

# Their order in every evaluation's key.
REGIMES: tuple[Regime, ...] = ("video", "shuffled", "center_frame", "text")

Locations = dict[str, str]
Found = TypeVar("Found", Manifest, Weights)


def build_plan(sweep: Sweep, *, store: Path) -> Plan:
    """Resolve a sweep into variants and stages; reads manifests and weights, writes nothing.

    Args:
        sweep: the checked file.
        store: where a generated world without a root of its own will lie.

    Raises:
        BadInput: the sweep's parts do not fit together.
    """
    designs = checked_designs(sweep)
    builder = _Builder(sweep, store)
    variants = tuple(
        builder.variant(named, name, scale, seed)
        for named in designs
        for name, scale in sweep.scales.items()
        for seed in sweep.seeds
    )
    used = Counter(key for variant in variants for key in variant.stages)
    return Plan(
        name=sweep.name,
        sweep=sweep,
        variants=variants,
        stages={key: replace(node, used_by=used[key]) for key, node in builder.stages.items()},
        media_root=sweep.data.folder(store),
        world=sweep.data.microworld,
        not_yet=_not_yet(sweep, designs),
        unpinned=tuple(sorted(builder.unpinned)),
    )


def _not_yet(sweep: Sweep, designs: tuple[NamedDesign, ...]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for design in (named.design for named in designs):
        missing = [
            *(e for e in design.encoders if not encoder_reference(sweep.models, e).built),
            *([] if RESAMPLERS[design.resampler.kind] else [design.resampler.kind]),
            *([] if INTEGRATIONS[design.integration] else [design.integration]),
            *([] if JOININGS[design.joining] else [design.joining]),
        ]
        names.update(dict.fromkeys(missing))
    return tuple(names)


@dataclass(frozen=True)
class _Model:
    """A variant's model: identity, places, and the stage that its language model comes from."""

    identity: ModelIdentity
    locations: Locations
    parents: Mapping[str, str]


@dataclass(frozen=True)
class _Replicate:
    """What every stage of one replicate depends on."""

    design: Design
    scale: Scale
    model: _Model
    seed: int


@dataclass
class _Builder:
    """Collects stages; looks each manifest and each set of weights up once."""

    sweep: Sweep
    store: Path
    stages: dict[str, StageNode] = field(default_factory=dict[str, StageNode])
    unpinned: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        folder = self.sweep.data.folder(self.store)

        def manifest(name: str, form: FileFormat) -> Manifest:
            return find_manifest(self.sweep.data, name, folder, form)

        self._manifest = cache(manifest)
        self._weights = cache(find_weights)

    def variant(self, named: NamedDesign, name: str, scale: Scale, seed: int) -> Variant:
        design = named.design
        model = self._model(design, scale)
        replicate = _Replicate(design, scale, model, seed)
        steps = {_pretrain_name(role): key for role, key in model.parents.items()}
        previous: dict[str, str] = {}
        for spec in scale_schedule(self.sweep, scale, design.schedule):
            key = self._train(spec, replicate, previous)
            previous = {"previous": key}
            steps[spec.stage] = key
        evaluations = {
            entry.metric: self._evaluate(entry, replicate, previous)
            for entry in self.sweep.evaluation
        }
        return Variant(
            id=f"{named.id}@{name}#{seed}",
            design=named.id,
            levels=named.levels,
            scale=name,
            scale_size=scale.size,
            seed=seed,
            resolved=design,
            steps=steps,
            evaluations=evaluations,
        )

    def _model(self, design: Design, scale: Scale) -> _Model:
        locations: Locations = {}
        encoders: list[Part] = []
        for name in design.encoders:
            reference = encoder_reference(self.sweep.models, name)
            weights = self._pinned(self._weights(reference), _named(name, reference))
            locations[weights.fingerprint] = weights.location
            encoders.append(Part(family=reference.family, fingerprint=weights.fingerprint))
        reference = llm_reference(self.sweep.models, scale.llm, scale.size)
        weights = self._pinned(self._weights(reference), _named(scale.llm, reference))
        locations[weights.fingerprint] = weights.location
        llm = Part(family=reference.family, fingerprint=weights.fingerprint)
        identity = ModelIdentity(
            encoders=tuple(encoders),
            llm=llm,
            resampler=design.resampler,
            frames_per_clip=design.sampling.frames_per_clip,
            integration=design.integration,
            joining=design.joining,
            memory=design.memory,
            integration_version=FORMATS[design.integration].version,
        )
        parents = {
            role: key
            for role, part in (
                *((f"encoder:{index}", part) for index, part in enumerate(encoders)),
                ("llm", llm),
            )
            if (key := self._pretrain(part, locations[part.fingerprint], scale)) is not None
        }
        return _Model(identity, locations, parents)

    def _pretrain(self, part: Part, location: str, scale: Scale) -> str | None:
        """The stage that a microworld part learns in; None where it has none."""
        if not location.startswith(MICRO):
            return None
        micro = parts.find(location.removeprefix(MICRO), part.family)
        learns_from = self.sweep.data.pretraining.by_modality().get(micro.learns_from)
        if learns_from is None:
            return None
        corpus = self._set(learns_from)
        recipe = micro.pretraining
        identity = PretrainIdentity(
            part=part,
            corpus=corpus.fingerprint,
            seed=self.sweep.pretraining_seed,
            samples=self.sweep.data.pretraining.samples or recipe.samples,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            precision=self.sweep.execution.precision,
        )
        locations = {
            part.fingerprint: location,
            corpus.fingerprint: corpus.location,
            **corpus.without,
        }
        return self._add(identity, PRETRAIN, {}, locations, scale)

    def _train(self, spec: StageSpec, replicate: _Replicate, previous: Mapping[str, str]) -> str:
        design, model = replicate.design, replicate.model
        shares, places = self._shares(spec, design)
        identity = TrainIdentity(
            model=model.identity,
            seed=replicate.seed,
            sampling=stage_sampling(spec.sampling, design, self.sweep.base.sampling),
            lr=spec.lr,
            data=shares,
            samples=spec.samples,
            batch_size=spec.batch_size,
            warmup=spec.warmup,
            weight_decay=spec.weight_decay,
            clip_norm=spec.clip_norm,
            exhausted=spec.exhausted,
            bad_media=self.sweep.data.skips_bad_media,
            most_skipped=self.sweep.data.most_skipped,
            precision=self.sweep.execution.precision,
            decoder=self.sweep.data.decoder,
        )
        parents = {**model.parents, **previous}
        locations = {**model.locations, **places}
        return self._add(identity, spec.stage, parents, locations, replicate.scale)

    def _evaluate(
        self, entry: Evaluation, replicate: _Replicate, previous: Mapping[str, str]
    ) -> str:
        design, model = replicate.design, replicate.model
        manifest = self._found(entry.manifest, entry.format)
        identity = EvaluateIdentity(
            model=model.identity,
            seed=replicate.seed,
            sampling=stage_sampling(entry.sampling, design, self.sweep.base.sampling),
            benchmark=manifest.fingerprint,
            regimes=_in_order(entry.regimes),
            scoring=entry.scoring,
            prompt=entry.full_prompt,
            rotations=entry.rotations,
            bad_media=self.sweep.data.skips_bad_media,
            precision=self.sweep.execution.precision,
            format=manifest.form,
            decoder=self.sweep.data.decoder,
        )
        locations = {**model.locations, manifest.fingerprint: manifest.location}
        parents = {**model.parents, **previous}
        return self._add(identity, EVALUATE, parents, locations, replicate.scale)

    def _shares(self, spec: StageSpec, design: Design) -> tuple[tuple[DataShare, ...], Locations]:
        """The data that a stage draws from: only that, so that other data cannot change its key."""
        mixture = design.mixture
        if spec.data != MIXTURE:
            wanted = [(100.0, ((1.0, (spec.data,)),))]
        elif isinstance(mixture, str):
            wanted = [(100.0, ((1.0, (mixture,)),))]
        else:
            sets = self.sweep.data.mixture
            wanted = [(share, sets.sources(name)) for name, share in mixture.shares().items()]
        locations: Locations = {}
        shares: list[DataShare] = []
        for share, sources in wanted:
            own: list[DataShare] = []
            for part, names in sources:
                manifests = [self._set(name) for name in names] if share > 0 else []
                locations.update({each.fingerprint: each.location for each in manifests})
                for each in manifests:
                    locations.update(each.without)
                fingerprints = tuple(sorted(each.fingerprint for each in manifests))
                own.append(DataShare(share=share * part, sets=fingerprints))
            # Sorted as the sets are: the order in which the file lists them is no choice.
            shares += sorted(own, key=lambda each: each.sets)
        return tuple(share for share in shares if share.share > 0), locations

    def _set(self, name: str) -> Manifest:
        return self._found(self.sweep.data.sets[name].manifest)

    def _found(self, manifest: str, form: FileFormat = TRAINING) -> Manifest:
        found = self._manifest(manifest, form)
        return self._pinned(found, found.lacks or f"{self.sweep.data.root}/{manifest}")

    def _pinned(self, found: Found, what: str) -> Found:
        if found.provisional:
            self.unpinned.add(what)
        return found

    def _add(
        self,
        identity: StageIdentity,
        label: str,
        parents: Mapping[str, str],
        locations: Locations,
        scale: Scale,
    ) -> str:
        key = stage_key(identity, parents)
        known = self.stages.get(key)
        provisional = any(name.startswith(PROVISIONAL) for name in locations) or any(
            self.stages[parent].provisional for parent in parents.values()
        )
        # Parts of the microworld are too small to share.
        ranks = 1 if identity.kind == "pretrain" else scale.resources.ranks
        self.stages[key] = StageNode(
            key=key,
            kind=identity.kind,
            label=known.label if known else label,
            identity=identity,
            parents=dict(parents),
            locations=known.locations if known else locations,
            used_by=0,
            provisional=provisional,
            gpus=max(scale.resources.gpus, known.gpus if known else 0),
            cpus=max(scale.resources.cpus, ranks, known.cpus if known else 1),
            processes=max(ranks, known.processes if known else 1),
        )
        return key


def _in_order(regimes: tuple[Regime, ...]) -> tuple[Regime, ...]:
    """The order in which the file lists them is no choice."""
    return tuple(each for each in REGIMES if each in regimes)


def _pretrain_name(role: str) -> str:
    return PRETRAIN if role == "llm" else f"{PRETRAIN} {role}"


def _named(name: str, reference: Reference[VisionGeometry] | Reference[LlmGeometry]) -> str:
    """A part and its source, in words."""
    revision = "" if is_local(reference.source) else f"@{reference.revision}"
    return f"{name}: {reference.source}{revision}"
