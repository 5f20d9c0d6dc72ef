"""Tell transformers' auto classes which model and which processor belong to our configuration."""

from __future__ import annotations

from functools import cache

from transformers import (
    AutoModelForImageTextToText,
    AutoModelForMultimodalLM,
    AutoProcessor,
)

from apollo_core.exported.apollo_config import ApolloConfig
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration
from apollo_core.exported.apollo_processor import ApolloProcessor


@cache
def register() -> None:
    """Register both, once."""
    for auto in (AutoModelForImageTextToText, AutoModelForMultimodalLM):
        auto.register(ApolloConfig, ApolloForConditionalGeneration, exist_ok=True)
    AutoProcessor.register(ApolloConfig, ApolloProcessor, exist_ok=True)
