"""Read a sweep file: YAML, then types, then what the values must be to each other."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from apollo_core.errors import BadInput
from orchestrator.plan.designs import NamedDesign, resolve_designs
from orchestrator.spec.problems import Problem, refuse
from orchestrator.spec.sweep_checks import check
from orchestrator.spec.sweep_types import Sweep
from orchestrator.spec.type_problems import problems_of
from orchestrator.spec.yaml_reading import YamlDocument, read_yaml

__all__ = ["Sweep", "checked_designs", "load_sweep"]


def load_sweep(path: Path) -> Sweep:
    """Read and check a sweep file.

    Raises:
        BadInput: what is wrong, as `file:line: key.path: value, what is allowed, nearest name`.
    """
    document = read_yaml(path)
    try:
        sweep = Sweep.model_validate(document.content)
    except ValidationError as error:
        _refuse_roster(path)
        refuse(problems_of(error, Sweep), document, name=str(path))
        raise  # problems_of gives at least one
    checked_designs(sweep, document)
    return sweep


def _refuse_roster(path: Path) -> None:
    from orchestrator.spec.roster_file import is_roster

    if is_roster(path):
        raise BadInput(f"{path}: is a roster; `apollo evaluate` asks its models")


def checked_designs(sweep: Sweep, document: YamlDocument | None = None) -> tuple[NamedDesign, ...]:
    """The designs of a sweep whose parts fit together.

    Raises:
        BadInput: they do not.
    """
    designs, found = resolve_designs(sweep)
    problems: list[Problem] = [*found, *check(sweep, designs)]
    refuse(problems, document, name=f"sweep {sweep.name}")
    return designs
