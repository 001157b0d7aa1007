"""Rule packs: the duties of a law or guide as dated data, with status, source, control, evidence and clock."""

from __future__ import annotations

import calendar
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from selat.core.errors import NotFound, PolicyBroken

PACKS = Path(__file__).parent / "packs"
STATUSES = ("in_force", "guidance", "draft", "unconfirmed")
_LIMIT = re.compile(r"(\d{1,4})([hdy])\Z")
_NEEDED = frozenset({"id", "section", "status", "sources", "ms", "en", "control", "evidence"})
_RULE = _NEEDED | {"zh", "ta", "from", "until", "policies", "clock"}


@dataclass(frozen=True, slots=True)
class Clock:
    """A limit of time: `limit` is hours, days or years (`72h`, `7d`, `3y`) from what `starts` names.

    `starts`: `incident.noticed`, `instrument.KIND`, or the id of a rule whose own duty must be done first.
    `when`: which incidents it is for: `personal`, `harm` or `cyber`; "" for instruments.
    """

    starts: str
    limit: str
    when: str = ""
    notice: str = ""

    def due(self, start: datetime) -> datetime:
        return after(start, self.limit)


@dataclass(frozen=True, slots=True)
class Rule:
    """One duty, in words of our own. `status` unconfirmed: nobody read the original; do not rely on it."""

    id: str
    pack: str
    section: str
    status: str
    sources: tuple[str, ...]
    ms: str
    en: str
    control: str
    evidence: str
    policies: tuple[str, ...] = ()
    begins: date | None = None
    ends: date | None = None
    clock: Clock | None = None
    zh: str = ""
    ta: str = ""

    def said(self, language: str) -> str:
        """The duty in `ms`, `en`, `zh` or `ta`; in English where the pack has no other."""
        return {"ms": self.ms, "zh": self.zh, "ta": self.ta}.get(language) or self.en

    def applies_on(self, day: date) -> bool:
        return (self.begins is None or self.begins <= day) and (self.ends is None or day < self.ends)

    def to_json(self) -> dict[str, object]:
        clock = self.clock
        return {
            "id": self.id,
            "pack": self.pack,
            "section": self.section,
            "status": self.status,
            "sources": list(self.sources),
            "ms": self.ms,
            "en": self.en,
            "control": self.control,
            "evidence": self.evidence,
            "policies": list(self.policies),
            "from": self.begins.isoformat() if self.begins else None,
            "until": self.ends.isoformat() if self.ends else None,
            "clock": {"starts": clock.starts, "limit": clock.limit, "when": clock.when} if clock else None,
        }


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of rules; `hash` is the hex SHA-256 of its bytes, `as_of` the day it was last looked over."""

    id: str
    ms: str
    en: str
    instrument: str
    as_of: date
    hash: str
    rules: tuple[Rule, ...] = field(repr=False)
    zh: str = ""
    ta: str = ""

    def said(self, language: str) -> str:
        """What it is called in `ms`, `en`, `zh` or `ta`; in English where it has no other name."""
        return {"ms": self.ms, "zh": self.zh, "ta": self.ta}.get(language) or self.en


@dataclass(frozen=True, slots=True)
class Shelf:
    """All packs, and which of them each profile switches on."""

    packs: Mapping[str, Pack]
    profiles: Mapping[str, tuple[str, ...]]

    def rules(self, profile: str | None = None) -> list[Rule]:
        """The rules of a profile's packs; of all packs without one. Raises: NotFound."""
        if profile is None:
            return [rule for pack in self.packs.values() for rule in pack.rules]
        if profile not in self.profiles:
            raise NotFound(f"no profile of that name; known: {', '.join(sorted(self.profiles))}")
        return [rule for name in self.profiles[profile] for rule in self.packs[name].rules]

    def hashes(self, profile: str) -> dict[str, str]:
        """The hash of each pack that a profile switches on, by its id."""
        return {name: self.packs[name].hash for name in self.profiles[profile]}

    def rule(self, name: str) -> Rule:
        """Raises: NotFound."""
        for rule in self.rules():
            if rule.id == name:
                return rule
        raise NotFound("no rule of that id; see: selat rules list")


def digest(hashes: Mapping[str, str]) -> str:
    """Hex SHA-256 that stands for packs and their contents: of a line `ID HASH` for each, sorted."""
    return hashlib.sha256("".join(f"{id} {hash}\n" for id, hash in sorted(hashes.items())).encode()).hexdigest()


def after(start: datetime, limit: str) -> datetime:
    """The moment a limit after `start`. A year later on 29 February is 28 February."""
    found = _LIMIT.match(limit)
    if found is None:
        raise PolicyBroken("a clock's limit is a number and h, d or y, as in 72h")
    number, unit = int(found[1]), found[2]
    if unit == "y":
        year = start.year + number
        return start.replace(year=year, day=min(start.day, calendar.monthrange(year, start.month)[1]))
    return start + (timedelta(hours=number) if unit == "h" else timedelta(days=number))


def load_packs(folders: Iterable[Path] = (PACKS,)) -> Shelf:
    """The packs in these folders; a later one replaces an earlier of the same id.

    Raises: PolicyBroken, naming file, rule and field.
    """
    packs: dict[str, Pack] = {}
    profiles: dict[str, tuple[str, ...]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            table = _read(path)
            if "profiles" in table:
                profiles.update({name: tuple(ids) for name, ids in table["profiles"].items()})
            else:
                pack = _pack(path.name, table, hashlib.sha256(path.read_bytes()).hexdigest())
                packs[pack.id] = pack
    for name, wanted in profiles.items():
        if missing := set(wanted) - set(packs):
            raise PolicyBroken(f"profile '{name}' names packs that are not there: {', '.join(sorted(missing))}")
    ids = [rule.id for pack in packs.values() for rule in pack.rules]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise PolicyBroken(f"rule packs: the same id twice: {', '.join(sorted(twice))}")
    return Shelf(packs, profiles)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyBroken(f"{path.name}: cannot be read as TOML: {error}") from error


def _pack(file: str, table: dict[str, Any], digest: str) -> Pack:
    head = table.get("pack", {})
    if set(head) - {"zh", "ta"} != {"id", "ms", "en", "instrument", "as_of"} or set(table) - {"pack", "rule"}:
        raise PolicyBroken(f"{file}: give [pack] with id, ms, en, instrument and as_of, then [[rule]] tables")
    rules = tuple(_rule(file, head["id"], row) for row in table.get("rule", []))
    return Pack(
        head["id"],
        head["ms"],
        head["en"],
        head["instrument"],
        head["as_of"],
        digest,
        rules,
        head.get("zh", ""),
        head.get("ta", ""),
    )


def _rule(file: str, pack: str, row: dict[str, Any]) -> Rule:
    where = f"{file}: rule '{row.get('id', 'without id')}'"
    if missing := _NEEDED - set(row):
        raise PolicyBroken(f"{where}: lacks {', '.join(sorted(missing))}")
    if unknown := set(row) - _RULE:
        raise PolicyBroken(f"{where}: unknown field {', '.join(sorted(unknown))}")
    if row["status"] not in STATUSES:
        raise PolicyBroken(f"{where}: status is one of {', '.join(STATUSES)}")
    begins, ends = row.get("from"), row.get("until")
    if not all(day is None or type(day) is date for day in (begins, ends)):
        raise PolicyBroken(f"{where}: from and until are dates, as in 2025-06-01")
    return Rule(
        row["id"],
        pack,
        row["section"],
        row["status"],
        tuple(row["sources"]),
        row["ms"],
        row["en"],
        row["control"],
        row["evidence"],
        tuple(row.get("policies", ())),
        begins,
        ends,
        _clock(where, row.get("clock")),
        row.get("zh", ""),
        row.get("ta", ""),
    )


def _clock(where: str, row: dict[str, str] | None) -> Clock | None:
    if row is None:
        return None
    if set(row) - {"starts", "limit", "when", "notice"} or not {"starts", "limit"} <= set(row):
        raise PolicyBroken(f"{where}: a clock has starts, limit and, for incidents, when and notice")
    if not _LIMIT.match(row["limit"]):
        raise PolicyBroken(f"{where}: a clock's limit is a number and h, d or y, as in 72h")
    return Clock(**row)
