"""From base and axes to designs: one factor at a time, or every combination of listed levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from pydantic import ValidationError

from apollo_core.design import Design
from orchestrator.spec.base_design import work_out
from orchestrator.spec.merging import leaves, merge_level, union
from orchestrator.spec.problems import Problem, nearest
from orchestrator.spec.sweep_types import Sweep
from orchestrator.spec.token_keys import TokenKeyError, read, without_derived
from orchestrator.spec.type_problems import problems_of
from orchestrator.spec.yaml_reading import KeyPath

BASE = "base"
_MOST = 10_000


@dataclass(frozen=True)
class NamedDesign:
    """A complete design and where it came from.

    Attributes:
        id: `base`, or `axis=level[,axis=level]`.
        levels: axis -> level, `base` on every axis that it leaves alone.
        design: the answers.
    """

    id: str
    levels: Mapping[str, str]
    design: Design


def resolve_designs(sweep: Sweep) -> tuple[tuple[NamedDesign, ...], list[Problem]]:
    """All designs of a sweep in the file's order, and what is wrong with the others."""
    problems = [*_level_problems(sweep), *_exclude_problems(sweep)]
    if problems:
        return (), problems
    designs: list[NamedDesign] = []
    seen: dict[Design, str] = {}
    for levels in _combinations(sweep):
        if any(_matches(levels, rule) for rule in sweep.exclude):
            continue
        identifier = design_id(levels)
        try:
            design = Design.model_validate(_merged(sweep, levels))
        except TokenKeyError as error:
            problems.append(Problem(origin(sweep, levels, error.where), error.text))
            continue
        except ValidationError as error:
            problems += [
                Problem(origin(sweep, levels, where), text)
                for where, text in problems_of(error, Design)
            ]
            continue
        if design in seen:
            where = origin(sweep, levels, ())
            problems.append(
                Problem(where, f"{identifier} is a duplicate of {seen[design]}; keep one of them")
            )
        seen.setdefault(design, identifier)
        designs.append(NamedDesign(identifier, levels, design))
    if not designs and not problems:
        problems.append(Problem(("exclude",), "everything is excluded; nothing is left to run"))
    return tuple(designs), list(dict.fromkeys(problems))


def design_id(levels: Mapping[str, str]) -> str:
    """`base`, or the levels that differ from it."""
    changed = [f"{axis}={level}" for axis, level in levels.items() if level != BASE]
    return ",".join(changed) or BASE


def origin(sweep: Sweep, levels: Mapping[str, str], where: KeyPath) -> KeyPath:
    """Where in the file a design got its value at `where` from: a level, or the base."""
    changed = [(axis, level) for axis, level in levels.items() if level != BASE]
    for axis, level in reversed(changed):
        patch = sweep.axes[axis][level]
        if where and where[0] in patch:
            return ("axes", axis, level, *where)
    if changed and not where:
        axis, level = changed[-1]
        return ("axes", axis, level)
    return ("base", *where)


def _combinations(sweep: Sweep) -> Iterator[dict[str, str]]:
    untouched = dict.fromkeys(sweep.axes, BASE)
    if sweep.design == "cartesian":
        for levels in product(*(tuple(axis) for axis in sweep.axes.values())):
            yield dict(zip(sweep.axes, levels, strict=True))
        return
    yield untouched
    for axis, levels in sweep.axes.items():
        for level in levels:
            yield {**untouched, axis: level}


def _merged(sweep: Sweep, levels: Mapping[str, str]) -> dict[str, object]:
    change = union([sweep.axes[axis][name] for axis, name in levels.items() if name != BASE])
    said = read(change, strict=sweep.base.said.derived)
    return work_out(merge_level(sweep.base, without_derived(change)), said, sweep.base)


def _matches(levels: Mapping[str, str], rule: Mapping[str, str]) -> bool:
    return all(levels[axis] == level for axis, level in rule.items())


def _level_problems(sweep: Sweep) -> Iterator[Problem]:
    for axis, levels in sweep.axes.items():
        for name, level in levels.items():
            if name == BASE and level:
                yield Problem(("axes", axis, name), "the level `base` is the base itself: `{}`")
            if name == BASE and sweep.design == "one_factor":
                yield Problem(
                    ("axes", axis, name), "a duplicate: one_factor always has the base; remove it"
                )
            if not level and name != BASE:
                yield Problem(
                    ("axes", axis, name), "sets nothing, a duplicate of the base; name it `base`"
                )
    if sweep.design == "cartesian":
        count = math.prod(len(levels) for levels in sweep.axes.values())
        if count > _MOST:
            yield Problem(("axes",), f"{count} combinations; at most {_MOST} designs in one sweep")
        yield from _conflicts(sweep)


def _conflicts(sweep: Sweep) -> Iterator[Problem]:
    """Levels of two axes that set one leaf differently: neither could be said to win."""
    for (first, ones), (second, others) in combinations(sweep.axes.items(), 2):
        for (one, patch), (other, change) in product(ones.items(), others.items()):
            rule = {first: one, second: other}
            if any(set(rule.items()) >= set(excluded.items()) for excluded in sweep.exclude):
                continue
            for where, value in leaves(patch):
                for there, differing in leaves(change):
                    shared = min(len(where), len(there))
                    clash = shared and where[:shared] == there[:shared]
                    if clash and (where, value) != (there, differing):
                        yield Problem(
                            ("axes", second, other, *there),
                            f"{differing!r} conflicts with {value!r} of level {first}={one}; in a "
                            "cartesian design two levels may not set one value differently",
                        )


def _exclude_problems(sweep: Sweep) -> Iterator[Problem]:
    for index, rule in enumerate(sweep.exclude):
        for axis, level in rule.items():
            here: KeyPath = ("exclude", index, axis)
            if axis not in sweep.axes:
                yield Problem(here, f"unknown axis {axis!r}{nearest(axis, list(sweep.axes))}")
            elif level not in _levels(sweep, axis):
                yield Problem(
                    here, f"unknown level {level!r}{nearest(level, _levels(sweep, axis))}"
                )
        changed = [axis for axis, level in rule.items() if level != BASE]
        if sweep.design == "one_factor" and len(changed) > 1:
            yield Problem(
                ("exclude", index),
                "never matches: a one_factor design changes one axis at a time, and this rule "
                f"names levels of {', '.join(changed)}",
            )
        if sweep.design == "one_factor" and all(level == BASE for level in rule.values()):
            yield Problem(
                ("exclude", index),
                "excludes the base, which every level is compared with; remove this rule",
            )


def _levels(sweep: Sweep, axis: str) -> list[str]:
    """Levels that designs can have on an axis."""
    listed = list(sweep.axes[axis])
    return listed if sweep.design == "cartesian" else [*listed, BASE]
