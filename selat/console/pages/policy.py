"""Dasar: the rules in force in plain words, what is proved of them, and the clocks that the law has running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from selat.app import DEFAULT_TENANT
from selat.console.page import At, Page
from selat.console.pages import policy_why
from selat.console.pages.policy_words import ACTIONS, DUE_KINDS, INCIDENTS, STATES
from selat.console.view import View
from selat.console.words import N_, _, speaking
from selat.core.errors import NotFound
from selat.flows.in_force import PROPOSED, Came, InForce, came, history
from selat.gateway.admin.duties import WATCHERS
from selat.gateway.admin.policy import PolicyCard, SetCard
from selat.gateway.admin.route import ANYONE, OVERSEERS, READERS, RoleNeeded
from selat.policy import Policy
from selat.policy.again import begin, last_round

SHORT = 12
"""Letters of a digest that tell sets apart for a person; the whole stands beside it."""


async def show(view: View) -> Response:
    """GET /policy: the rules in force; whoever may not read them is shown why their own requests were denied."""
    if not view.may(*READERS):
        return await policy_why.show(view)
    told: SetCard = await view.admin("GET", "/policy")
    sets: list[InForce] = await view.thread(_history, view)
    known = view.house.platform.decider.policies.policies
    return view.show(
        "policy.html",
        tab="rules",
        told=told,
        groups=_groups(told.policies),
        scope={name: _scope(one) for name, one in known.items()},
        now=next((one for one in sets if one.set == told.set), None),
        earlier=[one for one in sets if one.set != told.set],
        came=await view.thread(_came, view),
        trouble=view.house.platform.policy_reload.error if view.may("operator", "officer") else "",
        folder=str(view.house.platform.home.policy) if _house(view) and view.may("operator") else "",
        home_policy=str(view.house.platform.home.policy),
        short=SHORT,
    )


def _house(view: View) -> bool:
    """Whether the person is of the tenant that runs the house, which all tenants share."""
    return view.caller.tenant == DEFAULT_TENANT


def _history(view: View) -> list[InForce]:
    platform = view.house.platform
    return history(platform.book, platform.home.ledger, DEFAULT_TENANT)


def _came(view: View) -> list[tuple[Came, str]]:
    """What came in bundles since the set in force, each with the folder where a proposal still lies.

    For those who keep the house; what is older than the set in force was overtaken by it.
    """
    if not (_house(view) and view.may(*OVERSEERS)):
        return []
    platform = view.house.platform
    home, since = platform.home, max((one.since for one in _history(view)[:1]), default="")
    return [
        (one, str(folder) if (folder := home.path / PROPOSED / one.folder).is_dir() and not one.activated else "")
        for one in came(platform.book, home.ledger, DEFAULT_TENANT)
        if one.when > since
    ]


def _groups(policies: list[PolicyCard]) -> list[tuple[str, str, list[tuple[PolicyCard, str]]]]:
    """What is forbidden first, then what is permitted: each heading with its kind of badge and its policies."""
    language = speaking.get().code

    def said(effect: str) -> list[tuple[PolicyCard, str]]:
        return [(one, said_in(one.reasons, language) or one.id) for one in policies if one.effect == effect]

    return [
        (N_("Yang tidak dibenarkan"), "deny", said("forbid")),
        (N_("Yang dibenarkan, jika tiada larangan"), "permit", said("permit")),
    ]


def said_in(reasons: dict[str, str], language: str) -> str:
    """A rule's plain words in a language; in English where its file has no other, "" where it has none."""
    return reasons.get(language) or reasons.get("en") or ""


def _scope(policy: Policy) -> list[str]:
    """The actions that a policy speaks of, in words; none where it speaks of all."""
    scope: Any = policy.tree.get("action", {})
    entities = scope.get("entities") or ([scope["entity"]] if "entity" in scope else [])
    names = [str(one["id"]) for one in entities]
    return [_(ACTIONS[name]) if name in ACTIONS else name for name in names]


async def proofs(view: View) -> Response:
    """GET /policy/proofs: what can never happen, whether that is proved, of which digest and when."""
    told: SetCard = await view.admin("GET", "/policy")
    language = view.tongue.code
    round_ = await view.thread(last_round, _file(view))
    found = {one.id: one for one in round_.found} if round_ and round_.set == told.set else {}
    return view.show(
        "policy-proofs.html",
        tab="proofs",
        told=told,
        never=[(one, getattr(one, language) or one.en, found.get(one.id)) for one in told.invariants],
        round=round_,
        running=round_ is not None and not round_.ended,
        since=next((one.since for one in await view.thread(_history, view) if one.set == told.set), ""),
        may_prove=view.may(*OVERSEERS) and _house(view),
        short=SHORT,
    )


def _file(view: View) -> Any:
    return view.house.platform.home.cache / "proving.json"


async def prove(view: View) -> Response:
    """POST /policy/prove: prove it all again, in the background; the page shows how far it is."""
    if not _house(view):
        raise RoleNeeded("this concerns all tenants, so it is for the one that runs the house")
    await view.thread(begin, view.house.platform.home.policy, _file(view))
    return view.go("/policy/proofs", "proving")


async def clocks(view: View) -> Response:
    """GET /policy/clocks: what is due by when, and the incidents that set clocks running."""
    now = datetime.now(UTC)
    due = [_due(view, one, now) for one in await view.admin("GET", "/due")]
    incidents = await view.admin("GET", "/incidents") if view.may(*WATCHERS) else []
    return view.show(
        "policy-clocks.html",
        tab="clocks",
        due=due,
        states=STATES,
        kinds=INCIDENTS,
        incidents=[one for one in incidents if not one.closed],
        closed=[one for one in incidents if one.closed],
        watcher=view.may(*WATCHERS),
    )


def _due(view: View, one: Any, now: datetime) -> dict[str, Any]:
    """Something due as the page shows it: in the person's language, with the days and hours left."""
    packs = view.house.platform.rule_packs
    try:
        rule = packs.rule(one.what)
    except NotFound:
        rule = None
    left = datetime.fromisoformat(one.when) - now if one.when else None
    title = one.ms.removesuffix(" tamat").strip("'")
    ends = _("%(kind)s “%(title)s” tamat", kind=_(DUE_KINDS.get(one.what, N_("Dokumen"))), title=title)
    return {
        "said": rule.said(view.tongue.code) if rule else ends,
        "section": rule.section if rule else "",
        "status": rule.status if rule else "",
        "when": one.when,
        "left": speaking.get().left(left) if left is not None else "",
        "state": one.state,
        "about": one.about,
        "rule": one.what if rule else "",
        "notice": bool(rule and rule.clock and rule.clock.notice),
    }


async def notice(view: View) -> Response:
    """GET /policy/incidents/{incident}/notices/{rule}: the draft of a notice, in Malay and English."""
    ids = view.request.path_params
    path = f"/incidents/{ids['incident']}/notices/{ids['rule']}"
    found = await view.admin("GET", path)
    return view.show("policy-notice.html", tab="clocks", found=found, incident=ids["incident"])


PAGE = Page(
    "policy",
    N_("Dasar"),
    (
        At("GET", "/policy", show),
        At("GET", "/policy/why", policy_why.show),
        At("GET", "/policy/try", policy_why.attempt, roles=READERS),
        At("GET", "/policy/proofs", proofs, roles=READERS),
        At("POST", "/policy/prove", prove, roles=OVERSEERS),
        At("GET", "/policy/clocks", clocks, roles=OVERSEERS),
        At("GET", "/policy/incidents/{incident}/notices/{rule}", notice, roles=WATCHERS),
    ),
    icon="policy",
    group=N_("Bukti"),
    roles=ANYONE,
)
