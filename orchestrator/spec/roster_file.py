"""Read a roster file: YAML, then types, then what the values must be to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from apollo_core.errors import BadInput
from orchestrator.spec.problems import Problem, refuse
from orchestrator.spec.roster_types import Roster
from orchestrator.spec.type_problems import problems_of
from orchestrator.spec.yaml_reading import read_yaml

# Keys without which a file is no sweep; a roster has none of them.
_OF_SWEEPS = {"base", "axes", "scales", "schedules"}


def load_roster(path: Path) -> Roster:
    """Read and check a roster file.

    Raises:
        BadInput: what is wrong, as `file:line: key.path: value, what is allowed, nearest name`.
    """
    document = read_yaml(path)
    if set(document.content) >= {"base", "axes"}:
        raise BadInput(f"{path}: is a sweep; `apollo run` trains and evaluates it")
    try:
        roster = Roster.model_validate(document.content)
    except ValidationError as error:
        refuse(problems_of(error, Roster), document, name=str(path))
        raise  # problems_of gives at least one
    refuse([*_problems(roster)], document, name=str(path))
    return roster


def is_roster(path: Path) -> bool:
    """Whether a YAML file means to be a roster and no sweep. Raises `BadInput` where it is none."""
    keys = set(read_yaml(path).content)
    return {"models", "frames"} <= keys and not keys & _OF_SWEEPS


def _problems(roster: Roster) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, entry in enumerate(roster.evaluation):
        if entry.metric in first:
            yield Problem(
                ("evaluation", index),
                f"a duplicate: entry {first[entry.metric]} also writes the metrics of "
                f"{entry.metric!r}; give one of them another `name`",
            )
        first.setdefault(entry.metric, index)
        if entry.sampling is not None:
            yield Problem(
                ("evaluation", index, "sampling"),
                "not in a roster: what a model sees of a video is its own `frames`; list it twice "
                "under two names to ask it twice",
            )
