"""The files and folders that stages read in place: every machine that runs them must see them.

What lies in the store is no part of it: whether a machine sees that is asked for itself.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from apollo_core.training_files.excluded_places import exclusion_told
from orchestrator.engine.task import StageTask
from orchestrator.plan.plan import Plan

# What it is to a person, and its path: plain, so that any version of ours can be asked.
Place = tuple[str, str]

_ROOT, _MANIFEST, _WEIGHTS, _LEFT_OUT = "media folder", "manifest", "weights", "`data.exclude` list"


def places_of_tasks(tasks: Iterable[StageTask], store: Path) -> tuple[Place, ...]:
    """What these stages read outside the store."""
    found = {place for task in tasks for place in places_at(task.locations, task.media_root)}
    return _outside(store, found)


def places_of_plan(plan: Plan, store: Path) -> tuple[Place, ...]:
    """The same of all stages of a plan; what is absent here has no place yet."""
    root = str(plan.media_root)
    found = {place for node in plan.stages.values() for place in places_at(node.locations, root)}
    return _outside(store, found)


def places_at(locations: Mapping[str, str], media_root: str) -> tuple[Place, ...]:
    """Of one stage: its manifests, the folder they lie in, lists of what is left out, weights.

    Weights of the hub are not among them: each machine has a cache of its own, or a shared one.
    """
    found: list[Place] = []
    for fingerprint, location in locations.items():
        match fingerprint.partition(":")[0]:
            case "manifest":
                found.append((_MANIFEST, location))
                if Path(location).is_relative_to(media_root):
                    found.append((_ROOT, media_root))
            case "without":
                found.append((_LEFT_OUT, str(exclusion_told(location)[0])))
            case "local":
                found.append((_WEIGHTS, location))
            case _:
                pass
    return tuple(dict.fromkeys(found))


def unseen(places: Iterable[Place]) -> list[Place]:
    """Which are not on this machine; of an absent folder no more than itself."""
    absent = sorted({place for place in places if not _is_there(place)}, key=lambda each: each[1])
    folders = [path for what, path in absent if what == _ROOT]
    return [
        (what, path)
        for what, path in absent
        if not any(Path(folder) in Path(path).parents for folder in folders)
    ]


def require_places(locations: Mapping[str, str], media_root: str) -> None:
    """Raise `OSError`, the machine's doing, where a stage's files are not seen.

    They were when the stage was planned: this is another machine, or a mount is gone.
    """
    for what, path in unseen(places_at(locations, media_root)):
        raise OSError(
            errno.ESTALE,
            f"{socket.gethostname()} does not see the {what} {path}; mount it there, or take the "
            "machine out of the cluster",
        )


def _is_there(place: Place) -> bool:
    from apollo_core.training_files.conversations import is_at_hand

    what, path = place[0], Path(place[1])
    try:
        if what == _ROOT:
            return path.is_dir()
        return path.exists() or (what == _MANIFEST and is_at_hand(path))
    except OSError:  # a mount whose server is gone
        return False


def _outside(store: Path, places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(sorted(each for each in places if not Path(each[1]).is_relative_to(store)))
