"""The entry point by which lmms-eval finds `apollo` among its models (`lmms_eval.models`)."""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    """Name and place of the class; lmms-eval calls this, so it is there to be imported."""
    from lmms_eval.models.registry_v2 import (  # pyright: ignore[reportMissingImports]
        ModelManifest,
    )

    return ModelManifest(
        model_id="apollo", simple_class_path="apollo_core.exported.lmms_eval_model.Apollo"
    )
