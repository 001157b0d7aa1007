"""Import: all of a bundle is verified before anything of it shows; then each part comes in by its own road."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.filesize import decimal

from selat.bundles import Cover, Opened
from selat.bundles.stage import Stage
from selat.core.caller import Caller
from selat.core.errors import BundleBroken, Forbidden, ModelRefused, Unavailable
from selat.flows.bundles import documents, exams, kits, models, passports, policies
from selat.flows.bundles.leave import MAY
from selat.flows.bundles.parts import Arrival, House, Planned, Terms, Told

SPARE_BYTES = 64 << 20
"""What an import leaves free on the disk, for the ledger and everything else that must be written."""
PARTS = (models.plan, passports.plan, documents.plan, exams.plan, kits.plan, policies.plan)
KINDS = frozenset(
    "models weights passport documents document run pack kit policy rules wheel install".split()  # noqa: SIM905
)
_BOOKED = "booked"


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of an import; with nothing to do there is no receipt."""

    cover: Cover
    came: dict[str, int]
    here: dict[str, int]
    receipt: str = ""
    told: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "manifest": self.cover.manifest,
            "home": self.cover.home,
            "label": self.cover.label,
            "came": self.came,
            "here_already": self.here,
            "receipt": self.receipt,
            "told": list(self.told),
        }


@dataclass(frozen=True, slots=True)
class Coming:
    """Who takes a bundle in, and how. `watch` hears of bytes read; `begun` that reading begins."""

    caller: Caller
    terms: Terms = field(default_factory=Terms)
    watch: Told = lambda size_bytes: None
    begun: Callable[[Cover], None] = lambda cover: None


def arrive(house: House, opened: Opened, coming: Coming) -> Arrived:
    """Take in a bundle whose signature holds: plan, verify all, book, apply. Killed anywhere, it can be repeated.

    What is here already is left alone; when that is everything, nothing is read and nothing booked.
    Raises: BundleBroken, ModelRefused, and then nothing has changed and the refusal is booked; Forbidden, Misused,
    PolicyBroken, HomeBusy; Unavailable, for a disk without room; LedgerUnavailable.
    """
    if not coming.caller.roles & MAY:
        raise Forbidden(f"this needs one of the roles: {', '.join(sorted(MAY))}")
    stage = Stage(house.home.path / "bundles", opened.cover.manifest)
    with stage.held(), house.models.taking():
        arrival = Arrival(opened, house, coming.caller, coming.caller.tenant, stage.folder, coming.terms)
        try:
            plans = _plan(arrival)
            done = _counts(opened.cover, plans)
            if not any(done.came.values()):
                stage.drop()
                return done
            _verify(arrival, stage, plans, coming)
        except (BundleBroken, ModelRefused) as error:
            stage.drop()
            _drop_staged(house)
            facts: dict[str, object] = {"manifest": opened.cover.manifest, "key": opened.cover.key}
            house.record("bundle.refused", facts, coming.caller.tenant, coming.caller.key)
            raise error
        receipt = stage.note(_BOOKED)
        if not receipt:
            receipt = house.record("bundle.imported", _facts(done), coming.caller.tenant, coming.caller.key)
            stage.note(_BOOKED, receipt)
        for plan in plans:
            plan.apply()
        stage.drop()
        return Arrived(done.cover, done.came, done.here, receipt, done.told)


def _plan(arrival: Arrival) -> list[Planned]:
    """Raises: BundleBroken, for a kind of file that this Selat does not know."""
    for item in arrival.opened.manifest.files:
        if item.kind not in KINDS:
            raise BundleBroken(
                f"'{item.path}' is of kind '{item.kind}', which this Selat does not know; upgrade it first"
            )
    return [plan for make in PARTS if (plan := make(arrival)) is not None]


def _verify(arrival: Arrival, stage: Stage, plans: list[Planned], coming: Coming) -> None:
    wanted: dict[str, Path] = {}
    for plan in plans:
        wanted |= plan.wanted
    items = {item.sha256: item for item in arrival.opened.manifest.files}
    need, folder = stage.missing(wanted, items), arrival.house.home.path
    free = shutil.disk_usage(folder).free
    if need + SPARE_BYTES > free:
        raise Unavailable(
            f"the bundle needs {decimal(need)} here, and the disk of {folder} has {decimal(free)} free "
            f"({decimal(SPARE_BYTES)} of it stay free): make room first, for one by: selat model gc --all"
        )
    coming.begun(arrival.opened.cover)
    stage.take(arrival.opened, wanted, coming.watch)
    for plan in plans:
        plan.inspect()


def _drop_staged(house: House) -> None:
    """Weights are staged beside the shelf, so that they move there without being copied."""
    for path in house.models.blobs.partial.glob("*.bundle*"):
        path.unlink(missing_ok=True)


def _counts(cover: Cover, plans: list[Planned]) -> Arrived:
    return Arrived(
        cover,
        {name: count for plan in plans for name, count in plan.came.items()},
        {name: count for plan in plans for name, count in plan.here.items()},
        told=tuple(line for plan in plans for line in plan.told),
    )


def _facts(done: Arrived) -> dict[str, object]:
    cover = done.cover
    return {
        "manifest": cover.manifest,
        "key": cover.key,
        "home": cover.home,
        "made": cover.made,
        "label": cover.label,
        **done.came,
    }
