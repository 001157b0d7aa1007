"""Why a request is permitted, redacted or denied, in Malay and English, and what would change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from selat.core.caller import Site
from selat.core.decision import Decision
from selat.core.finding import Scan
from selat.policy.decide import FAILED, NO_PERMIT, decide
from selat.policy.request import AuthorizationRequest
from selat.policy.sets import Policy, PolicySet

HEADS = {
    "permit": ("DIBENARKAN: dihantar seadanya.", "PERMITTED: sent as it is."),
    "redact": (
        "DIBENARKAN SELEPAS DITOPENG: setiap data yang dijumpai diganti dengan pemegang tempat.",
        "PERMITTED ONCE MASKED: everything that was found is replaced by a placeholder.",
    ),
    "deny": ("DITOLAK: tidak dihantar.", "DENIED: not sent."),
}
FALLBACK_MS = {
    NO_PERMIT: "tiada polisi yang membenarkannya",
    FAILED: "satu polisi tidak dapat dinilai, dan yang tidak dapat dinilai ditolak",
}

Changed = Callable[[AuthorizationRequest], AuthorizationRequest]


class Change(NamedTuple):
    """One thing that a person could do about a denial, and the request as it then would be."""

    name: str
    ms: str
    en: str
    made: Changed


CHANGES = (
    Change(
        "malaysian-site",
        "gunakan enjin di Malaysia dengan pengendali Malaysia",
        "use an engine in Malaysia under a Malaysian operator",
        lambda request: replace(request, site=Site("MY", request.site.operator, "MY", request.site.hardware)),
    ),
    Change(
        "register-purpose",
        "daftarkan tujuan ini bagi penyewa",
        "register this purpose for the tenant",
        lambda request: replace(
            request,
            caller=replace(request.caller, purposes=request.caller.purposes | {request.purpose}),
        ),
    ),
    Change(
        "no-findings",
        "buang data peribadi dan rahsia daripada teks",
        "take personal data and secrets out of the text",
        lambda request: replace(request, scan=Scan(ok=request.scan.ok)),
    ),
    Change(
        "scan-again",
        "imbas semula: pengimbas gagal",
        "scan again: the scanner failed",
        lambda request: replace(request, scan=replace(request.scan, ok=True)),
    ),
    Change(
        "passport",
        "gunakan model yang mempunyai pasport disahkan",
        "use a model with a verified passport",
        lambda request: replace(request, passport=True),
    ),
    Change(
        "officer",
        "dapatkan peranan pegawai (officer)",
        "be given the role officer",
        lambda request: replace(request, caller=replace(request.caller, roles=request.caller.roles | {"officer"})),
    ),
    Change(
        "ground",
        "berikan asas pemindahan yang berkuat kuasa",
        "give a ground of transfer that is in force",
        lambda request: replace(request, ground=request.ground or "1A", ground_in_force=True),
    ),
)


@dataclass(frozen=True, slots=True)
class Advice:
    """The fewest changes, made together, that would turn a denial into `effect`; `changes` are their names."""

    ms: str
    en: str
    effect: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with the policies that determined it and, for a denial, what would change it."""

    decision: Decision
    policies: tuple[Policy, ...]
    advice: tuple[Advice, ...]

    def text(self, language: str = "en") -> str:
        """A few lines for a person, in `ms` or `en`."""
        ms = language == "ms"
        lines = [HEADS[self.decision.effect][0 if ms else 1]]
        lines += [f"  {one.id} ({one.file}:{one.line}): {one.reason(language)}" for one in self.policies]
        if not self.policies:
            reason = self.decision.reason
            lines.append(f"  {FALLBACK_MS.get(reason, reason) if ms else reason}")
        if self.advice:
            lines.append("Apa yang akan mengubahnya:" if ms else "What would change it:")
        for one in self.advice:
            masked = (" (ditopeng)" if ms else " (masked)") if one.effect == "redact" else ""
            lines.append(f"  - {one.ms if ms else one.en}{masked}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        return {
            "effect": self.decision.effect,
            "rules": [
                {"id": one.id, "effect": one.effect, "file": one.file, "line": one.line, **one.reasons}
                for one in self.policies
            ],
            "ms": self.text("ms"),
            "en": self.text("en"),
            "advice": [
                {"ms": one.ms, "en": one.en, "effect": one.effect, "changes": list(one.changes)}
                for one in self.advice
            ],
        }


def explain(policies: PolicySet, request: AuthorizationRequest) -> Explanation:
    """The decision, its policies and, for a denial, the fewest changes under which it would not be one."""
    decision = decide(policies, request)
    determined = tuple(policies.policies[rule] for rule in decision.rules)
    advice = _advice(policies, request) if decision.effect == "deny" else []
    return Explanation(decision, determined, tuple(advice))


def _advice(policies: PolicySet, request: AuthorizationRequest) -> list[Advice]:
    """Every smallest combination of changes that helps; at most three changes at once."""
    useful = [one for one in CHANGES if one.made(request) != request]
    for size in (1, 2, 3):
        found: list[Advice] = []
        for together in combinations(useful, size):
            changed = request
            for one in together:
                changed = one.made(changed)
            then = decide(policies, changed)
            if then.effect != "deny":
                ms, en = "; ".join(one.ms for one in together), "; ".join(one.en for one in together)
                found.append(Advice(ms, en, then.effect, tuple(one.name for one in together)))
        if found:
            return found
    return []


def counted(policies: Iterable[Policy]) -> frozenset[str]:
    """The attributes that these policies look at, as Cedar writes them, such as `resource.site.operator`."""
    found: set[str] = set()
    for policy in policies:
        _attributes(policy.tree.get("conditions"), found)
    return frozenset(found)


def _attributes(tree: object, found: set[str]) -> None:
    if isinstance(tree, list):
        for part in tree:
            _attributes(part, found)
    elif isinstance(tree, dict):
        if path := _path(tree):
            found.add(path)
        else:
            for part in tree.values():
                _attributes(part, found)


def _path(tree: object) -> str:
    """`resource.site.operator` of the nested attributes in Cedar's JSON form; "" of anything else."""
    if not isinstance(tree, dict):
        return ""
    if isinstance(said := tree.get("Var"), str):
        return said
    step = tree.get(".")
    before = _path(step["left"]) if isinstance(step, dict) else ""
    return f"{before}.{step['attr']}" if before and isinstance(step, dict) else ""
