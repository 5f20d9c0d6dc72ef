"""What values of a sweep file must be to each other: names exist, shares have data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pydantic import ValidationError

from apollo_core.design import Mixture
from apollo_core.geometry import VisionGeometry
from orchestrator.plan.data_sets import WORLD_MANIFESTS
from orchestrator.plan.designs import NamedDesign, origin
from orchestrator.plan.weights import MICRO, encoder_reference, llm_reference, source_problem
from orchestrator.spec.merging import scale_schedule, stage_sampling
from orchestrator.spec.problems import Problem, nearest
from orchestrator.spec.schedule_types import PartialSampling, PresetSchedule
from orchestrator.spec.sweep_types import Sweep
from orchestrator.spec.yaml_reading import KeyPath

MIXTURE = "mixture"
PRETRAIN, EVALUATE = "pretrain", "evaluate"


def check(sweep: Sweep, designs: tuple[NamedDesign, ...]) -> list[Problem]:
    """Everything that is wrong between the parts of a sweep, each thing once."""
    found = [
        *_models(sweep),
        *_data(sweep),
        *_schedules(sweep),
        *_scales(sweep),
        *_evaluation(sweep),
        *(problem for design in designs for problem in _design(sweep, design)),
    ]
    found = list(dict.fromkeys(found))
    # Merging samplings needs every name above to be right.
    return found or list(_samplings(sweep, designs))


def _unknown(where: KeyPath, kind: str, name: str, known: list[str]) -> Iterator[Problem]:
    if name not in known:
        yield Problem(where, f"unknown {kind} {name!r}{nearest(name, known)}")


def _models(sweep: Sweep) -> Iterator[Problem]:
    for name, model in sweep.models.items():
        text = source_problem(model.source)
        if text:
            yield Problem(("models", name, "source"), text)


def _data(sweep: Sweep) -> Iterator[Problem]:
    data = sweep.data
    for modality, sets in data.mixture.by_modality().items():
        for index, name in enumerate(sets):
            weighted = isinstance(getattr(data.mixture, modality), dict)
            here: KeyPath = ("data", "mixture", modality, name if weighted else index)
            yield from _unknown(here, "data set", name, list(data.sets))
            own = data.sets[name].modality if name in data.sets else None
            if own not in (None, modality):
                yield Problem(here, f"the set {name!r} is of modality {own}, not {modality}")
    for modality, name in data.pretraining.by_modality().items():
        yield from _unknown(("data", "pretraining", modality), "data set", name, list(data.sets))
    if data.microworld is not None:
        for name, entry in data.sets.items():
            here = ("data", "sets", name, "manifest")
            yield from _unknown(here, "microworld manifest", entry.manifest, [*WORLD_MANIFESTS])


def _schedules(sweep: Sweep) -> Iterator[Problem]:
    for name in sweep.schedules:
        stages = sweep.stages(name)
        labels = [stage.stage for stage in stages]
        for index, stage in enumerate(stages):
            here = _stage(sweep, name, index)
            if labels.index(stage.stage) != index:
                yield Problem((*here, "stage"), f"a duplicate stage name {stage.stage!r}")
            if stage.stage in (PRETRAIN, EVALUATE):
                yield Problem(
                    (*here, "stage"), f"{stage.stage!r} is the name of another kind of stage"
                )
            yield from _unknown(
                (*here, "data"), "data set", stage.data, [*sweep.data.sets, MIXTURE]
            )
            if not stage.lr.trained():
                yield Problem((*here, "lr"), "no rate above 0: the stage would train nothing")


def _stage(sweep: Sweep, schedule: str, index: int) -> KeyPath:
    """Where the file speaks of a schedule's stage."""
    if isinstance(sweep.schedules[schedule], PresetSchedule):
        return ("schedules", schedule, "stages", sweep.stages(schedule)[index].stage)
    return ("schedules", schedule, index)


def _scales(sweep: Sweep) -> Iterator[Problem]:
    first: dict[object, str] = {}
    for name, scale in sweep.scales.items():
        trained = tuple(scale_schedule(sweep, scale, each) for each in sweep.schedules)
        same = first.setdefault((scale.llm, trained), name)
        if same != name:
            yield Problem(
                ("scales", name),
                f"a duplicate of {same!r}: the same language model {scale.llm!r}, trained alike, "
                "has the same results; remove one, or change `llm` or `overrides`",
            )
        try:
            reference = llm_reference(sweep.models, scale.llm, scale.size)
        except ValueError as error:
            yield Problem(("scales", name, "llm"), str(error))
        else:
            if reference.source.startswith(MICRO) and sweep.data.pretraining.text is None:
                yield Problem(
                    ("data", "pretraining", "text"),
                    f"required: the set that {scale.llm!r} is pretrained on",
                )
        yield from _overrides(sweep, name)


def _overrides(sweep: Sweep, name: str) -> Iterator[Problem]:
    for schedule, stages in sweep.scales[name].overrides.schedules.items():
        here: KeyPath = ("scales", name, "overrides", "schedules", schedule)
        if schedule not in sweep.schedules:
            yield from _unknown(here, "schedule", schedule, list(sweep.schedules))
            continue
        known = [stage.stage for stage in sweep.stages(schedule)]
        for stage, change in stages.items():
            yield from _unknown((*here, stage), "stage", stage, known)
            if change.data is not None:
                names = [*sweep.data.sets, MIXTURE]
                yield from _unknown((*here, stage, "data"), "data set", change.data, names)
        for stage in scale_schedule(sweep, sweep.scales[name], schedule):
            if stage.stage in stages and not stage.lr.trained():
                yield Problem((*here, stage.stage, "lr"), "the stage would train nothing")


def _evaluation(sweep: Sweep) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, entry in enumerate(sweep.evaluation):
        here: KeyPath = ("evaluation", index)
        if entry.metric in first:
            yield Problem(
                here,
                f"a duplicate: entry {first[entry.metric]} also writes the metrics of "
                f"{entry.metric!r}; give one of them another `name`",
            )
        first.setdefault(entry.metric, index)
        if sweep.data.microworld is not None:
            yield from _unknown(
                (*here, "manifest"), "microworld manifest", entry.manifest, [*WORLD_MANIFESTS]
            )


def _design(sweep: Sweep, named: NamedDesign) -> Iterator[Problem]:
    design = named.design
    known: dict[str, VisionGeometry] = {}
    for index, name in enumerate(design.encoders):
        try:
            known[name] = encoder_reference(sweep.models, name).geometry
        except ValueError as error:
            yield Problem(origin(sweep, named.levels, ("encoders", index)), str(error))
    yield from _clips(sweep, named, known)
    if design.schedule not in sweep.schedules:
        here = origin(sweep, named.levels, ("schedule",))
        yield from _unknown(here, "schedule", design.schedule, list(sweep.schedules))
        return
    here = origin(sweep, named.levels, ("mixture",))
    if isinstance(design.mixture, str):
        yield from _unknown(here, "data set", design.mixture, list(sweep.data.sets))
    elif _uses_mixture(sweep, design.schedule):
        yield from _shares(sweep, design.mixture, here)


def _clips(
    sweep: Sweep, named: NamedDesign, encoders: Mapping[str, VisionGeometry]
) -> Iterator[Problem]:
    """What the encoders ask of a clip, and the joining of the encoders."""
    frames = named.design.sampling.frames_per_clip
    for name, geometry in encoders.items():
        if frames % geometry.tubelet:
            yield Problem(
                origin(sweep, named.levels, ("sampling", "frames_per_clip")),
                f"{frames} frames are not a whole number of {name}'s slots of {geometry.tubelet} "
                f"frames; choose a multiple of {geometry.tubelet}, or another encoder "
                f"(design {named.id})",
            )
    all_known = len(encoders) == len(named.design.encoders)
    images = [name for name, geometry in encoders.items() if geometry.frames == 1]
    if named.design.joining == "split" and all_known and not images:
        yield Problem(
            origin(sweep, named.levels, ("joining",)),
            "split shows images to the image encoders alone, and the design "
            f"{named.id} has none among {', '.join(encoders)}; add one, or leave joining out",
        )


def _uses_mixture(sweep: Sweep, schedule: str) -> bool:
    return any(
        stage.data == MIXTURE
        for scale in sweep.scales.values()
        for stage in scale_schedule(sweep, scale, schedule)
    )


def _shares(sweep: Sweep, mixture: Mixture, here: KeyPath) -> Iterator[Problem]:
    for modality, share in mixture.shares().items():
        if share > 0 and not sweep.data.mixture.by_modality()[modality]:
            yield Problem(
                (*here, modality),
                f"{share:g} % of {modality}, but data.mixture.{modality} lists no set",
            )


def _samplings(sweep: Sweep, designs: tuple[NamedDesign, ...]) -> Iterator[Problem]:
    """Each place that changes the sampling, with the first design that it does not fit."""
    places: list[tuple[KeyPath, PartialSampling | None, Callable[[NamedDesign], bool]]] = [
        (("evaluation", index, "sampling"), entry.sampling, lambda _: True)
        for index, entry in enumerate(sweep.evaluation)
    ]
    for name in sweep.schedules:
        for key, scale in sweep.scales.items():
            for index, stage in enumerate(scale_schedule(sweep, scale, name)):
                over = scale.overrides.schedules.get(name, {}).get(stage.stage)
                here: KeyPath = (*_stage(sweep, name, index), "sampling")
                if over is not None and over.sampling is not None:
                    here = ("scales", key, "overrides", "schedules", name, stage.stage, "sampling")
                places.append((here, stage.sampling, _follows(name)))
    for here, asked, concerns in places:
        if asked is not None:
            yield from _sampling(sweep, here, asked, [one for one in designs if concerns(one)])


def _follows(schedule: str) -> Callable[[NamedDesign], bool]:
    return lambda named: named.design.schedule == schedule


def _sampling(
    sweep: Sweep, here: KeyPath, asked: PartialSampling, designs: list[NamedDesign]
) -> Iterator[Problem]:
    for named in designs:
        try:
            stage_sampling(asked, named.design, sweep.base.sampling)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            what = f"{detail['loc'][-1]}: {detail['msg'].removeprefix('Value error, ').lower()}"
            yield Problem(here, f"does not fit design {named.id}: {what}")
            return
        except ValueError as error:
            yield Problem(here, f"does not fit design {named.id}: {error}")
            return
