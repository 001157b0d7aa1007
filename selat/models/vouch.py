"""Whether a model is what somebody signed whose signatures count here, and which models must be signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from selat.core.errors import ModelRefused
from selat.models.kinds import kind_of
from selat.models.record import SIGNATURE, Model, Signed
from selat.models.signers import SignerUnknown, Trust, Vouched, read_trust


def left_out(path: str) -> bool:
    """Whether a signed file is one that never comes onto the shelf, and so is not missing there."""
    return not kind_of(path).taken


@dataclass(frozen=True, slots=True)
class Signatures:
    """Whose signatures count, and the patterns of names of models that come only with one of them."""

    trust: Trust = Trust()  # noqa: RUF009 - frozen
    required: tuple[str, ...] = ()

    def needed(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.required)

    def of(self, name: str, unverified: bytes | None) -> Vouched | None:
        """What one of ours signed of a model of that name; None where nobody did and nobody has to.

        Raises: ModelRefused, for a false signature, or where one is required and none counts.
        """
        try:
            if unverified is not None:
                return self.trust.verify(unverified)
            if not self.needed(name):
                return None
            raise SignerUnknown(f"it has no {SIGNATURE}")
        except SignerUnknown as error:
            if not self.needed(name):
                return None
            raise ModelRefused(
                f"{name} comes only when signed (setting model_require_signed), and {error}. Nothing was kept"
            ) from error

    def vouched(
        self, model: Model, unverified: bytes | None, now: str, spared: Callable[[str], bool] = left_out
    ) -> Model:
        """The model with who signed it, held against what was signed. Raises: ModelRefused."""
        found = self.of(model.name, unverified)
        return replace(model, signed=Signed() if found is None else signed_by(found, model, now, spared))


def signed_by(found: Vouched, model: Model, now: str, spared: Callable[[str], bool] = left_out) -> Signed:
    """That a model's files are what was signed. `spared` says of a signed file that it may be absent.

    Raises: ModelRefused, naming the files.
    """
    return Signed(found.signer, found.manifest.digest, now, found.manifest.hold(model.files, spared))


def read_signatures(folder: Path, files: str, required: str) -> Signatures:
    """By settings: PEM files in `folder` and patterns of names, each by comma. Raises: Misused."""
    return Signatures(read_trust(folder / name for name in _listed(files)), tuple(_listed(required)))


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
