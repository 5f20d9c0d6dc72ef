"""Load a transformers model whole, or not at all."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from apollo_core.errors import BadData

Model = TypeVar("Model", bound=PreTrainedModel)


def load_whole(kind: type[Model] | Any, source: str, *, revision: str, **options: Any) -> Model:
    """`kind.from_pretrained`, where every weight of the model comes from the checkpoint.

    By itself transformers fills what a checkpoint lacks with fresh values and goes on with a
    warning: a wrong folder would train from noise. What the checkpoint has beyond the model (a text
    tower, a head) is left out, as it is for the parts of a video LMM.

    Weights are held in float32 whatever the checkpoint's type: small steps would round to nothing.

    Args:
        kind: a model class, or an auto class.
        source: hub id or folder.
        revision: commit or branch of a hub id.
        options: passed on.

    Raises:
        BadData: no safetensors checkpoint there, or one that lacks weights of the model.
    """
    disable_progress_bar()
    set_verbosity_error()  # its report of missing weights is a table of every one of them
    try:
        model, info = cast(Any, kind).from_pretrained(
            source,
            revision=revision,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, RuntimeError) as error:
        raise BadData(f"{source}: cannot be loaded as {kind.__name__}: {error}") from error
    lacking = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    if lacking:
        raise BadData(
            f"{source}: not the weights of a {type(model).__name__}: {len(lacking)} tensors are "
            f"missing or misshapen, such as {', '.join(lacking[:3])}"
        )
    return model
