"""Python and the packages that sweeps stand on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from orchestrator.checkup.finding import Finding, broken, ok

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

# Of the extra `[sweep]`. By distribution and never by module: looking for `ray.tune` would import
# Ray, which settles its authentication there and then; and decord is not decord2.
NEEDED = ("torch", "transformers", "ray", "mlflow", "decord2", "av", "safetensors")
INSTALL = "pip install 'apollo-sweeps[sweep]'"
# Beside a CPU build of torch it breaks every import of a transformers model.
_HARMFUL = "torchvision"


def installation() -> Iterator[Finding]:
    """Python, what is needed in a version that is known to do, and what must not be there."""
    yield ok(f"Python {platform.python_version()}")
    yield from packages()
    if find_spec(_HARMFUL) is not None:
        yield broken(
            f"{_HARMFUL} is installed: beside a CPU build of torch it breaks transformers",
            f"pip uninstall {_HARMFUL}; nothing here needs it",
        )
    else:
        yield ok(f"no {_HARMFUL}")


def packages() -> Iterator[Finding]:
    """What a sweep needs, and whether its version is one that this release is made for."""
    wanted = _wanted()
    for name in NEEDED:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield broken(f"{name} is missing", INSTALL)
            continue
        # A build's own mark (2.8+cpu) is no part of the range.
        if name in wanted and not wanted[name].contains(
            version.partition("+")[0], prereleases=True
        ):
            text = f"{name} {version}: this release is made for {wanted[name]}"
            yield broken(text, f"pip install '{name}{wanted[name]}'")
        else:
            yield ok(f"{name} {version}")


def _wanted() -> dict[str, SpecifierSet]:
    """Range of versions by package, as our own metadata gives it."""
    from packaging.requirements import Requirement

    try:
        told = metadata.requires("apollo-sweeps") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (Requirement(line) for line in told)
    return {each.name: each.specifier for each in found}
