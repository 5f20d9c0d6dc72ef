"""What a sweep needs of this machine, and whether it is there; loads nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apollo_core.errors import BadInput
from orchestrator.checkup.filesystem import store_filesystem
from orchestrator.checkup.finding import Finding
from orchestrator.checkup.installation import INSTALL, installation, packages
from orchestrator.checkup.machine import machine
from orchestrator.checkup.services import ray_cluster, ray_on_this_machine, tracking
from orchestrator.engine.places_needed import Place
from orchestrator.spec.sweep_types import Sweep
from orchestrator.store.store import open_store


def findings(
    store: Path,
    *,
    sweep: Sweep | None = None,
    address: str | None = None,
    tracking_uri: str | None = None,
    start_ray: bool = True,
) -> Iterator[Finding]:
    """Everything looked at, the cheap things first.

    Args:
        store: the folder that `--store` names; it may not exist yet.
        sweep: one whose own needs are looked at too.
        address: of a running cluster, whose nodes are asked.
        tracking_uri: of an MLflow server; None = the store's own database.
        start_ray: without an address, try whether Ray starts here.
    """
    opened = open_store(store)
    found = list(installation())
    yield from found
    yield from machine()
    yield from store_filesystem(opened.root)
    if any(finding.state == "broken" for finding in found):
        return  # what comes needs the packages
    yield tracking(tracking_uri, opened)
    if sweep is not None:
        from orchestrator.checkup.sweep_needs import sweep_needs

        yield from sweep_needs(sweep, opened, on_cluster=address is not None)
    if address is not None:
        decoders = (sweep.data.decoder,) if sweep is not None else ()
        places = _places(sweep, opened.root) if sweep is not None else ()
        yield from ray_cluster(address, opened.root, decoders, places)
    elif start_ray:
        yield from ray_on_this_machine()


def _places(sweep: Sweep, store: Path) -> tuple[Place, ...]:
    """What every node must see beside the store."""
    from orchestrator.engine.places_needed import places_of_plan
    from orchestrator.plan.graph import build_plan

    return places_of_plan(build_plan(sweep, store=store), store)


def require_sweep_packages() -> None:
    """Raise `BadInput` where this is the plain install, before anything is written."""
    wrong = [finding.text for finding in packages() if finding.state == "broken"]
    if wrong:
        raise BadInput(f"this installation cannot run sweeps ({'; '.join(wrong)}): {INSTALL}")
