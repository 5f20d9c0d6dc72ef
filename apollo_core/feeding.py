"""Training samples in their drawn order, read one batch ahead of the trainer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from transformers import PreTrainedTokenizerBase

from apollo_core.batch import Batch, collate
from apollo_core.chat import Encoded, encode_training
from apollo_core.errors import BadData, DecodeFailed
from apollo_core.integration import VISUAL, without_marks
from apollo_core.manifest import Sample
from apollo_core.media import MediaReader, Shown
from apollo_core.mixture import Draw
from apollo_core.stages.identity import BadMedia

# Above this part of a stage's samples, skipping has become another data set.
MOST_SKIPPED = 0.2
# Encoded conversations that are kept: small data sets are gone through many times, and of a large
# one (some 50 kB for each conversation about a long video) no more may stay in memory.
MOST_KEPT = 4096


@dataclass
class Fed:
    """What was really fed, for the stage's record.

    Attributes:
        samples: samples of each share.
        rates: realised frames per second of each video sample.
        skipped: path -> reason of media that could not be read.
    """

    samples: list[int]
    rates: list[float] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    skips: int = 0


class Feeder:
    """Makes micro-batches of a drawn order.

    Args:
        shares: the samples of each share, its sets counted through.
        order: which sample comes when.
        readers: how media are read, one for each thread that reads; all alike.
        tokenizer: the language model's.
        tokens_per_clip: visual tokens of one clip.
        bad_media: `stop` at media that cannot be read, or `skip` the sample and count it.
        longest: positions that the language model can take, where it says so.
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
        longest: int | None = None,
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
        self._bad_media = bad_media
        self._encoded: dict[tuple[str, ...], Encoded] = {}
        self.fed = Fed([0] * len(shares))

    def batches(self, batch_size: int, micro_batch: int) -> Generator[list[Batch], None, None]:
        """Yield each optimiser step's micro-batches; the next step is read meanwhile.

        A batch whose samples were all skipped is an empty list.
        """
        starts = range(0, len(self._order.row), batch_size)
        with (
            ThreadPoolExecutor(self._threads, thread_name_prefix="reading") as pool,
            ThreadPoolExecutor(1, thread_name_prefix="feeding") as ahead,
        ):
            coming = ahead.submit(self._step, pool, 0, batch_size, micro_batch)
            for start in starts:
                ready = coming.result()
                following = start + batch_size
                if following < len(self._order.row):
                    coming = ahead.submit(self._step, pool, following, batch_size, micro_batch)
                yield ready

    def rehearse(self) -> None:
        """Encode one conversation of each length in turns, so that a chat template which cannot
        be used stops the stage before its first step.

        Raises:
            BadData: the template, or a conversation, cannot be used.
        """
        seen = {len(sample.turns): sample for share in self._shares for sample in share}
        for sample in seen.values():
            written = [VISUAL] * max(1, len(sample.media))
            turns = place_media(sample.turns, written)
            encode_training(self._tokenizer, turns, tokens_per_clip=self._tokens_per_clip)

    def _step(
        self, pool: ThreadPoolExecutor, start: int, batch_size: int, micro_batch: int
    ) -> list[Batch]:
        places = range(start, min(start + batch_size, len(self._order.row)))
        # Read side by side, taken in order: how many threads read changes nothing.
        shown = pool.map(self._try, [self._sample(place) for place in places])
        taken = (self._take(place, media) for place, media in zip(places, shown, strict=True))
        read = [sample for sample in taken if sample is not None]
        # Samples of like length side by side: less padding, and the sum over tokens is the same.
        read.sort(key=lambda pair: len(pair[0].tokens))
        return [
            _collate(read[at : at + micro_batch], self._tokens_per_clip)
            for at in range(0, len(read), micro_batch)
        ]

    def _sample(self, place: int) -> Sample:
        return self._shares[int(self._order.share[place])][int(self._order.row[place])]

    def _take(
        self, place: int, shown: Shown | DecodeFailed | None
    ) -> tuple[Encoded, Shown | None] | None:
        if isinstance(shown, DecodeFailed):
            self._skip(shown)
            return None
        sample = self._sample(place)
        self.fed.samples[int(self._order.share[place])] += 1
        if shown is not None and sample.kind == "video":
            self.fed.rates.append(shown.rate)
        return self._encode(sample, shown), shown

    def _try(self, sample: Sample) -> Shown | DecodeFailed | None:
        if sample.kind is None:
            return None
        reader = self._free.get()
        try:
            if sample.kind == "video":
                return reader.video(sample.media[0])
            return reader.images(sample.media)
        except DecodeFailed as error:
            return error
        finally:
            self._free.put(reader)

    def _skip(self, error: DecodeFailed) -> None:
        if self._bad_media == "stop":
            raise error
        self.fed.skipped[str(error.path)] = error.reason
        self.fed.skips += 1
        if self.fed.skips > MOST_SKIPPED * len(self._order.row):
            raise BadData(
                f"more than {MOST_SKIPPED:.0%} of the stage's samples have media that cannot be "
                f"read ({len(self.fed.skipped)} files); the first: {next(iter(self.fed.skipped))}"
            )

    def _encode(self, sample: Sample, shown: Shown | None) -> Encoded:
        """Encode once for each way of writing the media; a chat template is slow."""
        written = shown.written if shown is not None else ()
        key = (sample.id, *written, *(text for _, text in sample.turns))
        if key in self._encoded:
            return self._encoded[key]
        encoded = encode_training(
            self._tokenizer,
            place_media(sample.turns, written),
            tokens_per_clip=self._tokens_per_clip,
        )
        if self._longest is not None and len(encoded.tokens) > self._longest:
            raise BadData(
                f"sample {sample.id!r} has {len(encoded.tokens)} positions, the language model "
                f"takes {self._longest}: ask for fewer clips or fewer tokens per frame"
            )
        if len(self._encoded) < MOST_KEPT:
            self._encoded[key] = encoded
        return encoded


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


def _collate(read: Sequence[tuple[Encoded, Shown | None]], tokens_per_clip: int) -> Batch:
    media: list[Shown] = []
    shown: list[int] = []
    for _, seen in read:
        shown.append(-1 if seen is None else len(media))
        if seen is not None:
            media.append(seen)
    return collate([one for one, _ in read], media, shown, tokens_per_clip=tokens_per_clip)
