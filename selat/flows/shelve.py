"""shelve: a model comes onto the shelf or leaves it; what came, from where and under what licence is booked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from selat.core.errors import Misused, ModelBroken, ModelRefused
from selat.core.label import parse_label
from selat.models import (
    SIGNATURE,
    Freed,
    Lineage,
    Model,
    ModelFile,
    ModelStore,
    Signed,
    check_content,
    file_format,
    revision_of,
)
from selat.models.folder import Found, look
from selat.models.record import QUARANTINED, READY
from selat.models.signature import MAX_SIGNATURE_BYTES, Manifest
from selat.models.signers import Signer, Trust
from selat.models.sources import card_of_folder
from selat.models.store import KEEP_LOOSE_S, Damage
from selat.models.vouch import Signatures, left_out, signed_by


class Record(Protocol):
    """Book a change to the house and wait until it is durable; its receipt id. Raises: LedgerUnavailable."""

    def __call__(self, kind: str, facts: dict[str, object]) -> str: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said of a model by whoever brings it."""

    name: str
    revision: str = ""
    licence: str = ""
    vendor: str = ""
    country: str = ""
    lineage: Lineage = field(default_factory=Lineage)
    label: str = ""


def _quiet(size_bytes: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Shelving:
    """The store, the book, the clock, the file that names what engines serve, and whose signatures count.

    Each method makes one change and books it before it shows.
    """

    store: ModelStore
    record: Record
    now: Callable[[], str]
    engines: Path = Path("/nonexistent")
    signatures: Signatures = Signatures()  # noqa: RUF009 - frozen

    def add(self, path: Path, claim: Claim, told: Callable[[int], None] = _quiet) -> tuple[Model, Found]:
        """Take in a folder or a file of this machine; the model, and what was found there. `told` hears of bytes.

        Where nothing is said of its licence and lineage, its card is believed.

        Raises: Misused, BadRequest, ModelRefused, Unavailable; LedgerUnavailable, and then there is no model.
        """
        found = look(path)
        card = card_of_folder(found.files)
        claim = replace(claim, licence=(claim.licence or card.licence).lower())
        if claim.lineage == Lineage():
            claim = replace(claim, lineage=card.lineage)
        with self.store.taking() as blobs:
            files = []
            for inside, file in found.files.items():
                check_content(inside, file)
                digest, size = blobs.take(file)
                files.append(ModelFile(inside, digest, size))
                told(size)
            return self.put(described(claim, tuple(files), "folder")), found

    def put(self, model: Model, accepted: bool = False, spared: Callable[[str], bool] = left_out) -> Model:
        """Book a model whose files are in the store, and set it on the shelf; call it inside `store.taking`.

        `accepted`: whoever brought it accepted a licence that is not permissive. `spared`: signed files that may
        be absent. Raises: ModelRefused, for files that are not those signed, or unsigned ones that must be.
        """
        model = self.signatures.vouched(model, self._signature(model), self.now(), spared)
        receipt = self.record("model.added", facts_of(model) | {"licence_accepted": accepted})
        return self.store.put(replace(model, added=self.now(), receipt=receipt))

    def remove(self, name: str, revision: str = "", reason: str = "") -> Model:
        """Take a model off the shelf; a reason is booked.

        Raises: NotFound; Misused, while an engine serves it; LedgerUnavailable.
        """
        model = self.store.model(name, revision)
        if self.engines.exists() and str(self.store.tree(model)) in self.engines.read_text("utf-8"):
            raise Misused(
                f"{model.title} is what an engine serves; take the engine out first: selat engine remove"
            )
        self.record("model.removed", {"model": model.name, "revision": model.revision} | _why(reason))
        self.store.remove(model)
        return model

    def verify(self, model: Model, told: Callable[[int], None] = _quiet) -> list[Damage]:
        """Read every byte again; damage is booked, with the files' digests."""
        damaged = self.store.verify(model, told)
        if damaged:
            states = {one.path: one.state for one in damaged}
            files = {file.digest: states[file.path] for file in model.files if file.path in states}
            self.record("model.damaged", {"model": model.name, "revision": model.revision, "files": files})
        return damaged

    def admit(
        self, name: str, revision: str = "", reason: str = "", told: Callable[[int], None] = _quiet
    ) -> Model:
        """Let a model out of quarantine, once every byte of it was read again and every file looked into.

        Raises: NotFound; ModelBroken, ModelRefused, and then it stays; LedgerUnavailable.
        """
        model = self.store.model(name, revision)
        if model.state != QUARANTINED:
            return model
        with self.store.taking() as blobs:
            if damaged := self.store.verify(model, told):
                raise ModelBroken(
                    f"{model.title}: '{damaged[0].path}' is {damaged[0].state}; remove it and pull again"
                )
            for file in model.files:
                check_content(file.path, blobs.local(file.digest))
            model = self.signatures.vouched(model, self._signature(model), self.now())
            receipt = self.record("model.admitted", facts_of(model) | {"state": READY} | _why(reason))
            return self.store.put(replace(model, state=READY, receipt=receipt))

    def signature(self, model: Model, signer: Signer) -> bytes:
        """A signature over the files of a model, each as it was taken in. Raises: ModelBroken."""
        self.store.place_of(model)
        return signer.sign(_manifest(model))

    def sign(self, model: Model, signer: Signer) -> Model:
        """Sign a model and keep the signature among its files.

        Raises: ModelBroken; Misused, where it is signed already; LedgerUnavailable.
        """
        if model.file(SIGNATURE):
            raise Misused(f"{model.title} has a {SIGNATURE} already; write yours beside it: --output FILE")
        content = self.signature(model, signer)
        with self.store.taking():
            signed = Signed(signer.name, _manifest(model).digest, self.now())
            self._book(model, "model.signed", signed)
            return self.store.put(replace(self._with(model, content), signed=signed), current=False)

    def vouch(
        self, model: Model, trust: Trust, unverified: bytes | None = None, *, partial: bool = False
    ) -> Model:
        """Verify a signature over a model by `trust` and note it; the model's own `model.sig` where none is given.

        One that is given is kept with the model, where it has none. `partial`: signed files may be absent.
        Raises: ModelRefused, naming the files, and that is booked; Misused, where there is no signature.
        """
        given = self._signature(model) if unverified is None else unverified
        if given is None:
            raise Misused(f"{model.title} has no {SIGNATURE}; name it: --signature FILE")
        try:
            spared = (lambda path: True) if partial else left_out
            signed = signed_by(trust.verify(given), model, self.now(), spared)
        except ModelRefused:
            self._book(model, "model.signature_refused", Signed())
            raise
        with self.store.taking():
            self._book(model, "model.signature_verified", signed)
            kept = model if model.file(SIGNATURE) else self._with(model, given)
            return self.store.put(replace(kept, signed=signed), current=False)

    def _book(self, model: Model, kind: str, signed: Signed) -> None:
        facts = {"model": model.name, "revision": model.revision, "content": revision_of(model.files)}
        self.record(kind, facts | {"signer": signed.signer, "manifest": signed.manifest, "absent": signed.absent})

    def _signature(self, model: Model) -> bytes | None:
        file = model.file(SIGNATURE)
        return self.store.blobs.read(file.digest, MAX_SIGNATURE_BYTES) if file else None

    def _with(self, model: Model, signature: bytes) -> Model:
        return replace(model, files=(*model.files, ModelFile(SIGNATURE, *self.store.blobs.take_bytes(signature))))

    def gc(self, keep_loose_s: float = KEEP_LOOSE_S) -> Freed:
        """Clear away files of no model. Raises: HomeBusy, ModelBroken."""
        return self.store.gc(keep_loose_s)


def described(claim: Claim, files: tuple[ModelFile, ...], source: str) -> Model:
    """A record of these files; their own digest is the revision where the source has none."""
    return Model(
        name=claim.name,
        revision=claim.revision or revision_of(files),
        files=files,
        format=file_format(files),
        licence=claim.licence,
        vendor=claim.vendor,
        country=claim.country,
        lineage=claim.lineage,
        source=source,
        label=str(parse_label(claim.label)) if claim.label else "",
    )


def _manifest(model: Model) -> Manifest:
    return Manifest(model.name, {file.path: file.digest for file in model.files if file.path != SIGNATURE})


def _why(reason: str) -> dict[str, object]:
    return {"reason": reason} if reason else {}


def facts_of(model: Model) -> dict[str, object]:
    """What the book says of a model that came."""
    return {
        "model": model.name,
        "revision": model.revision,
        "files": {file.path: file.digest for file in model.files if file.path.endswith((".gguf", ".safetensors"))},
        "content": revision_of(model.files),
        "size_bytes": model.size_bytes,
        "licence": model.licence,
        "source": model.source,
        "label": model.label,
        "state": model.state,
        "signer": model.signed.signer,
    }
