"""Models on the shelf: files by their digest, a record for each model, and where each came from."""

from __future__ import annotations

from selat.models.blobs import Blobs, Taken
from selat.models.kinds import Kind, check_content, kind_of
from selat.models.record import SIGNATURE, Lineage, Model, ModelFile, Signed, file_format, revision_of
from selat.models.store import Damage, Freed, ModelStore

__all__ = [
    "SIGNATURE",
    "Blobs",
    "Damage",
    "Freed",
    "Kind",
    "Lineage",
    "Model",
    "ModelFile",
    "ModelStore",
    "Signed",
    "Taken",
    "check_content",
    "file_format",
    "kind_of",
    "revision_of",
]
