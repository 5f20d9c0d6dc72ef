"""`config.json` of an exported variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import AutoConfig, PretrainedConfig


class ApolloConfig(PretrainedConfig):
    """All that it takes to build the model without its weights.

    Args:
        text_config: of the language model, as transformers writes it.
        encoders: in the design's order; each as `encoder_blueprints.describe` gives it.
        connector: resampler, frames_per_clip, joining, memory (as of `ModelIdentity`).
        precision: that the variant was evaluated in; weights are held in float32 all the same.
    """

    model_type = "apollo_sweeps"
    # A property in transformers' latest releases, a plain attribute in others.
    sub_configs = {"text_config": AutoConfig}  # noqa: RUF012  # pyright: ignore

    def __init__(
        self,
        text_config: Mapping[str, Any] | PretrainedConfig | None = None,
        encoders: Sequence[Mapping[str, Any]] = (),
        connector: Mapping[str, Any] | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        # Not on import: the model's modules import transformers, which may be importing us.
        from apollo_core.exported.registering import register

        register()
        if not isinstance(text_config, PretrainedConfig):
            stored = dict(text_config or {"model_type": "qwen2"})
            text_config = AutoConfig.for_model(stored.pop("model_type"), **stored)
        self.text_config = text_config
        self.encoders = [dict(each) for each in encoders]
        self.connector = dict(connector or {})
        self.precision = precision
        kwargs["tie_word_embeddings"] = getattr(text_config, "tie_word_embeddings", False)
        super().__init__(**kwargs)


# Here, for whoever loads this module first (`announcing`).
AutoConfig.register(ApolloConfig.model_type, ApolloConfig, exist_ok=True)
