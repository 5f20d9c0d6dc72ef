"""`apollo schema`: the sweep file's JSON Schema, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of sweep files."""
    from orchestrator.spec.sweep_types import Sweep

    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Sweep.model_json_schema(),
    }
    typer.echo(json.dumps(document, indent=2))
