"""A training set as a stage reads it: without what the sweep leaves out."""

from __future__ import annotations

from apollo_core.media.manifest import read_manifest
from apollo_core.stages.context import StageContext
from apollo_core.training_files.conversations import Conversations
from apollo_core.training_files.exclusion import exclusion_at


def read_set(fingerprint: str, context: StageContext) -> Conversations:
    """The set with this fingerprint. Raises as `read_manifest` and `read_exclusion`."""
    read = read_manifest(context.locations[fingerprint], context.media_root)
    exclusion = exclusion_at(context.locations, fingerprint)
    return read if exclusion is None else exclusion.of(read)
