"""Models on the shelf: files by their digest, a record for each model, and where each came from."""

from __future__ import annotations

from selat.models.blobs import Blobs, Taken
from selat.models.kinds import Kind, check_content, kind_of
from selat.models.record import Lineage, Model, ModelFile, file_format, revision_of
from selat.models.store import Damage, Freed, ModelStore

__all__ = [
    "Blobs",
    "Damage",
    "Freed",
    "Kind",
    "Lineage",
    "Model",
    "ModelFile",
    "ModelStore",
    "Taken",
    "check_content",
    "file_format",
    "kind_of",
    "revision_of",
]
