"""What policy is asked: who, what, where and about which data; and the attributes that Cedar sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selat.core.caller import ROLES, Caller, Site
from selat.core.errors import BadRequest
from selat.core.finding import Finding, Scan
from selat.core.label import Label, label_from, parse_label

ACTIONS = ("infer", "embed", "search", "ingest", "transfer")
UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """May `caller` do `action` with data of this `label` and `scan`, reaching `engine` at `site`?

    `tenant` owns the data: "" means the caller's own. `passport` says that the model's passport was verified,
    `passport_needed` that the purpose asks for one. `ground` is a transfer's ground under PDPA s 129, with
    `ground_in_force` for its dates; both are for the action `transfer` alone.
    """

    caller: Caller
    action: str
    engine: str
    site: Site
    purpose: str
    label: Label
    scan: Scan
    tenant: str = ""
    passport: bool = False
    passport_needed: bool = False
    ground: str = ""
    ground_in_force: bool = False

    @property
    def registered(self) -> bool:
        return self.purpose in self.caller.purposes


def attributes(request: AuthorizationRequest, *, masked: bool) -> dict[str, object]:
    """The Cedar context of a request, as the schema's type `Flow` says.

    Masking removes findings; flags stay, since a placeholder does not hide that a text is about health.
    A purpose outside the register is given as `unregistered`: a caller's own words go no further.
    """
    scan = Scan((), request.scan.flags, request.scan.ok) if masked else request.scan
    registered = request.registered
    return {
        "tenant": request.tenant or request.caller.tenant,
        "purpose": request.purpose if registered else UNREGISTERED,
        "purpose_registered": registered,
        "official": int(request.label.official),
        "cloud": int(request.label.cloud),
        "personal": int(max(request.label.personal, scan.personal)),
        "jurisdictions": sorted(request.label.jurisdictions),
        "scan_ok": scan.ok,
        "findings": sorted({finding.kind for finding in scan.findings}),
        "flags": sorted(scan.flags),
        "masked": masked,
        "passport": request.passport,
        "passport_needed": request.passport_needed,
        "ground": request.ground,
        "ground_in_force": request.ground_in_force,
    }


def entities(request: AuthorizationRequest) -> list[dict[str, object]]:
    """The caller and the engine with their attributes, in Cedar's JSON form."""
    caller = request.caller
    return [
        {
            "uid": {"type": "Caller", "id": caller.tenant},
            "attrs": {"tenant": caller.tenant, "roles": sorted(caller.roles)},
            "parents": [],
        },
        {
            "uid": {"type": "Engine", "id": request.engine},
            "attrs": {"site": request.site.to_json()},
            "parents": [],
        },
    ]


_FIELDS = frozenset(AuthorizationRequest.__dataclass_fields__)


def read_request(fields: Mapping[str, object]) -> AuthorizationRequest:
    """The request that a JSON object describes; findings are given by kind, since there is no text.

    {"caller": {"tenant", "roles", "purposes"}, "action", "engine", "site": {"jurisdiction", ...}, "purpose",
    "label": "terhad/internal/personal/MY", "scan": {"findings": ["MYKAD"], "flags": [], "ok": true}, ...}
    Raises: BadRequest, naming the field.
    """
    _known("request", fields, _FIELDS)
    action = _text(fields, "action", "infer")
    if action not in ACTIONS:
        raise BadRequest(f"action: none of that name; known: {', '.join(ACTIONS)}", param="action")
    label = fields.get("label", "terbuka")
    return AuthorizationRequest(
        caller=_caller(_object(fields, "caller")),
        action=action,
        engine=_text(fields, "engine", "engine"),
        site=_site(_object(fields, "site")),
        purpose=_text(fields, "purpose", "chat"),
        label=label_from(label) if isinstance(label, Mapping) else parse_label(str(label)),
        scan=_scan(_object(fields, "scan")),
        tenant=_text(fields, "tenant", ""),
        passport=_flag(fields, "passport", False),
        passport_needed=_flag(fields, "passport_needed", False),
        ground=_text(fields, "ground", ""),
        ground_in_force=_flag(fields, "ground_in_force", False),
    )


def _caller(fields: Mapping[str, object]) -> Caller:
    _known("caller", fields, frozenset({"tenant", "roles", "purposes"}))
    roles = _words(fields, "roles")
    if not roles <= set(ROLES):
        raise BadRequest(f"caller.roles: one is not known; known: {', '.join(ROLES)}", param="roles")
    purposes = _words(fields, "purposes") if "purposes" in fields else frozenset({"chat"})
    return Caller(_text(fields, "tenant", "default"), "check", roles=roles, purposes=purposes)


def _site(fields: Mapping[str, object]) -> Site:
    _known("site", fields, frozenset({"jurisdiction", "operator", "operator_jurisdiction", "hardware"}))
    return Site(
        _text(fields, "jurisdiction", "MY"),
        _text(fields, "operator", "self"),
        _text(fields, "operator_jurisdiction", ""),
        _text(fields, "hardware", "unknown"),
    )


def _scan(fields: Mapping[str, object]) -> Scan:
    _known("scan", fields, frozenset({"findings", "flags", "ok"}))
    findings = tuple(Finding(0, 0, kind) for kind in sorted(_words(fields, "findings")))
    return Scan(findings, _words(fields, "flags"), _flag(fields, "ok", True))


def _known(what: str, fields: Mapping[str, object], names: frozenset[str]) -> None:
    if set(fields) - names:
        raise BadRequest(f"{what}: unknown field; known: {', '.join(sorted(names))}", param=what)


def _object(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = fields.get(name, {})
    if not isinstance(value, Mapping):
        raise BadRequest(f"{name}: must be an object", param=name)
    return value


def _text(fields: Mapping[str, object], name: str, default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name}: must be text", param=name)
    return value


def _flag(fields: Mapping[str, object], name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise BadRequest(f"{name}: must be true or false", param=name)
    return value


def _words(fields: Mapping[str, object], name: str) -> frozenset[str]:
    value = fields.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise BadRequest(f"{name}: must be a list of words", param=name)
    return frozenset(value)
