"""Passports in a bundle: those of the models that leave; they arrive as evidence of the house that signed them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from selat.bundles import read_item
from selat.core.errors import BundleBroken, LedgerBroken, NotFound
from selat.core.note import VerifierKey
from selat.durable import make_folder, replace
from selat.evals.passport import ClaimedScore, Passport, verify
from selat.flows.bundles.parts import Arrival, Gathered, House, Planned
from selat.flows.claims import Claims
from selat.flows.promote import Registry

KEY = "passports/passport.vkey"
RECEIVED = "received"


def gather(house: House, into: Gathered) -> None:
    """The passports of promotions whose weights are among what leaves; call it after the models are gathered."""
    registry = Registry.of(house.home)
    weights = {piece.item.sha256 for piece in into.pieces.values() if piece.item.kind == "weights"}
    for promotion in registry.promotions():
        try:
            if registry.passport(promotion.passport).subject.weights not in weights:
                continue
            text = registry.text(promotion.passport)
        except (NotFound, LedgerBroken) as error:
            into.told.append(f"left out: the passport of {promotion.model}: {error}")
            continue
        into.data(f"passports/{promotion.passport}.passport", "passport", text.encode())
        into.data(KEY, "passport", f"{registry.key()}\n".encode())
    into.counts["passports"] = sum(path.endswith(".passport") for path in into.pieces)


def plan(arrival: Arrival) -> Planned | None:
    """Raises: BundleBroken, for a passport that the key beside it did not sign."""
    items = arrival.opened.manifest.of_kind("passport")
    if not items:
        return None
    folder = arrival.house.home.path / "passports" / RECEIVED / arrival.opened.cover.home.replace("/", "--")
    known = {item.path: read_item(arrival.opened, item) for item in items}
    try:
        key = VerifierKey.parse(known.get(KEY, b"").decode("utf-8").strip())
        read = {path: verify(data.decode("utf-8"), [key]) for path, data in known.items() if path != KEY}
    except (LedgerBroken, UnicodeDecodeError) as error:
        raise BundleBroken(f"a passport in the bundle does not verify: {error}; export it again") from error
    coming = {path: data for path, data in known.items() if not _same(folder / _name(path), data)}
    new = sum(path != KEY for path in coming)
    return Planned(
        {"passports": new}, {"passports": len(read) - new}, apply=partial(_apply, arrival, folder, (coming, read))
    )


def _apply(arrival: Arrival, folder: Path, passports: tuple[Mapping[str, bytes], Mapping[str, Passport]]) -> None:
    """Kept as they were signed; what they say counts as claimed, since nothing of it was verified here."""
    coming, read = passports
    home, claims = arrival.opened.cover.home, Claims(arrival.house.home.path / "passports")
    for path, data in coming.items():
        for one in read[path].results if path in read else ():
            passport = read[path]
            source = f"passport {_name(path)[:16]}"
            said = ClaimedScore(one.pack, one.score[0], home, source, passport.time[:10], one.pack)
            claims.add(passport.subject.model, said)
        make_folder(folder)
        replace(folder / _name(path), data)


def _name(path: str) -> str:
    return path.removeprefix("passports/")


def _same(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data
