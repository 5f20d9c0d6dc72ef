"""The record of what a stage was fed, where each rank feeds its own part of every step."""

from __future__ import annotations

from apollo_core.stages.identity import MOST_SKIPPED
from apollo_core.training.distributed import Peers, in_turns
from apollo_core.training.fed import Fed, Note


class FedTogether(Fed):
    """Takes no note before all ranks have theirs of the step, then all in the drawn order.

    Ranks take turns at the samples of a step, so turns are also how their notes are put together:
    every rank's record is the one that a single process would have.

    Args:
        fed: the record so far, which is taken over.
        peers: the ranks.
    """

    def __init__(self, fed: Fed, peers: Peers) -> None:
        super().__init__(**vars(fed))
        self._peers = peers
        self._mine: list[Note] = []
        self._drawn, self._most = 0, MOST_SKIPPED

    def add(self, note: Note, *, of: int, most_skipped: float = MOST_SKIPPED) -> None:
        """Keep a note of this rank until `settle`."""
        self._mine.append(note)
        self._drawn, self._most = of, most_skipped

    def settle(self) -> None:
        """Take the step's notes of all ranks into the record, once all have read it.

        Raises:
            BadData: too many were skipped.
        """
        told = self._peers.gathered((self._drawn, self._most, self._mine))
        self._mine = []
        # A rank without a sample in the step knows of neither.
        of, most = max((drawn, most) for drawn, most, _ in told)
        for note in in_turns(notes for _, _, notes in told):
            super().add(note, of=of, most_skipped=most)
