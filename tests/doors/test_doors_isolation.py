"""No door shows or changes what is another tenant's: every route and every command that takes an id is walked.

A route or a command that is neither walked nor listed as free of ids fails the first tests here.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main
from doors_kit import Running, a_home, start
from typer.testing import CliRunner
from waiting import until

from selat.app import Platform
from selat.cli import COMMANDS, app
from selat.core.caller import ROLES
from selat.core.label import HIGHEST, parse_label
from selat.flows.ingest import Intake, ingest
from selat.gateway.admin.table import ROUTES as ADMIN
from selat.gateway.app import ROUTES
from selat.home import Home
from selat.identity import KeyWish, Tenant
from selat.identity.people import PersonWish
from selat.testing import Upstream

NEIGHBOUR = "jiran"
DOCUMENT = "surat.txt"
INSTRUMENT = "TIA-77"
RULE = "ncii-incident-6h"

# What a walk sends: `{name}` stands for an id of ours and, the second time, for one that never was.
Walk = tuple[str, dict[str, Any] | None]
WALKED: dict[tuple[str, str], Walk] = {
    ("GET", "/v1/models/{id}"): ("/v1/models/{collection}", None),
    ("GET", "/v1/receipts/{id}"): ("/v1/receipts/{receipt}", None),
    ("GET", "/v1/documents/{id}"): ("/v1/documents/{document}/passages/1", None),
    ("POST", "/v1/documents/{id}"): ("/v1/documents/{document}/label", {"to": "sulit"}),
    ("DELETE", "/v1/documents/{id}"): ("/v1/documents/{document}", None),
    ("POST", "/admin/v1/keys/{key}/rotate"): ("/admin/v1/keys/{key}/rotate", None),
    ("DELETE", "/admin/v1/keys/{key}"): ("/admin/v1/keys/{key}", None),
    ("PUT", "/admin/v1/people/{person}"): (
        "/admin/v1/people/{person}",
        {"roles": ["member"], "clearance": "terbuka"},
    ),
    ("POST", "/admin/v1/people/{person}/link"): ("/admin/v1/people/{person}/link", None),
    ("POST", "/admin/v1/people/{person}/reopen"): ("/admin/v1/people/{person}/reopen", None),
    ("DELETE", "/admin/v1/people/{person}"): ("/admin/v1/people/{person}", None),
    ("DELETE", "/admin/v1/quotas"): ("/admin/v1/quotas?period=day&unit=requests&scope=key:{key}", None),
    ("DELETE", "/admin/v1/instruments/{instrument}"): ("/admin/v1/instruments/{instrument}", None),
    ("GET", "/admin/v1/incidents/{incident}"): ("/admin/v1/incidents/{incident}", None),
    ("POST", "/admin/v1/incidents/{incident}/close"): ("/admin/v1/incidents/{incident}/close", None),
    ("POST", "/admin/v1/incidents/{incident}/duties/{rule}"): (
        "/admin/v1/incidents/{incident}/duties/" + RULE,
        {},
    ),
    ("GET", "/admin/v1/incidents/{incident}/notices/{rule}"): (
        "/admin/v1/incidents/{incident}/notices/" + RULE,
        None,
    ),
    ("POST", "/admin/v1/documents/retry"): ("/admin/v1/documents/retry", {"document": "{document}"}),
    ("POST", "/admin/v1/documents/remove"): ("/admin/v1/documents/remove", {"document": "{document}"}),
    ("GET", "/admin/v1/labels"): ("/admin/v1/labels?document={document}", None),
    ("POST", "/admin/v1/labels/raise"): ("/admin/v1/labels/raise", {"document": "{document}", "to": "sulit"}),
    ("POST", "/admin/v1/labels/lower"): (
        "/admin/v1/labels/lower",
        {"document": "{document}", "to": "terbuka", "reason": "because it is ours"},
    ),
}
LISTS = {
    ("GET", "/v1/models"),
    ("GET", "/v1/documents"),
    ("GET", "/admin/v1/folders"),
    ("GET", "/admin/v1/ingestion"),
    ("GET", "/admin/v1/me"),
    ("GET", "/admin/v1/tenant"),
    ("GET", "/admin/v1/keys"),
    ("GET", "/admin/v1/people"),
    ("GET", "/admin/v1/quotas"),
    ("GET", "/admin/v1/due"),
    ("GET", "/admin/v1/instruments"),
    ("GET", "/admin/v1/incidents"),
    ("GET", "/admin/v1/documents"),
    ("GET", "/admin/v1/ledger/requests"),
}
"""They take no id; what they list must hold nothing of ours."""
HOUSE = {(route.method, route.path) for route in ADMIN if route.house}
"""They are refused to every other tenant before an id is looked at."""
FREE = {
    ("POST", "/v1/completions"): "names a model, which all tenants share",
    ("POST", "/v1/embeddings"): "names a model",
    ("POST", "/v1/rerank"): "names a model",
    ("POST", "/v1/messages/count_tokens"): "counts what is sent, looks nothing up",
    ("POST", "/v1/responses"): "names a model; nothing is stored to be named again",
    ("POST", "/v1/messages"): "names a model",
    (
        "POST",
        "/v1/chat/completions",
    ): "a collection is asked in test_answers_from_our_collection_reach_nobody_else",
    ("POST", "/v1/documents"): "makes, in its own tenant",
    ("PUT", "/admin/v1/folders"): "a name that the caller gives, in its own tenant",
    ("POST", "/admin/v1/ingestion/pause"): "of its own tenant",
    ("POST", "/admin/v1/ingestion/resume"): "of its own tenant",
    ("POST", "/v1/guard/scan"): "scans what is sent, looks nothing up",
    ("*", "/hf/{id}"): "models are the house's; a caller's clearance bounds them",
    ("GET", "/healthz"): "holds nothing of a tenant",
    ("GET", "/readyz"): "holds nothing of a tenant",
    ("GET", "/metrics"): "counts, without tenants",
    ("PUT", "/admin/v1/tenant/purposes/{purpose}"): "a name that the caller gives, in its own tenant",
    ("PUT", "/admin/v1/tenant/profile"): "of its own tenant",
    ("POST", "/admin/v1/people"): "makes, in its own tenant",
    ("POST", "/admin/v1/keys"): "makes; its scopes are names in its own tenant",
    ("PUT", "/admin/v1/quotas"): "makes, in its own tenant",
    ("GET", "/admin/v1/policy"): "one set for all tenants",
    ("POST", "/admin/v1/policy/check"): "decides what is sent, looks nothing up",
    ("POST", "/admin/v1/policy/explain"): "decides what is sent, looks nothing up",
    ("GET", "/admin/v1/rules"): "the law is the same for all",
    ("GET", "/admin/v1/rules/{rule}"): "the law is the same for all",
    ("POST", "/admin/v1/instruments"): "a name that the caller gives, in its own tenant",
    ("POST", "/admin/v1/incidents"): "makes, in its own tenant",
}

COMMAND_WALKS: dict[str, list[str]] = {
    "key revoke": ["{key}"],
    "key rotate": ["{key}"],
    "person link": ["{person}"],
    "person change": ["{person}", "--role", "member"],
    "person close": ["{person}"],
    "person reopen": ["{person}"],
    "label show": ["{document}"],
    "label raise": ["{document}", "--to", "sulit"],
    "label lower": ["{document}", "--to", "terbuka", "--reason", "because it is ours", "--key-env", "OFFICER"],
    "knowledge remove": ["{document}"],
    "bundle export": ["{folder}/out.zip", "--collection", "{collection}"],
    "knowledge retry": ["{document}"],
    "knowledge twins": ["{document}"],
    "rules withdraw": ["{instrument}"],
    "incident show": ["{incident}"],
    "incident done": ["{incident}", RULE],
    "incident notice": ["{incident}", RULE],
    "incident close": ["{incident}"],
    "quota clear": ["--scope", "key:{key}", "--per", "day", "--unit", "requests"],
    "ledger show": ["{receipt}"],
    "receipt export": ["{receipt}", "-o", "{folder}/out.zip"],
    "subject export": ["--receipt", "{receipt}", "-o", "{folder}/out.zip"],
}
COMMAND_LISTS: dict[str, list[str]] = {
    "key list": [],
    "person list": [],
    "knowledge list": [],
    "knowledge progress": [],
    "quota list": [],
    "rules due": [],
    "incident list": [],
    "search": ["pelan induk mesyuarat"],
    "ask": ["Bila mesyuarat pelan induk diadakan?"],
    "ledger query": [],
    "ledger usage": ["--by", "caller"],
    "subject find": ["--receipt", "{receipt}"],
    "subject erase": ["--receipt", "{receipt}", "--officer", "key_x"],
}
COMMANDS_FREE = {
    "tenant create": "makes a tenant",
    "tenant profile": "names the tenant itself",
    "person add": "makes, in the tenant named",
    "tenant content": "names the tenant itself",
    "tenant purpose": "names the tenant itself",
    "key create": "makes, in the tenant named",
    "quota set": "makes, in the tenant named",
    "rules record": "a name that the caller gives, in the tenant named",
    "rules show": "the law is the same for all",
    "incident open": "makes, in the tenant named",
    "ingest": "makes, in the tenant named",
    "knowledge folder": "a name that the caller gives, in the tenant named",
    "knowledge pause": "names the tenant itself",
    "knowledge resume": "names the tenant itself",
    "knowledge score": "questions are the caller's own; passages come by the road of search",
    "index measure": "times the road of search and shows no passage",
    "subject expire": "takes a number of days, within the tenant named",
    "engine add": "engines are the house's",
    "engine remove": "engines are the house's",
    "engine run": "engines are the house's",
    "eval report": "runs are the house's",
    "eval resume": "runs are the house's: they belong to no tenant",
    "eval show": "runs are the house's",
    "eval compare": "runs are the house's",
    "eval new": "a name that the caller gives",
    "model promote": "models and passports are the house's",
    **{
        f"model {verb}": "models are the house's; a caller's clearance bounds them"
        for verb in (
            "add",
            "admit",
            "bom",
            "catalogue",
            "claim",
            "convert",
            "pull",
            "remove",
            "show",
            "sign",
            "verify",
        )
    },
    "model passport": "models and passports are the house's",
    "bundle show": "reads the caller's own file",
    "bundle verify": "reads the caller's own file",
    "bundle import": "makes, in the tenant named, from the caller's own file",
    "guard scan": "reads the caller's own file",
    "guard redact": "reads the caller's own file",
    "guard score": "reads the caller's own file",
    "policy check": "reads the caller's own file",
    "policy explain": "reads the caller's own file",
    "policy diff": "reads the caller's own folders",
    "ledger verify": "reads the caller's own files",
    "witness init": "a name that the caller gives",
}


@dataclass
class Ours:
    """What our tenant holds, by what it is, and the way in of its neighbour."""

    selat: Running
    ids: dict[str, str]
    secret: str
    folder: Path

    def call(self, method: str, path: str, body: Any, secret: str = "") -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {secret or self.secret}"}
        request = urllib.request.Request(f"{self.selat.address}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def fill(self, template: Any, *, missing: bool = False) -> Any:
        """The template with our ids, or with ids of the same form that nobody has."""
        text = json.dumps(template)
        for name, value in self.ids.items():
            absent = re.sub(r"[0-9a-zA-Z](?=[^.]{0,3}(\.\w+)?$)", "0", value) if missing else value
            assert not missing or absent != value
            text = text.replace(f"{{{name}}}", absent)
        return json.loads(text.replace("{folder}", str(self.folder)))

    def run(self, command: str, words: list[str], tenant: str = NEIGHBOUR) -> tuple[int, str, str]:
        """A command in this process: its exit code, its result, and the error it would tell."""
        line = [*command.split(), *words, "--tenant", tenant, "--home", str(self.selat.home)]
        done = CliRunner().invoke(app, line, env={"OFFICER": self.secret})
        told = "" if isinstance(done.exception, SystemExit | None) else repr(done.exception)
        return done.exit_code, done.stdout, told


@pytest.fixture(scope="module")
def ours(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    folder = tmp_path_factory.mktemp("isolation")
    home = a_home(folder, upstream)
    running = start(home, upstream, folder / "log")
    platform = Platform(Home(home), "test")
    platform.keys.ensure_tenant(Tenant(NEIGHBOUR))
    everything = KeyWish("all", frozenset(ROLES), HIGHEST)
    mine, theirs = platform.create_key(everything), platform.create_key(everything, NEIGHBOUR)
    person = platform.people.add("default", PersonWish("orang-kami"))
    paper = folder / DOCUMENT
    paper.write_text("Mesyuarat pelan induk Kuala Muda diadakan pada 3 Mac 2027 di bilik gerakan utama.")
    wanted = Intake("default", "documents", parse_label("terbuka/public/none/MY"), force_label=True)
    ingest(platform.library, [paper], wanted, lambda name: None)
    platform.close()
    found = Ours(
        running,
        {"key": mine.record.id, "person": person.id, "document": DOCUMENT, "collection": "docs:documents"},
        "",
        folder,
    )
    found.secret = mine.secret
    status, said = found.call("POST", "/admin/v1/incidents", {"title": "ujian", "kinds": ["cyber"]})
    assert status == 201, said
    found.ids["incident"] = json.loads(said)["id"]
    tia = {"id": INSTRUMENT, "kind": "tia", "title": "x", "starts": "2026-01-01"}
    assert found.call("POST", "/admin/v1/instruments", tia)[0] == 201
    found.ids["instrument"] = INSTRUMENT
    limit = {"period": "day", "unit": "requests", "amount": 9000, "scope": f"key:{mine.record.id}"}
    assert found.call("PUT", "/admin/v1/quotas", limit)[0] == 200
    ask = {"model": "echo", "messages": [{"role": "user", "content": "rahsia kami"}]}
    assert found.call("POST", "/v1/chat/completions", ask)[0] == 200

    def asked() -> list[str]:
        leaves = [one for one in running.leaves() if one["kind"] == "opened"]
        return [one["id"] for one in leaves if one["caller"] == mine.record.id]

    (found.ids["receipt"],) = until(asked)
    running.leaves_of(found.ids["receipt"], "closed")
    for (method, _), (path, body) in WALKED.items():
        if method == "GET" and "/notices/" not in path and "{collection}" not in path:
            there = partial(found.call, method, found.fill(path), body)
            # The walk must be of things that are there; gateways follow the book and the files a moment later.
            until(lambda there=there: there()[0] == 200)
    found.secret = theirs.secret
    yield found
    assert running.stop() == 0, running.log.read_text()


def routes() -> set[tuple[str, str]]:
    every = {(verb, path) for path, verbs in ROUTES.items() for verb in verbs if not path.startswith("/admin/")}
    return every | {(route.method, route.path) for route in ADMIN}


def commands() -> dict[str, Any]:
    def under(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        nested = getattr(command, "commands", None)
        if nested is None:
            yield name, command
        for verb, one in (nested or {}).items():
            yield from under(f"{name} {verb}", one)

    nouns = ((noun, typer.main.get_command(import_module(f"selat.cli.{noun}").app)) for noun in COMMANDS)
    return dict(pair for noun, command in nouns for pair in under(noun, command))


def test_every_route_is_walked_or_says_why_not() -> None:
    assert routes() == set(WALKED) | LISTS | HOUSE | set(FREE)


def test_every_command_that_takes_an_id_is_walked_or_says_why_not() -> None:
    """One that takes a tenant or an argument may take an id."""
    taking = set()
    for name, command in commands().items():
        options = {option for one in command.params for option in one.opts}
        if "--tenant" in options or any(one.param_type_name == "argument" for one in command.params):
            taking.add(name)
    assert taking == set(COMMAND_WALKS) | set(COMMAND_LISTS) | set(COMMANDS_FREE)
    for name in (*COMMAND_WALKS, *COMMAND_LISTS):
        assert "--tenant" in {option for one in commands()[name].params for option in one.opts}, name


@pytest.mark.parametrize("route", WALKED, ids=" ".join)
def test_ours_is_as_missing_to_another_tenant(ours: Ours, route: tuple[str, str]) -> None:
    path, body = WALKED[route]
    found = ours.call(route[0], ours.fill(path), ours.fill(body))
    missing = ours.call(route[0], ours.fill(path, missing=True), ours.fill(body, missing=True))
    assert found[0] == 404, found
    assert found == missing


@pytest.mark.parametrize("route", sorted(LISTS), ids=" ".join)
def test_lists_of_another_tenant_hold_nothing_of_ours(ours: Ours, route: tuple[str, str]) -> None:
    status, said = ours.call(*route, None)
    assert status == 200
    for name, value in ours.ids.items():
        assert name == "collection" or value.encode() not in said, name


@pytest.mark.parametrize("route", sorted(HOUSE), ids=" ".join)
def test_what_concerns_all_tenants_is_for_the_house(ours: Ours, route: tuple[str, str]) -> None:
    path = re.sub(r"\{\w+\}", "dekat", route[1])
    status, said = ours.call(route[0], path, None)
    assert status == 403
    assert json.loads(said)["error"]["code"] == "role_needed"


def test_answers_from_our_collection_reach_nobody_else(ours: Ours) -> None:
    for model in ("docs", "docs:documents"):
        ask = {"model": model, "messages": [{"role": "user", "content": "Bila mesyuarat pelan induk diadakan?"}]}
        status, said = ours.call("POST", "/v1/chat/completions", ask)
        assert status == 200, said
        assert b"3 Mac" not in said
        assert DOCUMENT.encode() not in said


@pytest.mark.parametrize("command", COMMAND_WALKS)
def test_commands_take_ours_for_missing_under_another_tenant(ours: Ours, command: str) -> None:
    words = COMMAND_WALKS[command]
    found = ours.run(command, ours.fill(words))
    assert found == ours.run(command, ours.fill(words, missing=True))
    assert (found[0], found[1]) == (1, "")
    assert not (ours.folder / "out.zip").exists()


@pytest.mark.parametrize("command", ["label show", "incident show", "ledger show", "receipt export"])
def test_the_same_commands_find_ours_under_our_own(ours: Ours, command: str) -> None:
    words = ours.fill(COMMAND_WALKS[command])
    assert ours.run(command, words, "default")[0] == 0
    (ours.folder / "out.zip").unlink(missing_ok=True)


@pytest.mark.parametrize("command", COMMAND_LISTS)
def test_commands_list_nothing_of_ours_under_another_tenant(ours: Ours, command: str) -> None:
    words = COMMAND_LISTS[command]
    found = ours.run(command, ours.fill(words))
    assert found[0] in (0, 1)
    for name, value in ours.ids.items():
        assert name == "collection" or value not in found[1], name
    assert "3 Mac" not in found[1]


def test_after_the_walk_all_of_ours_is_there_as_it_was(ours: Ours) -> None:
    platform = Platform(Home(ours.selat.home), "after")
    assert all(one.revoked is None for one in platform.keys.list("default") if one.id == ours.ids["key"])
    assert str(platform.library.label("default", "documents", DOCUMENT)) == "terbuka/public/none/MY"
    assert platform.duties.incidents.get("default", ours.ids["incident"]).closed is None
    assert platform.duties.instruments.get("default", INSTRUMENT).withdrawn is None
    assert [one.amount for one in platform.quota.limits("default")] == [9000]
    assert platform.book.secrets(ours.ids["receipt"])
    platform.close()
