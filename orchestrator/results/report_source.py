"""What a report says of a sweep that its tables do not hold, in a file beside them.

With it a report is made again from its folder alone, without sweep file and store.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from apollo_core.errors import BadInput
from orchestrator.files import write_atomically

NAME = "source.json"


class ReportSource(BaseModel):
    """Where a score table comes from.

    Attributes:
        title: the sweep's name.
        axes: of the sweep: a table alone does not tell them from what they change.
        provenance: flat facts, as the page shows them.
        data: what each training stage was fed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    axes: tuple[str, ...]
    provenance: dict[str, JsonValue]
    data: list[dict[str, JsonValue]]


def write_source(source: ReportSource, folder: Path) -> Path:
    """Write it into a report's folder."""
    path = folder / NAME
    write_atomically(path, json.dumps(source.model_dump(mode="json"), indent=1) + "\n")
    return path


def source_beside(table: Path) -> ReportSource | None:
    """The source of a score table, None where no such file stands beside it.

    Raises:
        BadInput: it cannot be read.
    """
    path = table.parent / NAME
    try:
        return ReportSource.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise BadInput(
            f"{path}: not what a report of a sweep writes ({error}); remove it"
        ) from None
