"""Load a model of somebody else with its own processor: from a local folder, whole or not at all.

Processors for video need torchvision, in every family that transformers has (release 5): where it
is absent a processor is put together without that part, and takes frames as images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoProcessor, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_torchvision_available
from transformers.utils.logging import disable_progress_bar

from apollo_core.encoders.pretrained import refuse_differences
from apollo_core.errors import BadInput
from apollo_core.stages.identity import FramesAs

# Family of an external model's weights, in its `Part`.
FAMILY = "image-text-to-text"
# Exported variants of ours answer through their own class.
_OURS = "apollo_sweeps"
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, ImportError, StrictDataclassError)


@dataclass(frozen=True)
class External:
    """A model with its processor.

    Attributes:
        model: in evaluation mode, of a class for image-text-to-text.
        processor: its own, tokenizer and chat template included.
        frames_as: how it is shown a video's frames.
    """

    model: PreTrainedModel
    processor: Any
    frames_as: FramesAs

    @property
    def tokenizer(self) -> Any:
        """The processor's."""
        return self.processor.tokenizer


def load_external(folder: str | Path, *, frames_as: FramesAs, device: torch.device) -> External:
    """The model of a folder as `save_pretrained` leaves it, safetensors alone, in float32.

    Raises:
        BadInput: no model of the kind, or no processor for it, can be loaded from there.
        BadData: the weights are not exactly the model's.
    """
    disable_progress_bar()
    config = external_config(folder)
    processor = load_processor(folder, config, frames_as)
    kind = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    model, info = cast(Any, kind).from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    refuse_differences(
        f"{folder}: not the weights that its config.json describes",
        missing=info["missing_keys"],
        misshapen={str(key) for key, *_ in info["mismatched_keys"]},
        unexpected=info["unexpected_keys"],
    )
    model.requires_grad_(requires_grad=False).eval()
    return External(model.to(device), processor, frames_as)


def external_config(folder: str | Path) -> PretrainedConfig:
    """The configuration of a model for image-text-to-text; reads no weights.

    Raises:
        BadInput: there is none, or it is another kind of model.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except _UNREADABLE as error:
        raise BadInput(
            f"{folder}: no model that transformers knows can be read there: {_first(error)}. Give "
            "the folder that holds config.json; models with code of their own are not run"
        ) from error
    if config.model_type == _OURS:
        raise BadInput(
            f"{folder}: an exported variant of ours; its scores are in the sweep's own table, and "
            "`judge` of the loaded model answers more questions"
        )
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise BadInput(
            f"{folder}: model type {config.model_type!r} is not one for image-text-to-text, which "
            "answers questions about images or videos (Qwen2-VL, LLaVA-OneVision, ...)"
        )
    return config


def load_processor(folder: str | Path, config: PretrainedConfig, frames_as: FramesAs) -> Any:
    """A model's own processor; for images only, where torchvision is absent.

    Raises:
        BadInput: it cannot be had, or lacks what `frames_as` or a conversation needs.
    """
    if frames_as == "video" and not is_torchvision_available():
        raise BadInput(
            f"{folder}: frames_as: video needs torchvision, which processors for video are made "
            "of: install the release that belongs to this torch, or set `frames_as: images`"
        )
    try:
        if is_torchvision_available():
            processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        else:
            processor = _for_images(folder, config)
    except _UNREADABLE as error:
        raise BadInput(
            f"{folder}: no processor for model type {config.model_type!r} can be loaded from "
            f"there: {_first(error)}"
        ) from error
    parts = {"video": "video_processor", "images": "image_processor"}
    if getattr(processor, parts[frames_as], None) is None:
        other = "images" if frames_as == "video" else "video"
        raise BadInput(
            f"{folder}: its processor takes no {frames_as}; set `frames_as: {other}` if it takes "
            "those"
        )
    if not getattr(processor, "chat_template", None):
        raise BadInput(
            f"{folder}: no chat template; put chat_template.jinja there, as the model's publisher "
            "has it: without it nobody knows how the model is asked"
        )
    return processor


def _for_images(folder: str | Path, config: PretrainedConfig) -> Any:
    """The model's processor without a part for videos."""
    whole: Any = PROCESSOR_MAPPING[type(config)]

    class WithoutVideos(whole):
        """The same class, of whose parts that for videos may be missing."""

        def check_argument_for_proper_class(self, name: str, part: Any) -> Any:
            return None if part is None else super().check_argument_for_proper_class(name, part)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return whole.get_attributes()

        @classmethod
        def _get_arguments_from_pretrained(cls, source: Any, *given: Any, **options: Any) -> Any:
            asked = [name for name in whole.get_attributes() if name != "video_processor"]
            there = type("Asked", (whole,), {"get_attributes": classmethod(lambda _: asked)})
            found = cast(Any, there)._get_arguments_from_pretrained(source, *given, **options)
            named = dict(zip(asked, found, strict=True))
            return [named.get(name) for name in whole.get_attributes()]

    WithoutVideos.__name__ = whole.__name__
    return WithoutVideos.from_pretrained(folder, local_files_only=True)


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")
