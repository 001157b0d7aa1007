"""The admin API: who may do what, every change an entry in the caller's name, wrong fields refused by name."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from doors_kit import Running, a_home, start
from hub_server import HubServer, Repo
from models_kit import safetensors
from waiting import until

from selat.app import Platform
from selat.core.caller import ROLES
from selat.core.label import HIGHEST, parse_label
from selat.flows.ingest import Intake, ingest
from selat.flows.shelve import Claim
from selat.gateway.admin.route import Route
from selat.gateway.admin.table import ROUTES
from selat.home import Home
from selat.identity import KeyWish, Tenant
from selat.models.record import QUARANTINED
from selat.testing import Upstream

MISSING = "tiada-0000"
DAY = "2026-01-01"


@dataclass
class Admin:
    """A running Selat and a key for each role, of the house's tenant and of another."""

    selat: Running
    keys: dict[str, str]
    secrets: dict[str, str]
    hub: HubServer

    def call(self, role: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.secrets[role]}"} if role else {}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.selat.address}/admin/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with HubServer(a__m=Repo({"model.safetensors": safetensors(3_000_000), "config.json": b"{}"})) as server:
        yield server


@pytest.fixture(scope="module")
def admin(upstream: Upstream, hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    folder = tmp_path_factory.mktemp("admin")
    home = a_home(folder, upstream, f'model_hub = "{hub.url}"\n')
    running = start(home, upstream, folder / "log")
    platform = Platform(Home(home), "test")
    keys, secrets = {}, {}
    platform.keys.ensure_tenant(Tenant("jiran"))
    for tenant in ("default", "jiran"):
        for role in ROLES:
            name = role if tenant == "default" else f"{role}@{tenant}"
            new = platform.create_key(KeyWish(name, frozenset({role}), HIGHEST), tenant)
            keys[name], secrets[name] = new.record.id, new.secret
    paper = folder / "surat.txt"
    paper.write_text("Mesyuarat pelan induk akan diadakan pada 3 Mac 2027 di bilik gerakan.")
    other = folder / "sulit.txt"
    other.write_text("Nombor peti besi pejabat disimpan oleh ketua akauntan sahaja.")
    for path, label in ((paper, "terhad/internal/none/MY"), (other, "sulit/confidential/none/MY")):
        wanted = Intake("default", "documents", parse_label(label), force_label=True)
        ingest(platform.library, [path], wanted, lambda name: None)
    platform.close()
    yield Admin(running, keys, secrets, hub)
    assert running.stop() == 0, running.log.read_text()


def upload(url: str, data: bytes, secret: str) -> Any:
    request = urllib.request.Request(url, data, {"authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def filled(route: Route) -> str:
    return re.sub(r"\{\w+\}", MISSING, route.path).removeprefix("/admin/v1")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_role_takes_the_routes_of_its_table_and_no_others(admin: Admin, route: Route) -> None:
    """A refusal for the role comes before anything is read, so an empty body tells 403 from all else."""
    sent = None if route.body is None else b"{"
    assert admin.call("", route.method, filled(route), sent)[0] == 401
    for name in admin.secrets:
        role, _, tenant = name.partition("@")
        allowed = role in route.roles and not (route.house and tenant)
        if allowed and route.body is None and route.method != "GET":
            continue  # it would be done; what it does is tested below
        status, said = admin.call(name, route.method, filled(route), sent)
        assert (status == 403) is not allowed, (name, said)
        if not allowed:
            assert said["error"]["code"] == "role_needed"


def test_every_change_is_an_entry_in_the_callers_name(admin: Admin) -> None:
    """Walks every route that changes something; a route left out fails at the end."""
    site = {"jurisdiction": "MY"}
    engine = {"name": "baharu", "url": "http://127.0.0.1:1/v1", "models": {"m": "m"}, "site": site}
    place = {"document": "surat.txt"}
    walked: set[tuple[str, str]] = set()

    def change(role: str, method: str, path: str, kind: str, body: Any = None, **ids: str) -> Any:
        known = {leaf["id"] for leaf in admin.selat.leaves()}
        status, said = admin.call(role, method, path.format(**ids), body)
        assert status in (200, 201, 202), (path, said)
        walked.add((method, f"/admin/v1{path}"))

        def fresh() -> list[dict[str, Any]]:
            return [leaf for leaf in admin.selat.leaves() if leaf["id"] not in known and leaf["kind"] == kind]

        (leaf,) = until(fresh)
        assert leaf["caller"] == admin.keys[role], leaf
        assert leaf["tenant"] == (said.get("id") if kind == "tenant.created" else "default")
        return said

    change("operator", "POST", "/tenants", "tenant.created", {"name": "cawangan"})
    change(
        "operator", "PUT", "/tenant/purposes/{purpose}", "purpose.registered", {"ms": "a", "en": "b"}, purpose="p1"
    )
    key = change("operator", "POST", "/keys", "key.created", {"name": "baru", "roles": ["member"], "days": 1})
    again = change("operator", "POST", "/keys/{key}/rotate", "key.created", key=key["id"])
    assert again["rotated_from"] == key["id"]
    assert again["secret"] != key["secret"]
    change("officer", "DELETE", "/keys/{key}", "key.revoked", key=key["id"])
    change("officer", "PUT", "/tenant/profile", "tenant.profile", {"profile": "sme"})
    person = change("operator", "POST", "/people", "person.added", {"login": "baharu"})
    rights = {"roles": ["builder"], "clearance": "terbuka"}
    change("operator", "PUT", "/people/{person}", "person.changed", rights, person=person["id"])
    change("operator", "POST", "/people/{person}/link", "person.linked", person=person["id"])
    change("operator", "DELETE", "/people/{person}", "person.disabled", person=person["id"])
    change("operator", "POST", "/people/{person}/reopen", "person.enabled", person=person["id"])
    limit = {"period": "day", "unit": "requests", "amount": 9000}
    change("operator", "PUT", "/quotas", "quota.set", limit)
    (used,) = admin.call("auditor", "GET", "/quotas")[1]
    assert (used["amount"], used["scope"]) == (9000, "tenant")
    assert admin.call("operator", "DELETE", "/quotas?period=day&unit=tokens")[0] == 404
    known = {leaf["id"] for leaf in admin.selat.leaves()}
    assert admin.call("operator", "DELETE", "/quotas?period=day&unit=requests") == (
        200,
        {"done": True, "receipt": ""},
    )
    walked.add(("DELETE", "/admin/v1/quotas"))
    change("operator", "POST", "/engines", "engine.added", engine)
    change("operator", "DELETE", "/engines/{engine}", "engine.removed", engine="baharu")
    assert any(leaf["kind"] == "quota.cleared" for leaf in admin.selat.leaves() if leaf["id"] not in known)
    tia = {"id": "TIA-1", "kind": "tia", "title": "t", "starts": DAY, "ground": "1B", "destinations": ["SG"]}
    change("officer", "POST", "/instruments", "instrument.recorded", tia)
    change("officer", "DELETE", "/instruments/{instrument}", "instrument.withdrawn", instrument="TIA-1")
    opened = change(
        "officer", "POST", "/incidents", "incident.opened", {"title": "t", "kinds": ["personal", "harm"]}
    )
    duty = next(one["rule"] for one in opened["duties"] if one["due"])
    path = "/incidents/{incident}/duties/{rule}"
    change("officer", "POST", path, "incident.duty_done", {"reference": "r"}, incident=opened["id"], rule=duty)
    draft = admin.call("auditor", "GET", f"/incidents/{opened['id']}/notices/{duty}")
    assert draft[0] == 200
    plain = change("officer", "POST", "/incidents", "incident.opened", {"title": "t", "kinds": ["cyber"]})
    change("officer", "POST", "/incidents/{incident}/close", "incident.closed", incident=plain["id"])
    change("builder", "POST", "/labels/raise", "label.raised", {**place, "to": "sulit"})
    lower = {**place, "to": "terbuka/public/none/MY", "reason": "published in the gazette"}
    change("officer", "POST", "/labels/lower", "label.lowered", lower)
    assert admin.call("auditor", "GET", "/labels?document=surat.txt") == (200, {"label": "terbuka/public/none/MY"})
    change("builder", "PUT", "/folders", "folder.set", {"folder": "hr", "groups": ["hr"]})
    assert [one["groups"] for one in admin.call("auditor", "GET", "/folders")[1]] == [["hr"]]
    change("operator", "POST", "/ingestion/pause", "ingestion.paused")
    broken = (f"{admin.selat.address}/v1/documents?name=rosak.pdf", b"not a pdf", admin.secrets["builder"])
    assert upload(*broken)["status"] == "waiting"
    assert admin.call("auditor", "GET", "/ingestion")[1]["paused"] is True
    change("operator", "POST", "/ingestion/resume", "ingestion.resumed")
    until(lambda: admin.call("auditor", "GET", "/ingestion")[1]["failed"])
    change("builder", "POST", "/documents/retry", "document.retried", {"document": "rosak.pdf"})
    change("operator", "POST", "/documents/remove", "document.removed", place)
    assert admin.call("auditor", "GET", "/labels?document=surat.txt")[0] == 404
    name = quarantined(admin)
    change("auditor", "POST", "/models/verify", "check.begun", {"name": name})
    assert ended(admin, "checks")["damaged"] == {}
    change("officer", "POST", "/models/admit", "model.admitted", {"name": name, "reason": "disemak semuanya"})
    assert ended(admin, "checks")["does"] == "admit"
    assert admin.call("builder", "GET", f"/models/show?name={name}")[1]["card"]["state"] == "ready"
    change("operator", "POST", "/models/remove", "model.removed", {"name": name, "reason": "tidak lagi perlu"})
    wish = {"model": "echo", "engine": "dekat", "purpose": "chat"}
    assert admin.call("operator", "POST", "/promotions", wish)[0] == 400, "it sat no eval"
    assert admin.call("operator", "POST", "/promotions", {**wish, "engine": "tiada"})[0] == 404
    walked |= {("POST", f"/admin/v1{path}") for path in pulled(change, admin)} | {("POST", "/admin/v1/promotions")}
    only_reads = {("POST", f"/admin/v1/{path}") for path in ("policy/check", "policy/explain", "models/look")}
    changing = {(one.method, one.path) for one in ROUTES if one.method != "GET"}
    assert changing - walked == only_reads


def ended(admin: Admin, kind: str) -> Any:
    """The latest pull or check, once it has ended."""
    for _ in range(600):
        (latest, *_rest) = admin.call("builder", "GET", f"/models/{kind}")[1]
        if latest["state"] != "running":
            return latest
        time.sleep(0.1)
    raise AssertionError(f"it never ended: {latest}")


def pulled(change: Callable[..., Any], admin: Admin) -> tuple[str, ...]:
    """Look at a model, pull it, stop that, go on; the paths that were walked."""
    source = {"source": "a/m"}
    status, offer = admin.call("operator", "POST", "/models/look", source)
    assert (status, offer["licence"]["permissive"], offer["fits"]) == (200, True, True)
    admin.hub.faults["model.safetensors"] = "slow:60"
    pull = change("operator", "POST", "/models/pull", "pull.begun", {**source, "digest": offer["digest"]})
    assert admin.call("operator", "POST", "/models/pull", source)[0] == 400, "it is being pulled already"
    change("operator", "POST", "/models/pulls/stop", "pull.stopped", {"id": pull["id"]})
    assert ended(admin, "pulls")["state"] == "stopped"
    admin.hub.faults.clear()
    change("operator", "POST", "/models/pulls/resume", "pull.resumed", {"id": pull["id"]})
    found = ended(admin, "pulls")
    assert (found["state"], found["model"], found["by"]) == ("done", "a/m", admin.keys["operator"])
    assert admin.call("operator", "POST", "/models/checks/stop", {"id": pull["id"]})[0] == 404
    return ("/models/checks/stop",)


def quarantined(admin: Admin) -> str:
    """The name of a model on the shelf that nobody has let out yet."""
    folder = admin.selat.home.parent / "datang"
    folder.mkdir()
    header = b"{}" + b" " * 6
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    platform = Platform(Home(admin.selat.home), "test")
    try:
        shelving = platform.shelving()
        model, _ = shelving.add(folder, Claim("jauh/datang", licence="mit"))
        with platform.models.taking():
            platform.models.put(replace(model, state=QUARANTINED))
    finally:
        platform.close()
    return model.name


def test_nobody_makes_a_key_above_what_they_hold(admin: Admin) -> None:
    """An operator does not make those who watch operators, nor take their keys over by rotating them."""
    for role, wanted, status in (
        ("operator", ["officer"], 403),
        ("operator", ["member", "auditor"], 403),
        ("officer", ["operator"], 403),
        ("officer", ["auditor"], 201),
        ("operator", ["builder"], 201),
    ):
        assert admin.call(role, "POST", "/keys", {"roles": wanted})[0] == status, (role, wanted)
    assert admin.call("operator", "POST", f"/keys/{admin.keys['officer']}/rotate")[0] == 403
    made = admin.call("operator", "POST", "/keys", {"roles": ["operator"], "clearance": "terhad"})[1]
    admin.secrets["low"] = made["secret"]
    assert admin.call("low", "POST", "/keys", {"clearance": "sulit"})[0] == 403
    assert admin.call("low", "POST", "/keys", {})[1]["clearance"] == made["clearance"]
    listed = {one["document"] for one in admin.call("low", "GET", "/documents")[1]}
    assert "sulit.txt" not in listed
    hidden = admin.call("low", "POST", "/documents/remove", {"document": "sulit.txt"})
    assert hidden == admin.call("low", "POST", "/documents/remove", {"document": "tiada.txt"})
    del admin.secrets["low"]


def test_nobody_takes_over_the_account_of_one_who_watches_them(admin: Admin) -> None:
    """Whoever opens a link is that person: an operator makes none for an officer, nor changes or closes one."""
    status, officer = admin.call("officer", "POST", "/people", {"login": "pegawai", "roles": ["officer"]})
    assert status == 201
    assert officer["path"].startswith("/welcome?link=")
    place = f"/people/{officer['id']}"
    rights = {"roles": ["member"], "clearance": "terbuka"}
    assert admin.call("operator", "POST", f"{place}/link")[0] == 403
    assert admin.call("operator", "PUT", place, rights)[0] == 403
    assert admin.call("operator", "DELETE", place)[0] == 403
    assert admin.call("operator", "POST", "/people", {"login": "x1", "roles": ["auditor"]})[0] == 403
    assert admin.call("officer", "PUT", place, {**rights, "roles": ["operator"]})[0] == 403
    assert admin.call("officer", "PUT", place, rights)[0] == 200
    assert admin.call("operator", "POST", f"{place}/link")[0] == 201


def test_members_see_their_own_requests_and_overseers_the_tenants(admin: Admin) -> None:
    for role in ("member", "builder", "member@jiran"):
        client = admin.selat.client(api_key=admin.secrets[role])
        raw = client.chat.completions.with_raw_response.create(
            model="echo", messages=[{"role": "user", "content": "salam"}]
        )
        admin.selat.leaves_of(raw.headers["selat-receipt"], "closed")
        client.close()
    mine = admin.call("member", "GET", "/ledger/requests")[1]
    assert {one["caller"] for one in mine} == {admin.keys["member"]}
    assert admin.call("member", "GET", f"/ledger/requests?caller={admin.keys['builder']}") == (200, [])
    all_ = admin.call("auditor", "GET", "/ledger/requests?limit=1000")[1]
    assert {admin.keys["member"], admin.keys["builder"]} <= {one["caller"] for one in all_}
    assert {one["tenant"] for one in all_} == {"default"}
    theirs = admin.call("auditor@jiran", "GET", "/ledger/requests")[1]
    assert {one["caller"] for one in theirs} == {admin.keys["member@jiran"]}


def test_wrong_fields_are_refused_by_name(admin: Admin) -> None:
    for method, path, body, param in (
        ("POST", "/keys", {"nme": "x"}, "nme"),
        ("POST", "/keys", {"roles": ["king"]}, "roles"),
        ("POST", "/keys", {"days": 0}, "days"),
        ("PUT", "/quotas", {"period": "day", "unit": "requests"}, None),
        ("PUT", "/quotas", {"period": "day", "unit": "requests", "amount": -1}, "amount"),
        ("POST", "/engines", {"key_file": "/etc/passwd"}, "key_file"),
        ("GET", "/quotas?x=1", None, "x"),
        ("DELETE", "/quotas?period=day&period=day", None, "period"),
        ("POST", "/keys", b"\xff", None),
        ("POST", "/keys", b"[" * 60_000, None),
    ):
        status, said = admin.call("operator", method, path, body)
        assert (status, said["error"]["code"]) == (400, "bad_request"), (path, said)
        assert said["error"]["param"] == param, (path, said)
    assert admin.call("operator", "POST", "/keys", b" " * 70_000)[0] == 413
    assert admin.call("operator", "GET", "/nothing")[0] == 404
    assert admin.call("operator", "PATCH", "/keys")[0] == 405


def test_policy_is_shown_checked_and_explained(admin: Admin) -> None:
    shown = admin.call("auditor", "GET", "/policy")[1]
    assert shown["proved"]
    assert len(shown["proof"]) == 64
    assert {one["id"] for one in shown["policies"]} >= {"permit-registered-purpose"}
    abroad = {"label": "sulit", "site": {"jurisdiction": "SG"}}
    decided = admin.call("officer", "POST", "/policy/check", abroad)[1]
    assert decided["effect"] == "deny"
    explained = admin.call("officer", "POST", "/policy/explain", abroad)[1]
    assert explained["advice"]
    assert admin.call("builder", "POST", "/policy/check", {"site": {"x": "y"}})[1]["error"]["param"] == "x"


def test_the_ledger_is_checked_and_the_description_is_served(admin: Admin) -> None:
    status, report = admin.call("auditor", "GET", "/ledger/check")
    assert status == 200
    assert report["ok"], report
    described = admin.call("member", "GET", "/openapi.json")[1]
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {route.path for route in ROUTES}
    assert admin.call("member", "GET", "/me")[1]["roles"] == ["member"]
