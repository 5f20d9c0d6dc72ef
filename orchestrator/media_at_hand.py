"""What a run needs of data before it starts: the world generated, the media there and readable."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from apollo_core.errors import BadData, BadInput
from orchestrator.files import read_json, write_atomically
from orchestrator.plan.plan import Plan
from orchestrator.plan.weights import PROVISIONAL
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import sweep_folder
from orchestrator.watching.progress import Progress


def make_world(plan: Plan, progress: Progress) -> None:
    """Generate the microworld of a sweep that has no data root; nothing where it is there."""
    if plan.world is None:
        return
    from apollo_core.microworld.world import generate

    with progress.counting("microworld, files") as count:
        generate(plan.world, plan.media_root, on_progress=count)


def check_media(plan: Plan, store: Store, missing: list[str], progress: Progress) -> None:
    """Open all media that the missing stages need; each manifest once, as long as it is unchanged.

    A generated world needs no check, and with `bad_media: skip` the stages skip and count.
    """
    if plan.world is not None or plan.sweep.data.skips_bad_media == "skip":
        return
    folder = sweep_folder(store, plan.name)
    known = read_json(folder / "checked-media.json") or {}
    manifests = _manifests(plan, missing, "manifest:")
    new = {name: location for name, location in manifests.items() if name not in known}
    _refuse_bad_media(new.values(), plan, progress)
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "checked-media.json", json.dumps({**known, **new}, indent=1))


def name_absent_media(plan: Plan, progress: Progress) -> None:
    """A manifest that is there and has no fingerprint lacks media: say all that is wrong with them.

    Nothing to say where the manifest itself is absent: the plan names it.
    """
    found = _manifests(plan, list(plan.stages), f"{PROVISIONAL}manifest:").values()
    present = [location for location in found if Path(location).is_file()]
    _refuse_bad_media(present, plan, progress)


def _refuse_bad_media(locations: Iterable[str], plan: Plan, progress: Progress) -> None:
    problems: list[str] = []
    for location in locations:
        from apollo_core.media.check_media import check

        with progress.counting(f"checking media of {location}, files") as count:
            report = check(location, plan.media_root, workers=2, on_progress=count)
        try:
            report.refuse_bad()
        except BadData as error:
            problems.append(str(error))
    if problems:
        raise BadInput("\n".join(problems) + " (sweep file: data.bad_media: skip)")


def _manifests(plan: Plan, keys: list[str], start: str) -> dict[str, str]:
    """Fingerprint -> path of the manifests that stages read, by how their fingerprint starts."""
    return {
        fingerprint: location
        for key in keys
        for fingerprint, location in plan.stages[key].locations.items()
        if fingerprint.startswith(start)
    }
