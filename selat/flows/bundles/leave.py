"""Export: what was asked for is gathered within the caller's clearance, booked, written, signed by the home."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from selat import __version__
from selat.bundles import Cover, Manifest, check_place, sign_cover, write_bundle
from selat.bundles.cover import fingerprint
from selat.bundles.wheels import this_python
from selat.core.caller import Caller
from selat.core.errors import Forbidden, Misused
from selat.core.label import LOWEST
from selat.core.note import VerifierKey
from selat.core.signer import Signer
from selat.core.trust import parse_trust
from selat.flows.bundles import documents, exams, kits, models, passports, policies
from selat.flows.bundles import wheels as wheels_flow
from selat.flows.bundles.parts import Gathered, House, Told
from selat.flows.bundles.wheels import Wheels
from selat.ledger import load_signer, make_signer, save_signer

MAY = frozenset({"operator", "officer"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to leave: names of models and collections; `everything` is all that the house holds, no wheels."""

    models: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    policy: bool = False
    evals: bool = False
    kits: bool = False
    everything: bool = False
    wheels: Wheels | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and the receipt of its entry."""

    cover: Cover
    manifest: Manifest
    receipt: str
    told: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        kinds = sorted({item.kind for item in self.manifest.files})
        return {
            "manifest": self.cover.manifest,
            "files": self.cover.files,
            "size_bytes": self.cover.size_bytes,
            "label": self.cover.label,
            "kinds": {kind: len(self.manifest.of_kind(kind)) for kind in kinds},
            "key": self.cover.key,
            "receipt": self.receipt,
        }


def key_of(house: House) -> Signer:
    """The key that signs this home's bundles, made when first needed; its name is that of the home's ledger."""
    path = house.home.keys / "bundle.key"
    if not path.exists():
        save_signer(path, make_signer(f"{origin_of(house)}/bundle"))
    return load_signer(path)


def origin_of(house: House) -> str:
    return parse_trust(house.book.trust()).logs[0].name


def show_key(key: VerifierKey) -> dict[str, str]:
    return {"key": str(key), "fingerprint": fingerprint(key)}


@dataclass(frozen=True, slots=True)
class Packed:
    """What is ready to leave; nothing of it is written or booked yet."""

    house: House
    caller: Caller
    gathered: Gathered
    manifest: Manifest
    cover: Cover
    signer: Signer

    def write(self, out: Path, told: Told) -> Exported:
        """Write it to a folder or a .tar; its entry is durable before a byte is out.

        Raises: Misused, Unavailable, for the place; BundleBroken, when a file changed; LedgerUnavailable.
        """
        check_place(out, self.manifest)
        facts = _facts(self.cover, self.gathered)
        receipt = self.house.record("bundle.exported", facts, self.caller.tenant, self.caller.key)
        note = sign_cover(self.cover, self.signer)
        write_bundle(out, (note, self.manifest), self.gathered.pieces, told)
        return Exported(self.cover, self.manifest, receipt, tuple(self.gathered.told))


def leave(house: House, wish: Wish, caller: Caller, made: str) -> Packed:
    """Gather what is wished for, at the time `made`. A refusal for want of clearance is booked.

    Raises: Forbidden, where role or clearance do not reach; NotFound, Misused, ModelBroken, PolicyBroken.
    """
    if not caller.roles & MAY:
        raise Forbidden(f"this needs one of the roles: {', '.join(sorted(MAY))}")
    try:
        gathered = _gather(house, wish, caller)
    except Forbidden as error:
        house.record("bundle.export_refused", {"collections": list(wish.collections)}, caller.tenant, caller.key)
        raise error
    if not gathered.pieces:
        raise Misused("nothing to export; name models, collections, --policy, --evals, --kits, --wheels, or --all")
    manifest = Manifest.of(piece.item for piece in gathered.pieces.values())
    signer, data = key_of(house), manifest.to_bytes()
    python, machine = this_python() if wish.wheels is not None else ("", "")
    cover = Cover(
        home=origin_of(house),
        by=caller.key,
        made=made,
        key=str(signer.key),
        manifest=hashlib.sha256(data).hexdigest(),
        manifest_bytes=len(data),
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        selat=__version__,
        label="" if gathered.label == LOWEST else str(gathered.label),
        python=python,
        platform=machine,
    )
    return Packed(house, caller, gathered, manifest, cover, signer)


def _gather(house: House, wish: Wish, caller: Caller) -> Gathered:
    gathered = Gathered()
    if wish.models or wish.everything:
        models.gather(house, wish.models, caller, gathered)
        passports.gather(house, gathered)
    if wish.collections or wish.everything:
        documents.gather(house, wish.collections, caller, gathered)
    if wish.policy or wish.everything:
        policies.gather(house, gathered)
    if wish.evals or wish.everything:
        exams.gather(house, gathered)
    if wish.kits or wish.everything:
        kits.gather(house, gathered)
    if wish.wheels is not None:
        wheels_flow.gather(house, wish.wheels, gathered)
    return gathered


def _facts(cover: Cover, gathered: Gathered) -> dict[str, object]:
    return {
        "manifest": cover.manifest,
        "key": cover.key,
        "files": cover.files,
        "size_bytes": cover.size_bytes,
        "label": cover.label,
        **gathered.counts,
        **{f"{name}_named": value for name, value in gathered.names.items()},
    }
