"""What a run needs of data before it starts: the world generated, the media there and readable."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from apollo_core.errors import BadData, BadInput
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.stages.identity import PretrainIdentity, StageIdentity
from apollo_core.training_files.excluded_places import exclusion_place, exclusion_told
from orchestrator.engine.decoders_needed import lack_of
from orchestrator.engine.task import StageTask
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
    manifests = _manifests(plan, missing, "manifest:")
    _check_new(manifests, sweep_folder(store, plan.name), plan.media_root, progress)


def check_asked_media(
    tasks: Iterable[StageTask], name: str, store: Store, progress: Progress
) -> None:
    """The same of a roster's benchmarks, for the tasks that are not done."""
    for task in tasks:
        places = {
            fingerprint: _Place(location, decoder=_decoder(task.identity))
            for fingerprint, location in task.locations.items()
            if fingerprint.startswith("manifest:")
        }
        _check_new(places, sweep_folder(store, name), Path(task.media_root), progress)


def _check_new(
    manifests: Mapping[str, _Place], folder: Path, root: Path, progress: Progress
) -> None:
    known = read_json(folder / "checked-media.json") or {}
    named = {_name(fingerprint, place): place for fingerprint, place in manifests.items()}
    new = {name: place for name, place in named.items() if name not in known}
    _refuse_bad_media(new.values(), root, progress)
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "checked-media.json", _kept(known, new))


def _name(fingerprint: str, place: _Place) -> str:
    """What a check is known by: another decoder may refuse what one reads."""
    if place.decoder == DEFAULT_DECODER:
        return fingerprint
    return f"{fingerprint} by {place.decoder}"


def _kept(known: Mapping[str, JsonValue], new: Mapping[str, _Place]) -> str:
    checked = {**known, **{name: place.manifest for name, place in new.items()}}
    return json.dumps(checked, indent=1)


def name_absent_media(plan: Plan, progress: Progress) -> None:
    """A manifest that is there and has no fingerprint lacks media: say all that is wrong with them.

    Nothing to say where the manifest itself is absent: the plan names it.
    """
    from apollo_core.training_files.conversations import is_at_hand

    found = _manifests(plan, list(plan.stages), f"{PROVISIONAL}manifest:").values()
    present = [place for place in found if is_at_hand(Path(place.manifest))]
    _refuse_bad_media(present, plan.media_root, progress)


class _Place(NamedTuple):
    """A manifest, what is left out of it as stages are told (`exclusion_told`), if anything, and
    what its videos are read by.
    """

    manifest: str
    left_out: str = ""
    decoder: DecoderName = DEFAULT_DECODER


def _refuse_bad_media(places: Iterable[_Place], root: Path, progress: Progress) -> None:
    problems: list[str] = []
    for location, left_out, decoder in places:
        from apollo_core.media.check_media import check
        from apollo_core.training_files.exclusion import read_exclusion

        exclusion = read_exclusion(*exclusion_told(left_out)) if left_out else None
        with progress.counting(f"checking media of {location}, files") as count:
            report = check(
                location,
                root,
                workers=2,
                on_progress=count,
                exclusion=exclusion,
                decoder=decoder,
            )
        try:
            report.refuse_bad()
        except BadData as error:
            problems.append(str(error))
    if problems:
        raise BadInput("\n".join(problems) + " (`data: {bad_media: skip}`)")


def _manifests(plan: Plan, keys: list[str], start: str) -> dict[str, _Place]:
    """Fingerprint -> the manifests that stages read, by how their fingerprint starts."""
    found: dict[str, _Place] = {}
    for node in map(plan.stages.__getitem__, keys):
        decoder = _decoder(node.identity)
        for fingerprint, location in node.locations.items():
            if not fingerprint.startswith(start):
                continue
            left_out = node.locations.get(exclusion_place(fingerprint), "")
            # What one stage reads by the default decoder another may read by a stricter one.
            if fingerprint not in found or decoder != DEFAULT_DECODER:
                found[fingerprint] = _Place(location, left_out, decoder)
    return found


def _decoder(identity: StageIdentity) -> DecoderName:
    """What a stage reads videos by, where that is installed here: a driver may lack what workers
    have, and then looks by the default.
    """
    if isinstance(identity, PretrainIdentity) or lack_of(identity.decoder):
        return DEFAULT_DECODER
    return identity.decoder
