"""Download the weights that a sweep names, before any GPU is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apollo_core.encoders.checkpoint_files import endings
from apollo_core.errors import DataMissing
from apollo_core.geometry import LlmGeometry, VisionGeometry
from orchestrator.plan.weights import MICRO, Reference, encoder_reference, is_local, llm_reference
from orchestrator.spec.sweep_file import checked_designs
from orchestrator.spec.sweep_types import Sweep


@dataclass(frozen=True)
class HubSource:
    """A repository on the hub that a sweep names, and the revision that it asks for.

    Attributes:
        family: of the model in it, which says what it is read from.
    """

    id: str
    revision: str
    family: str

    @property
    def wanted(self) -> list[str]:
        """Patterns of what is fetched: weights as the family reads them, config, tokenizer.

        What torch saved comes only for families that are published so; it is read as tensors alone.
        """
        return [f"*{ending}" for ending in endings(self.family)]


def hub_sources(sweep: Sweep) -> tuple[HubSource, ...]:
    """Every hub repository that the sweep's variants start from, each once."""
    found = dict.fromkeys(
        HubSource(reference.source, reference.revision, reference.family)
        for reference in _references(sweep)
        if not reference.source.startswith(MICRO) and not is_local(reference.source)
    )
    return tuple(found)


def fetch(source: HubSource) -> tuple[str, Path]:
    """Download one repository into the hub's cache; what is there already is not fetched again.

    Returns:
        The commit that the revision stands for now, and the folder.

    Raises:
        DataMissing: no such repository or revision, no access, or no network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(source.id, revision=source.revision, allow_patterns=source.wanted)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataMissing(f"{source.id}@{source.revision}: cannot be fetched: {reason}") from error
    return folder.name, folder


def _references(
    sweep: Sweep,
) -> Iterator[Reference[VisionGeometry] | Reference[LlmGeometry]]:
    for named in checked_designs(sweep):
        for name in named.design.encoders:
            yield encoder_reference(sweep.models, name)
    for scale in sweep.scales.values():
        yield llm_reference(sweep.models, scale.llm, scale.size)
