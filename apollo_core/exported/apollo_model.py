"""A trained variant as a transformers model: loaded whole or not at all, asked in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import TypeAdapter
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from apollo_core.batch import Batch
from apollo_core.connector.connector import Connector
from apollo_core.design import Joining, MemoryBank, Resampler
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.pretrained import refuse_differences
from apollo_core.errors import BadInput
from apollo_core.exported.apollo_config import ApolloConfig
from apollo_core.exported.encoder_blueprints import build, restore_computed
from apollo_core.frozen import Frozen
from apollo_core.media.manifest import Item
from apollo_core.model import VideoLMM
from apollo_core.scoring.answering import answer as answer_items
from apollo_core.scoring.asked_orders import Answer
from apollo_core.stages.identity import Prompt, Regime, Scoring
from apollo_core.text.chat import IGNORED

if TYPE_CHECKING:
    from apollo_core.exported.apollo_processor import ApolloProcessor


class ConnectorSizes(Frozen):
    """`connector` of `config.json`; see `apollo_core.stages.identity.ModelIdentity`."""

    resampler: Resampler
    frames_per_clip: int
    joining: Joining = "unified"
    memory: MemoryBank | None = None


class ApolloForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """The video LMM of one variant.

    `lmm` is the very module that stages train and evaluate. Inputs are what `ApolloProcessor`
    gives: the fields of `apollo_core.batch.Batch`.
    """

    config_class = ApolloConfig
    main_input_name = "input_ids"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: ApolloConfig) -> None:
        super().__init__(config)
        sizes = TypeAdapter(ConnectorSizes).validate_python(config.connector)
        encoders = [build(blueprint) for blueprint in config.encoders]
        llm = AutoModelForCausalLM.from_config(config.text_config)
        connector = Connector(
            sizes.resampler,
            dims=[encoder.dim for encoder in encoders],
            hidden=config.text_config.hidden_size,
            frames_per_clip=sizes.frames_per_clip,
            joining=sizes.joining,
            per_frame=[encoder.per_frame for encoder in encoders],
            memory=sizes.memory,
        )
        self.lmm = VideoLMM(cast(Sequence[VideoEncoder], encoders), connector, llm)
        self.post_init()
        # `post_init` looks for tied weights in direct children only.
        tied = cast(Any, llm).all_tied_weights_keys
        self.all_tied_weights_keys |= {f"lmm.llm.{a}": f"lmm.llm.{b}" for a, b in tied.items()}

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, source: str | Path, *arguments: Any, output_loading_info: bool = False, **options: Any
    ) -> Any:
        """As every model of transformers; from safetensors alone, and with all of its weights.

        Raises:
            BadData: the files lack tensors of the model, or have others: by itself transformers
                would fill in noise and go on.
        """
        options |= {"output_loading_info": True, "use_safetensors": True}
        model, info = cast(Any, super().from_pretrained(source, *arguments, **options))
        refuse_differences(
            f"{source}: not the weights that its config.json describes",
            missing=info["missing_keys"],
            misshapen={str(key) for key, *_ in info["mismatched_keys"]},
            unexpected=info["unexpected_keys"],
        )
        restore_computed(model)
        return (model, info) if output_loading_info else model

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing is drawn here: modules come with their own first weights, or are loaded."""

    def get_input_embeddings(self) -> nn.Module:
        """The language model's."""
        return self.lmm.llm.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The language model's."""
        return cast(nn.Module, self.lmm.llm.get_output_embeddings())

    def forward(
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Bool[Tensor, "batch length"],
        source: Int[Tensor, "batch length"],
        clips: UInt8[Tensor, "clips frames height width 3"],
        still: Bool[Tensor, " clips"],
        medium: Int[Tensor, " clips"],
        places: Int[Tensor, " media"],
        asked: Int[Tensor, "media words"],
        labels: Int[Tensor, "batch length"] | None = None,
    ) -> CausalLMOutputWithPast:
        """Logits at every position and, with `labels`, the mean cross entropy over them."""
        batch = _batch(input_ids, attention_mask, source, clips, still, medium, places, asked)
        with self._in_its_precision():
            embedded = self.lmm.embed(batch)
            return self.lmm.llm(
                inputs_embeds=embedded,
                attention_mask=attention_mask.long(),
                labels=labels,
                use_cache=False,
            )

    @torch.no_grad()
    def generate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Bool[Tensor, "batch length"],
        source: Int[Tensor, "batch length"],
        clips: UInt8[Tensor, "clips frames height width 3"],
        still: Bool[Tensor, " clips"],
        medium: Int[Tensor, " clips"],
        places: Int[Tensor, " media"],
        asked: Int[Tensor, "media words"],
        **options: Any,
    ) -> Int[Tensor, "batch written"]:
        """The tokens written behind each row, without the row itself.

        Args:
            input_ids, attention_mask, source: the rows, as the processor gives them.
            clips, still, medium, places, asked: what they show, as it gives it.
            options: what `generate` of transformers takes (`max_new_tokens`, `do_sample`, ...).

        Raises:
            BadInput: a row is longer than the language model takes.
        """
        longest = self.lmm.longest
        if longest is not None and input_ids.shape[1] >= longest:
            raise BadInput(
                f"the question and what it shows take {input_ids.shape[1]} positions, the language "
                f"model takes {longest}: sample fewer clips (`sampling` of the processor)"
            )
        batch = _batch(input_ids, attention_mask, source, clips, still, medium, places, asked)
        with self.as_evaluated():
            embedded = self.lmm.embed(batch)
            embedded, attended = _padded_on_the_left(embedded, attention_mask)
            llm = cast(Any, self.lmm.llm)
            llm.generation_config = self.generation_config
            return llm.generate(inputs_embeds=embedded, attention_mask=attended.long(), **options)

    def answer(
        self,
        processor: ApolloProcessor,
        question: str,
        video: str | Path | None = None,
        **options: Any,
    ) -> str:
        """What the model writes to a question about a video, or about nothing that is shown.

        Args:
            processor: the folder's.
            question: in plain words.
            video: path of a file; None = the question alone.
            options: as of `generate`; 64 new tokens by default.
        """
        inputs = processor(text=question, videos=video).to(self.device)
        written = self.generate(**inputs, **{"max_new_tokens": 64, **options})
        return processor.batch_decode(written)[0]

    def judge(
        self,
        processor: ApolloProcessor,
        items: Sequence[Item],
        video: str | Path | None = None,
        *,
        scoring: Scoring,
        prompt: Prompt,
        regime: Regime = "video",
        rotations: int = 1,
        micro_batch: int = 16,
    ) -> list[Answer]:
        """Answer multiple-choice questions about one video, by the code that evaluated the variant.

        Args:
            processor: the folder's.
            items: the questions; all of one video at once, as the evaluation asks them.
            video: path of the file they are about; not looked at in the regime `text`.
            scoring, prompt, regime, rotations: as in a sweep file.
            micro_batch: rows in one forward.

        Raises:
            BadData: the video cannot be read, or a question is too long.
        """
        shown = processor.show(video, regime) if video is not None and regime != "text" else None
        with self.as_evaluated():
            return answer_items(
                self.lmm,
                processor.tokenizer,
                items,
                shown,
                scoring=scoring,
                prompt=prompt,
                rotations=rotations,
                micro_batch=micro_batch,
            )

    @contextmanager
    def as_evaluated(self) -> Iterator[None]:
        """Frozen, since frozen encoders work medium by medium; and in the stage's precision."""
        training, trained = self.training, [p for p in self.parameters() if p.requires_grad]
        self.requires_grad_(requires_grad=False).eval()
        try:
            with self._in_its_precision():
                yield
        finally:
            self.train(training)
            for parameter in trained:
                parameter.requires_grad_()

    def _in_its_precision(self) -> torch.autocast:
        # Frames come in float32: weights that were loaded in half of it need autocast too.
        half = self.config.precision == "bfloat16" or self.dtype == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)


def _batch(
    input_ids: Tensor,
    attention_mask: Tensor,
    source: Tensor,
    clips: Tensor,
    still: Tensor,
    medium: Tensor,
    places: Tensor,
    asked: Tensor,
) -> Batch:
    return Batch(
        tokens=input_ids,
        labels=torch.full_like(input_ids, IGNORED),
        attended=attention_mask.bool(),
        source=source,
        clips=clips,
        still=still,
        medium=medium,
        places=places,
        asked=asked,
    )


def _padded_on_the_left(
    embedded: Float[Tensor, "batch length hidden"], attended: Bool[Tensor, "batch length"]
) -> tuple[Float[Tensor, "batch length hidden"], Bool[Tensor, "batch length"]]:
    """Padding moved from behind the rows to before them, where generation wants it."""
    length = attended.shape[1]
    missing = length - attended.long().sum(1, keepdim=True)
    order = (torch.arange(length, device=embedded.device)[None] - missing) % length
    return (
        embedded.gather(1, order[..., None].expand_as(embedded)),
        attended.gather(1, order),
    )
