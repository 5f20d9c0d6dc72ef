"""Training samples in their drawn order, read ahead of the trainer, a bounded number at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from queue import SimpleQueue
from typing import TypeVar

from transformers import PreTrainedTokenizerBase

from apollo_core.batch import Batch, collate
from apollo_core.errors import BadData, DecodeFailed
from apollo_core.in_order import in_order
from apollo_core.media.manifest_record import Sample
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.stages.identity import MOST_SKIPPED, BadMedia
from apollo_core.stages.seat import ALONE, Seat
from apollo_core.text.chat import Encoded, encode_training
from apollo_core.text.encoded_cache import CACHE
from apollo_core.text.integration import VISUAL, without_marks
from apollo_core.training.fed import Fed, Note
from apollo_core.training.like_length import FILLED, like_length
from apollo_core.training.mixture import Draw
from apollo_core.training.packing import pack
from apollo_core.training.read_ahead import read_ahead
from apollo_core.training_files.conversations import of_each_length

# Frames of a step that are held to be sorted by length, in bytes: a step of 256 long videos would
# be tens of GB. Up to four windows exist at a time (being read, ready, being cut, in batches).
WINDOW_BYTES = 2**29
# Micro-batches that wait ready for the trainer.
READY = 2

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class _Read:
    """A sample that can be fed."""

    encoded: Encoded
    shown: Shown | None


@dataclass(frozen=True)
class _Window:
    """Samples of one step, in drawn order, as many as are sorted together."""

    step: int
    read: list[_Read]
    notes: list[Note]


@dataclass(frozen=True)
class _Part:
    """A micro-batch, or none, and what is to be noted once it is fed."""

    step: int
    batch: Batch | None
    notes: list[Note]


Try = Callable[[int], Shown | DecodeFailed | None]
_Each = Callable[[Try, Iterable[int]], Iterable[Shown | DecodeFailed | None]]


class Feeder:
    """Makes micro-batches of a drawn order.

    Args:
        shares: the samples of each share, its sets counted through.
        order: which sample comes when.
        readers: how media are read, one for each thread that reads; all alike.
        tokenizer: the language model's.
        tokens_per_clip: visual tokens of one clip.
        bad_media: `stop` at media that cannot be read, or `skip` the sample and count it.
        most_skipped: part of the samples that may be skipped.
        longest: positions that the language model can take, where it says so.
        ahead: whether to read in threads, ahead of the trainer; else when it asks.
        packed: whether a micro-batch is one row.
        fed: the record so far, of a stage that goes on.
        seat: of several processes that feed a stage together, each takes its part of every step.
    """

    def __init__(
        self,
        shares: Sequence[Sequence[Sample]],
        order: Draw,
        *,
        readers: Sequence[MediaReader],
        tokenizer: PreTrainedTokenizerBase,
        tokens_per_clip: int,
        bad_media: BadMedia,
        most_skipped: float = MOST_SKIPPED,
        longest: int | None = None,
        ahead: bool = True,
        packed: bool = False,
        fed: Fed | None = None,
        seat: Seat = ALONE,
    ) -> None:
        self._shares = shares
        self._order = order
        self._free: SimpleQueue[MediaReader] = SimpleQueue()
        for reader in readers:
            self._free.put(reader)
        self._threads = len(readers)
        self._longest = longest
        self._tokenizer = tokenizer
        self._tokens_per_clip = tokens_per_clip
        self._bad_media: BadMedia = bad_media
        self._most_skipped = most_skipped
        self._ahead = ahead
        self._packed = packed
        self.fed = fed or Fed([0] * len(shares))
        self._seat = seat

    def batches(
        self, batch_size: int, micro_batch: int, *, first: int = 0
    ) -> Generator[Iterator[Batch], None, None]:
        """Yield each optimiser step's micro-batches, from step `first` on (counted from 0).

        They have `micro_batch` samples at most, and fewer where more would be padded too much.

        A step's are to be taken before the next step is asked for; of samples that were all
        skipped there are none. Nothing of the steps before `first` is read. `fed` tells of what
        has been taken, not of what was read ahead.
        """
        with closing(self._parts(batch_size, micro_batch, first)) as coming:
            for _, parts in groupby(coming, key=lambda part: part.step):
                step = self._noted(parts)
                yield step
                deque(step, 0)  # what was not taken is still noted

    def _noted(self, parts: Iterable[_Part]) -> Iterator[Batch]:
        for part in parts:
            for note in part.notes:
                self.fed.add(note, of=len(self._order), most_skipped=self._most_skipped)
            if part.batch is not None:
                yield part.batch

    def rehearse(self) -> None:
        """Encode one conversation of each length in turns, so that a chat template which cannot
        be used stops the stage before its first step.

        Raises:
            BadData: the template, or a conversation, cannot be used.
        """
        seen = {len(one.turns): one for share in self._shares for one in of_each_length(share)}
        for sample in seen.values():
            turns = place_media(sample.turns, [VISUAL] * len(sample.media))
            encode_training(self._tokenizer, turns, tokens_per_clip=self._tokens_per_clip)

    def _parts(self, batch_size: int, micro_batch: int, first: int) -> Generator[_Part, None, None]:
        """All micro-batches from a step on; read, and put together, a few ahead."""
        if not self._ahead:
            return self._cut(self._windows(map, batch_size, micro_batch, first), micro_batch)
        windows = read_ahead(self._read_in_threads(batch_size, micro_batch, first), 1)
        return read_ahead(self._cut(windows, micro_batch), READY)

    def _read_in_threads(
        self, batch_size: int, micro_batch: int, first: int
    ) -> Generator[_Window, None, None]:
        with ThreadPoolExecutor(self._threads, thread_name_prefix="reading") as pool:

            def side_by_side(read: Callable[[S], T], of: Iterable[S]) -> Iterator[T]:
                return in_order(pool, read, of, most=2 * self._threads)

            yield from self._windows(side_by_side, batch_size, micro_batch, first)

    def _windows(
        self,
        each: _Each,
        batch_size: int,
        micro_batch: int,
        first: int,
    ) -> Generator[_Window, None, None]:
        """Read each step in windows of whole micro-batches.

        Where a window ends depends on its samples alone, so that neither threads nor timing change
        what is fed together.
        """
        for step in range(first, -(-len(self._order) // batch_size)):
            places = self._places(step, batch_size)
            window, held = _Window(step, [], []), 0
            for place, shown in zip(places, each(self._try, places), strict=True):
                held += self._take(place, shown, window)
                whole = window.read and len(window.read) % micro_batch == 0
                if whole and held >= WINDOW_BYTES:
                    yield window
                    window, held = _Window(step, [], []), 0
            if window.notes or not places:
                yield window

    def _places(self, step: int, batch_size: int) -> range:
        """Of a step, in the drawn order; processes take turns, a last step may leave one none."""
        end = min((step + 1) * batch_size, len(self._order))
        return range(step * batch_size + self._seat.rank, end, self._seat.size)

    def _cut(
        self, windows: Generator[_Window, None, None], micro_batch: int
    ) -> Generator[_Part, None, None]:
        with closing(windows):
            for window in windows:
                # Samples of like length side by side: less padding, and the same sum over tokens.
                read = sorted(window.read, key=lambda one: len(one.encoded.tokens))
                notes = window.notes
                lengths = [len(one.encoded.tokens) for one in read]
                # A packed row has no padding.
                filled = 0.0 if self._packed else FILLED
                for part in like_length(lengths, micro_batch, filled=filled):
                    yield _Part(window.step, self._collate(read[part]), notes)
                    notes = []
                if notes or not read:
                    yield _Part(window.step, None, notes)

    def _sample(self, place: int) -> Sample:
        return self._shares[int(self._order.share[place])][int(self._order.row[place])]

    def _take(self, place: int, shown: Shown | DecodeFailed | None, window: _Window) -> int:
        """Put a sample into a window; the bytes that its frames take, decoded or not: what is fed
        together must not depend on which features are kept."""
        if isinstance(shown, DecodeFailed) and self._bad_media == "stop":
            raise shown
        sample = self._sample(place)
        window.notes.append(Note.of(int(self._order.share[place]), sample, shown))
        if isinstance(shown, DecodeFailed):
            return 0
        window.read.append(_Read(self._encode(sample, shown), shown))
        return 0 if shown is None else shown.frame_bytes

    def _try(self, place: int) -> Shown | DecodeFailed | None:
        sample = self._sample(place)
        if not sample.media:
            return None
        reader = self._free.get()
        try:
            return reader.show(sample.media)
        except DecodeFailed as error:
            return error
        finally:
            self._free.put(reader)

    def _encode(self, sample: Sample, shown: Shown | None) -> Encoded:
        written = shown.written if shown is not None else ()
        turns = place_media(sample.turns, written)
        encoded = CACHE.get(self._tokenizer, turns, tokens_per_clip=self._tokens_per_clip)
        if self._longest is not None and len(encoded.tokens) > self._longest:
            raise BadData(
                f"sample {sample.id!r} has {len(encoded.tokens)} positions, the language model "
                f"takes {self._longest}: ask for fewer clips or fewer tokens per frame"
            )
        return encoded

    def _collate(self, read: Sequence[_Read]) -> Batch:
        media: list[Shown] = []
        shown: list[int] = []
        for one in read:
            shown.append(-1 if one.shown is None else len(media))
            if one.shown is not None:
                media.append(one.shown)
        encoded = [one.encoded for one in read]
        batch = collate(encoded, media, shown, tokens_per_clip=self._tokens_per_clip)
        return pack(batch) if self._packed else batch


def place_media(turns: Sequence[tuple[str, str]], written: Sequence[str]) -> list[tuple[str, str]]:
    """Put what is written for each medium in the place of its `<video>` or `<image>`, in order."""
    coming = iter(written)
    placed: list[tuple[str, str]] = []
    for role, text in turns:
        text = without_marks(text)
        while (mark := _first_mark(text)) is not None:
            text = text.replace(mark, next(coming), 1)
        placed.append((role, text))
    return placed


def _first_mark(text: str) -> str | None:
    found = [(at, mark) for mark in ("<video>", "<image>") if (at := text.find(mark)) >= 0]
    return min(found)[1] if found else None
