"""Which sweeps refer to what lies in a store: the newest version of each, and no older one.

Every version of a sweep that ran is kept as a record. The one that ran last speaks for the sweep:
what it has dropped is wanted no more, though nothing is removed for that alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.store import lease
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.store.sweep_versions import Version, versions


@dataclass(frozen=True)
class References:
    """The sweeps of a store.

    Attributes:
        wanted: records that count: the newest of each sweep, and all of those in `running`.
        older: versions that do not count, the one that ran last first.
        running: names of sweeps with older versions that somebody is at work on.
    """

    wanted: tuple[SweepRecord, ...]
    older: tuple[Version, ...]
    running: tuple[str, ...] = ()

    def last(self, key: str) -> Version | None:
        """The older version that referred to something last; None = none ever did.

        Args:
            key: of a stage or of features, or a folder of data under the store.
        """
        return next((each for each in self.older if each.record.refers_to(key)), None)


def references(store: Store) -> References:
    """What refers to the stages, features and data of a store now.

    While any stage of a sweep is being run all its versions count: another driver may still be at
    an older one, and needs what that has done.

    Raises:
        BadInput: a record cannot be read: guessing which stages are in use could lose results.
    """
    found = versions(store)
    older = [each for each in found if not each.newest]
    running = {name for name in {each.record.name for each in older} if _runs(store, name, found)}
    return References(
        wanted=tuple(each.record for each in found if each.newest or each.record.name in running),
        older=tuple(each for each in older if each.record.name not in running),
        running=tuple(sorted(running)),
    )


def _runs(store: Store, name: str, found: Iterable[Version]) -> bool:
    keys = {key for each in found if each.record.name == name for key in each.record.stages}
    return any(
        lease.looks_alive(lease.read_lease(store.attempts_folder(key))) for key in sorted(keys)
    )
