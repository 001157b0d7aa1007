"""converted: what was made of a model by converting it comes onto the shelf, with what it was made of and how."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from selat.core.errors import ModelRefused
from selat.flows.shelve import Claim, Shelving
from selat.models import Lineage, Model
from selat.models.licence import licence

WHOLE = ("f32", "f16", "bf16")
"""Forms in which a weight is kept as a number of its own; the others quantise."""


def may_derive(base: Model) -> None:
    """Raises: ModelRefused, where the licence of the base forbids derived models."""
    found = licence(base.licence)
    if not found.derivatives:
        raise ModelRefused(
            f"{base.title}: its licence, {found.title}, forbids derived models, converted ones among them. "
            "Ask its maker, or serve its safetensors as they are"
        )


def shelve_converted(shelving: Shelving, base: Model, made: Path, name: str, form: str) -> Model:
    """Take in the file that was made of a model on the shelf, under its licence and label.

    Raises: BadRequest; ModelRefused, where the licence forbids it; Unavailable; LedgerUnavailable.
    """
    may_derive(base)
    relation = "converted" if form in WHOLE else "quantized"
    recipe = f"selat {version('selat')}, gguf {version('gguf')}: {form}"
    lineage = Lineage((f"{base.name}@{base.revision}",), relation, base.lineage.datasets, recipe)
    claim = Claim(name, "", base.licence, base.vendor, base.country, lineage, base.label)
    model, _ = shelving.add(made, claim)
    return model
