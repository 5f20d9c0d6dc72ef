"""Download the weights that a sweep names, before any GPU is held, and pin them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from apollo_core.encoders.checkpoint_files import endings, weights_files
from apollo_core.errors import DataMissing
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.redaction import redact
from orchestrator.plan.weights import MICRO, Reference, encoder_reference, is_local, llm_reference
from orchestrator.spec.sweep_file import checked_designs
from orchestrator.spec.sweep_types import Sweep

_LONGEST = 300


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


def hub_sources(sweep: Sweep) -> dict[HubSource, tuple[str, ...]]:
    """Every hub repository that the sweep's variants start from, and the names that mean it."""
    found: dict[HubSource, dict[str, None]] = {}
    for name, reference in _references(sweep):
        if not reference.source.startswith(MICRO) and not is_local(reference.source):
            source = HubSource(reference.source, reference.revision, reference.family)
            found.setdefault(source, {})[name] = None
    return {source: tuple(names) for source, names in found.items()}


def fetch(source: HubSource) -> tuple[str, Path]:
    """Download one repository into the hub's cache; what is there already is not fetched again.

    Returns:
        The commit that the revision stands for now, and the folder.

    Raises:
        DataMissing: no such repository or revision, no access, no network, or no weights in it that
            its family is read from.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(source.id, revision=source.revision, allow_patterns=source.wanted)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise DataMissing(
            f"{source.id}@{source.revision}: cannot be fetched: {_reason(error)}"
        ) from error
    if not weights_files(folder):
        raise DataMissing(
            f"{source.id}@{source.revision}: holds no weights that the family {source.family!r} is "
            f"read from ({', '.join(source.wanted)}); name a repository or a revision that does"
        )
    return folder.name, folder


def pins(sweep: Sweep, commits: Mapping[str, str]) -> list[str]:
    """Lines of YAML for the sweep file that pin these names to commits; [] where all are pinned.

    Args:
        commits: name -> commit, of names that `hub_sources` gives.
    """
    lines: list[str] = []
    for name, reference in _references(sweep):
        commit = commits.get(name)
        if commit is None or reference.revision == commit:
            continue
        given = sweep.models.get(name)
        entry = {"source": reference.source, "revision": commit}
        if given is not None and given.family:
            entry["family"] = given.family
        line = f"  {json.dumps(name) if '/' in name else name}: "
        line += "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"
        if line not in lines:
            lines.append(line)
    return ["models:", *lines] if lines else []


def _reason(error: Exception) -> str:
    """Why the hub gave nothing, with what to do where that is known."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, RepositoryNotFoundError):
        cause = cause.__cause__
    if isinstance(cause, GatedRepoError):
        return "its owner must let you in: ask on its page, then set HF_TOKEN"
    if isinstance(cause, RepositoryNotFoundError):
        return "no such repository, or a private one that HF_TOKEN does not open"
    if isinstance(cause, RevisionNotFoundError):
        return "the repository has no such revision"
    text = " ".join(str(error).split())
    return redact(text[:_LONGEST]) or type(error).__name__


def _references(
    sweep: Sweep,
) -> Iterator[tuple[str, Reference[VisionGeometry] | Reference[LlmGeometry]]]:
    """Each name of a part with weights, and what it stands for; some more than once."""
    for named in checked_designs(sweep):
        for name in named.design.encoders:
            yield name, encoder_reference(sweep.models, name)
    for scale in sweep.scales.values():
        yield scale.llm, llm_reference(sweep.models, scale.llm, scale.size)
