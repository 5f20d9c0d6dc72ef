"""A sweep's designs on the terminal: its axes with their levels, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from apollo_core.catalogue import ENCODERS, INTEGRATIONS, JOININGS, RESAMPLERS
from apollo_core.design import MODALITIES, Design, Mixture
from apollo_core.schedules import NAMED
from orchestrator.plan.plan import Plan
from orchestrator.spec.schedule_types import PresetSchedule
from orchestrator.spec.sweep_types import Sweep


def axes_table(plan: Plan) -> Table:
    """Axes and their levels, as the file names them."""
    table = Table("axis", "levels", title="Designs", title_justify="left")
    for axis, levels in plan.sweep.axes.items():
        table.add_row(axis, ", ".join(levels))
    return table


def answers_table(plan: Plan) -> Table:
    """Each design question with all answers of the sweep, the base's first."""
    table = Table("question", "answers", title="What the designs are made of", title_justify="left")
    table.caption = f"mixture: per cent of {'/'.join(MODALITIES)}"
    table.caption_justify = "left"
    designs = [variant.resolved for variant in plan.variants]
    for question, answer in _QUESTIONS.items():
        answers = dict.fromkeys(each for design in designs for each in answer(design, plan.sweep))
        table.add_row(question, ", ".join(answers))
    return table


def also_built(plan: Plan) -> str:
    """What a published sweep could name too: the catalogue, less what its designs are made of."""
    designs = [variant.resolved for variant in plan.variants]
    used = {
        question: {each for design in designs for each in answer(design, plan.sweep)}
        for question, answer in _QUESTIONS.items()
    }
    presets = {s.preset for s in plan.sweep.schedules.values() if isinstance(s, PresetSchedule)}
    known = {
        "encoders": [name for name, entry in ENCODERS.items() if entry.built],
        "joining": [name for name, built in JOININGS.items() if built],
        "resampler": [name for name, built in RESAMPLERS.items() if built],
        "integration": [name for name, built in INTEGRATIONS.items() if built],
        "schedule": [name for name in NAMED if name not in presets],
    }
    left = {
        question: [name for name in names if name not in used[question]]
        for question, names in known.items()
    }
    return "; ".join(f"{question} {', '.join(names)}" for question, names in left.items() if names)


def _resampler(design: Design, sweep: Sweep) -> list[str]:
    text = " with text" if getattr(design.resampler, "text", False) else ""
    return [f"{design.resampler.kind}{text}"]


def _schedule(design: Design, sweep: Sweep) -> list[str]:
    schedule = sweep.schedules[design.schedule]
    preset = f" ({schedule.preset})" if isinstance(schedule, PresetSchedule) else ""
    return [f"{design.schedule}{preset}"]


def _mixture(design: Design, sweep: Sweep) -> list[str]:
    if isinstance(design.mixture, Mixture):
        return ["/".join(f"{share:g}" for share in design.mixture.shares().values())]
    return [design.mixture]


def _memory(design: Design, sweep: Sweep) -> list[str]:
    if design.memory is None:
        return ["none"]
    return [f"{design.memory.long} merged + {design.memory.recent} recent clips"]


_QUESTIONS: dict[str, Callable[[Design, Sweep], list[str]]] = {
    "sampling": lambda design, sweep: [design.sampling.mode],
    "encoders": lambda design, sweep: list(design.encoders),
    "joining": lambda design, sweep: [design.joining],
    "resampler": _resampler,
    "memory": _memory,
    "integration": lambda design, sweep: [design.integration],
    "schedule": _schedule,
    "mixture": _mixture,
}
