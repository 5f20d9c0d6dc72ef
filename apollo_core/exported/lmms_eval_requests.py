"""What lmms-eval asks of a model, answered by an exported variant; without importing lmms-eval.

Facts about lmms-eval 0.7 that its documentation has otherwise, or not at all:

- `loglikelihood` returns the *loss*: of several continuations it takes the one with the smallest
  number (`ConfigurableTask.process_results` is an argmin), whatever its docstring says. The loss
  here is the mean over the continuation's tokens, in nats, as its own models return it.
- a request's `args` are (context, continuation or a function of the document, `doc_to_visual`,
  number of the document, task, split), and for `generate_until` the settings of generation in
  place of the continuation; documents are found in `task_dict[task][split]`.
- the context carries no mark of what is shown; a model puts it where it wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, runtime_checkable

import torch
from PIL.Image import Image

from apollo_core.errors import BadInput
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration
from apollo_core.exported.apollo_processor import ApolloProcessor
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest_record import Medium
from apollo_core.media.reader import Shown
from apollo_core.scoring.prefix import beginnings
from apollo_core.text.chat import IGNORED, Encoded

_STILLS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
# Where a task does not say it.
MOST_TOKENS = 64

Documents = Mapping[str, Mapping[str, Sequence[Any]]]


@runtime_checkable
class Request(Protocol):
    """As much of `lmms_eval.api.instance.Instance` as is read."""

    @property
    def args(self) -> tuple[Any, ...]:
        """See this module."""
        ...


@dataclass
class VariantUnderTest:
    """An exported variant as lmms-eval asks it.

    Attributes:
        model, processor: as loaded from the folder.
        decoder: reads videos; the caller ends it.
        micro_batch: rows in one forward.
    """

    model: ApolloForConditionalGeneration
    processor: ApolloProcessor
    decoder: Decoder
    micro_batch: int = 16

    def losses(self, requests: Sequence[Request], documents: Documents) -> list[tuple[float, bool]]:
        """For each request the mean loss of its continuation, and whether greedy writing gives it.

        Requests that follow one another about one document see it once, and share what they begin
        with. Space around a continuation is dropped: what a turn begins with is the template's.

        Raises:
            BadInput: an empty continuation; something shown that is neither video nor image.
            DecodeFailed: something shown cannot be read.
        """
        found: list[tuple[float, bool]] = []
        for _, same in groupby(requests, key=lambda one: one.args[3:6]):
            group = list(same)
            document = _document(group[0], documents)
            with self._shown(group[0].args[2], document) as shown:
                found += self._losses([self._encoded(one, document, shown) for one in group], shown)
        return found

    def written(self, requests: Sequence[Request], documents: Documents) -> list[str]:
        """What the variant writes to each request, cut before the first of its stop words.

        Greedy, unless the task asks to sample at a temperature above 0.

        Raises:
            BadInput, DecodeFailed: as of `losses`.
        """
        found: list[str] = []
        for one in requests:
            context, settings, visual = one.args[:3]
            with self._shown(visual, _document(one, documents)) as shown:
                inputs = self.processor.inputs([context], [shown]).to(self.model.device)
                options = _options(settings, self._room(inputs["input_ids"].shape[1]))
                tokens = self.model.generate(**inputs, **options)
            found.append(cut(self.processor.batch_decode(tokens)[0], stop_words(settings)))
        return found

    def _shown(self, visual: Callable[[Any], Any], document: Any) -> _Showing:
        return _Showing(self.processor, self.decoder, _visuals(visual, document))

    def _encoded(self, request: Request, document: Any, shown: Shown | None) -> Encoded:
        context, target = request.args[:2]
        continuation = str(target(document) if callable(target) else target).strip()
        if not continuation:
            raise BadInput(
                f"lmms-eval asks for the likelihood of {target!r}: nothing is left of it"
            )
        encoded = self.processor.ask(context, shown, answer=continuation)
        if (room := self._room(len(encoded.tokens))) is not None and room < 0:
            raise BadInput(
                f"a request needs {len(encoded.tokens)} positions, {-room} more than the language "
                "model takes: sample fewer clips (model_args, `max_clips=`)"
            )
        return encoded

    @torch.inference_mode()
    def _losses(self, rows: Sequence[Encoded], shown: Shown | None) -> Iterator[tuple[float, bool]]:
        with self.model.as_evaluated():
            for prefix, group in beginnings(self.model.lmm, rows, shown):
                coming = prefix.log_probabilities(group, micro_batch=self.micro_batch)
                for row, found in zip(group, coming, strict=True):
                    ids = torch.from_numpy(row.labels[row.labels != IGNORED]).to(found.device)
                    loss = -found.gather(1, ids[:, None]).mean().item()
                    yield loss, bool((found.argmax(-1) == ids).all())

    def _room(self, length: int) -> int | None:
        longest = self.model.lmm.longest
        return None if longest is None else longest - length


class _Showing:
    """A document's media while they are asked about; None where it has none.

    Pictures that are in memory become files, since that is what is read.
    """

    def __init__(
        self, processor: ApolloProcessor, decoder: Decoder, visuals: Sequence[object]
    ) -> None:
        self._reader = processor.reader(decoder, Path.cwd())
        self._visuals = visuals
        self._folder = TemporaryDirectory()

    def __enter__(self) -> Shown | None:
        try:
            media = [self._medium(number, one) for number, one in enumerate(self._visuals)]
            return self._reader.show(media) if media else None
        except BaseException:
            self._folder.cleanup()
            raise

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _medium(self, number: int, visual: object) -> Medium:
        if isinstance(visual, Image):
            path = Path(self._folder.name) / f"{number}.png"
            visual.convert("RGB").save(path)
            return Medium("image", str(path))
        if isinstance(visual, str | Path):
            still = str(visual).lower().endswith(_STILLS)
            return Medium("image" if still else "video", str(Path(visual).absolute()))
        raise BadInput(
            f"a task shows {type(visual).__name__}; a variant sees videos (paths) and images "
            "(paths, or PIL images)"
        )


def stop_words(settings: Mapping[str, Any]) -> list[str]:
    """A task's `until`: one text or several; empty ones stop nothing."""
    until = settings.get("until") or []
    return [word for word in ([until] if isinstance(until, str) else until) if word]


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of the stop words."""
    ends = [text.index(stop) for stop in stops if stop in text]
    return text[: min(ends, default=len(text))]


def _options(settings: Mapping[str, Any], room: int | None) -> dict[str, Any]:
    """A task's settings of generation as `generate` takes them."""
    most = int(settings.get("max_new_tokens") or MOST_TOKENS)
    options: dict[str, Any] = {"max_new_tokens": most if room is None else max(1, min(most, room))}
    temperature = float(settings.get("temperature") or 0)
    options["do_sample"] = bool(settings.get("do_sample", temperature > 0)) and temperature > 0
    if options["do_sample"]:
        options["temperature"] = temperature
        options |= {"top_p": float(settings["top_p"])} if settings.get("top_p") else {}
    if settings.get("num_beams"):
        options["num_beams"] = int(settings["num_beams"])
    return options


def _document(request: Request, documents: Documents) -> Any:
    number, task, split = request.args[3:6]
    return documents[task][split][number]


def _visuals(visual: Callable[[Any], Any], document: Any) -> list[object]:
    """What a task shows of a document: nothing, one thing, a list, or a list in a list."""
    found = visual(document)
    if found is None:
        return []
    several = found if isinstance(found, list | tuple) else [found]
    return [each for one in several for each in (one if isinstance(one, list | tuple) else [one])]
