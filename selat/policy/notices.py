"""Drafts of the notices that an incident asks for, in Malay and English, filled with figures from the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from selat.core.errors import Misused
from selat.core.finding import FIELDS_FLAG
from selat.policy.incidents import Duty, Incident, stamp
from selat.policy.packs import PACKS

NOTICES = PACKS / "notices"
SIGNIFICANT_SCALE = 1000  # more people than this: Circular 2/2025


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger says of a tenant between two instants (RFC 3339, UTC): counts, never content."""

    from_: str
    until: str
    requests: int = 0
    refused: int = 0
    completed: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    checkpoint: str = "-"


@dataclass(frozen=True, slots=True)
class Draft:
    ms: str
    en: str


def facts_from(leaves: Iterable[bytes], tenant: str, from_: str, until: str, checkpoint: str) -> Facts:
    """Count the tenant's entries with `from_` <= time < `until`."""
    requests = refused = completed = 0
    kinds: dict[str, int] = {}
    sites: set[str] = set()
    for leaf in leaves:
        entry = json.loads(leaf)
        if entry.get("tenant") != tenant or not from_ <= entry.get("time", "") < until:
            continue
        kind = entry.get("kind")
        if kind == "closed":
            completed += entry.get("outcome") == "complete"
        if kind not in ("opened", "refused"):
            continue
        requests += 1
        refused += kind == "refused"
        for name, count in entry["scan"]["findings"].items():
            kinds[name] = kinds.get(name, 0) + count
        for flag in set(entry["scan"]["flags"]) - {FIELDS_FLAG}:
            kinds[flag] = kinds.get(flag, 0) + 1
        if kind == "opened" and entry["site"]:
            sites.add(f"{entry['site']['jurisdiction']} ({entry['site']['operator']})")
    return Facts(from_, until, requests, refused, completed, kinds, tuple(sorted(sites)), checkpoint)


def draft(incident: Incident, duty: Duty, facts: Facts) -> Draft:
    """The notice of a duty. Raises: Misused for a duty that asks for none."""
    name = duty.rule.clock.notice if duty.rule.clock else ""
    if not name:
        raise Misused("this duty asks for no notice")
    many = incident.affected is not None and incident.affected > SIGNIFICANT_SCALE
    harm = "harm" in incident.kinds
    values = {
        "tenant": incident.tenant,
        "incident": incident.id,
        "title": incident.title,
        "noticed": stamp(incident.noticed),
        "due": stamp(duty.due) if duty.due else "-",
        "affected": "?" if incident.affected is None else f"{incident.affected:,}",
        "scale_ms": " (skala ketara: melebihi 1,000)" if many else "",
        "scale_en": " (significant scale: over 1,000)" if many else "",
        "harm_ms": "ya" if harm else "tidak, setakat yang diketahui",
        "harm_en": "yes" if harm else "no, as far as known",
        "from_": facts.from_,
        "until": facts.until,
        "requests": f"{facts.requests:,}",
        "refused": f"{facts.refused:,}",
        "completed": f"{facts.completed:,}",
        "kinds": ", ".join(f"{kind} {count}" for kind, count in sorted(facts.kinds.items())) or "-",
        "sites": ", ".join(facts.sites) or "-",
        "checkpoint": facts.checkpoint,
        "late_reason": (duty.step.late_reason if duty.step else "") or "-",
        "duty_ms": duty.rule.ms,
        "duty_en": duty.rule.en,
    }
    texts = [(NOTICES / f"{name}.{language}.txt").read_text("utf-8").format(**values) for language in ("ms", "en")]
    return Draft(*texts)
