"""From a question and a video's path to the model's inputs, read as the evaluation reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from apollo_core.batch import collate
from apollo_core.design import Integration, MemoryBank, Sampling
from apollo_core.errors import BadInput, pick
from apollo_core.execution import Execution
from apollo_core.llm import load_tokenizer
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import Item
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.scoring.likelihood import write_prompt
from apollo_core.stages.identity import Regime
from apollo_core.text.chat import IGNORED, Encoded, encode_answer

PathLike = str | Path
_FIELDS = (
    *("sampling", "integration", "memory", "input_size", "tokens_per_clip", "conditioned"),
    "decoder",
)
# Those of transformers' options that say where files are to be found.
_WHERE = ("cache_dir", "local_files_only", "token", "subfolder", "force_download")


class ApolloProcessor(ProcessorMixin):
    """Samples, decodes, writes the prompt, and tokenises.

    Args:
        tokenizer: the language model's, with its chat template.
        sampling: how videos are sampled, as in a sweep file; may be changed on a loaded processor.
        integration: how clips stand in the text.
        memory: the connector's memory bank, or None.
        input_size: side in pixels at which frames are decoded.
        tokens_per_clip: visual tokens of a clip.
        conditioned: whether these depend on the question.
        decoder: of videos, as in a sweep file; may be changed, too.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        sampling: Mapping[str, Any],
        integration: Integration,
        input_size: int,
        tokens_per_clip: int,
        memory: Mapping[str, Any] | None = None,
        conditioned: bool = False,
        decoder: DecoderName = DEFAULT_DECODER,
    ) -> None:
        super().__init__(tokenizer, chat_template=tokenizer.chat_template)
        self.sampling = dict(sampling)
        self.integration: Integration = integration
        self.memory = dict(memory) if memory else None
        self.input_size = input_size
        self.tokens_per_clip = tokens_per_clip
        self.conditioned = conditioned
        self.decoder: DecoderName = decoder

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, source: PathLike, *, revision: str | None = None, **options: Any
    ) -> ApolloProcessor:
        """Of an exported folder, or of one on the hub."""
        where = {name: options[name] for name in _WHERE if name in options}
        stored, _ = cls.get_processor_dict(str(source), revision=revision, **where)
        fields = {name: stored[name] for name in _FIELDS if name in stored}
        # transformers' own choice by model type would take another splitter for some tokenizers.
        return cls(load_tokenizer(str(source), revision=revision or "main"), **fields)

    def to_dict(self) -> dict[str, Any]:
        """Without the class's name: transformers finds it by the type in `config.json`.

        By name it would look before that type, and with it this class, is known to it.
        """
        stored = super().to_dict()
        stored.pop("processor_class", None)
        return stored

    def save_pretrained(self, save_directory: PathLike, **options: Any) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As every processor; see `to_dict`."""
        written = super().save_pretrained(str(save_directory), **options)
        self.tokenizer._set_processor_class(None)
        self.tokenizer.save_pretrained(str(save_directory))
        return written

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        text: str | Sequence[str],
        videos: PathLike | Sequence[PathLike | None] | None = None,
        images: PathLike | Sequence[PathLike | None] | None = None,
        *,
        return_tensors: str = "pt",
    ) -> BatchFeature:
        """Questions, each about a video, an image or nothing, as inputs of `generate`.

        Args:
            text: one question or several, in plain words: the chat template is applied here.
            videos, images: paths; of several questions one each, or None.
            return_tensors: always "pt".

        Raises:
            BadInput: not as many media as questions; both a video and an image for one.
            DecodeFailed: a file cannot be read.
        """
        questions = [text] if isinstance(text, str) else list(text)
        media = [
            self._medium(*pair)
            for pair in zip(
                _each(videos, len(questions), "videos"),
                _each(images, len(questions), "images"),
                strict=True,
            )
        ]
        return self.inputs(questions, media)

    def inputs(self, questions: Sequence[str], media: Sequence[Shown | None]) -> BatchFeature:
        """Questions as inputs of `generate`, each about what is shown beside it."""
        encoded = [self.ask(*pair) for pair in zip(questions, media, strict=True)]
        shown = [medium for medium in media if medium is not None]
        places = np.cumsum([medium is not None for medium in media]) - 1
        batch = collate(
            encoded,
            shown,
            [int(at) if medium else -1 for at, medium in zip(places, media, strict=True)],
            tokens_per_clip=self.tokens_per_clip,
            conditioned=self.conditioned,
        )
        return BatchFeature(
            {
                "input_ids": batch.tokens,
                "attention_mask": batch.attended,
                "source": batch.source,
                "clips": batch.clips,
                "still": batch.still,
                "medium": batch.medium,
                "places": batch.places,
                "asked": batch.asked,
            }
        )

    def show(self, path: PathLike, regime: Regime = "video") -> Shown:
        """A video as the model sees it: sampled, or its middle frame. Raises `DecodeFailed`."""
        deadline_s = Execution().decode_deadline_s
        with Decoder(deadline_s=deadline_s, decoder=self.decoder) as decoder:
            file = Path(path)
            reader = self._reader(decoder, file)
            shots = {"video": reader.video, "center_frame": reader.center_frame}
            return pick(shots, regime, field="regime")(file.name)

    def batch_decode(self, sequences: Any, **options: Any) -> list[str]:
        """What was written, without special tokens."""
        return self.tokenizer.batch_decode(sequences, **{"skip_special_tokens": True, **options})

    def _medium(self, video: PathLike | None, image: PathLike | None) -> Shown | None:
        if video is not None and image is not None:
            raise BadInput("a question is about a video or about an image; give one of them")
        if video is not None:
            return self.show(video)
        if image is None:
            return None
        with Decoder(deadline_s=Execution().decode_deadline_s) as decoder:
            file = Path(image)
            return self._reader(decoder, file).image(file.name)

    def _reader(self, decoder: Decoder, file: Path) -> MediaReader:
        return self.reader(decoder, file.absolute().parent)

    def reader(self, decoder: Decoder, root: Path) -> MediaReader:
        """Reads media under `root` as the evaluation reads them."""
        return MediaReader(
            decoder,
            root,
            TypeAdapter(Sampling).validate_python(self.sampling),
            self.integration,
            self.input_size,
            MemoryBank(**self.memory) if self.memory else None,
        )

    def ask(self, question: str, shown: Shown | None, *, answer: str | None = None) -> Encoded:
        """The conversation up to where its answer begins, or with an answer, which is supervised.

        Args:
            question: in plain words.
            shown: what it is about: one medium, or several in order.
            answer: the assistant's turn.
        """
        item = Item("", "", question, (), 0, "")
        written = "\n".join(shown.written) if shown else ""
        asked = write_prompt(item, written, "question-v1")
        whole = encode_answer(
            self.tokenizer, asked, answer or "A", tokens_per_clip=self.tokens_per_clip
        )
        if answer is not None:
            return whole
        start = int(np.flatnonzero(whole.labels != IGNORED)[0])
        return Encoded(whole.tokens[:start], whole.labels[:start], whole.source[:start])


def _each(
    given: PathLike | Sequence[PathLike | None] | None, count: int, name: str
) -> list[PathLike | None]:
    """One path, or None, for each question."""
    if given is None:
        return [None] * count
    several = isinstance(given, list | tuple)
    found: list[Any] = [*given] if several else [given]
    if len(found) != count or not all(one is None or isinstance(one, str | Path) for one in found):
        raise BadInput(
            f"{name}: a path for each question is needed (or None): {count}, got {given!r}"
        )
    return found
