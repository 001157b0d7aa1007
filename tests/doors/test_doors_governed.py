"""Policy, quotas, keys, tokens and tenants as a client meets them, with two workers behind one port."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from doors_kit import Running, a_home, start
from oidc_server import OpenIDProvider
from oidc_server import running as openid
from typer.testing import CliRunner
from waiting import CEILING_S, until

from selat.app import Platform
from selat.cli import app
from selat.home import Home
from selat.identity import KeyWish, Tenant
from selat.policy.quota import Limit
from selat.testing import Upstream


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIDProvider]:
    with openid() as provider:
        yield provider


@pytest.fixture(scope="module")
def governed(
    upstream: Upstream, provider: OpenIDProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("governed")
    home = a_home(folder, upstream)
    (home / "oidc.toml").write_text(
        f'[[provider]]\nissuer = "{provider.issuer}"\naudience = "selat"\ntenant = "default"\n'
        'roles = { "selat-officer" = "officer" }\n'
    )
    running = start(home, upstream, folder / "log", "--workers", "2")
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def platform(governed: Running) -> Iterator[Platform]:
    platform = Platform(Home(governed.home), "test")
    yield platform
    platform.close()


def new_tenant(platform: Platform, name: str) -> tuple[str, str]:
    """A tenant of the test's own, with the id and the secret of a key."""
    platform.keys.ensure_tenant(Tenant(name))
    made = platform.create_key(KeyWish(name), name)
    return made.record.id, made.secret


Clients = Callable[..., openai.OpenAI]


@pytest.fixture
def client(governed: Running) -> Iterator[Clients]:
    """Makes clients, with another key if one is given, and closes them."""
    made: list[openai.OpenAI] = []

    def make(**options: Any) -> openai.OpenAI:
        made.append(governed.client(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def say(client: openai.OpenAI, model: str = "echo", text: str = "apa khabar", **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def within(limit_s: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.05)
    return False


def test_receipts_name_the_invariants_that_were_proved(governed: Running, client: Clients) -> None:
    raw = client().chat.completions.with_raw_response.create(
        model="echo", messages=[{"role": "user", "content": "salam"}]
    )
    entry = governed.leaves_of(raw.headers["selat-receipt"], "opened")
    assert len(entry["policy"]["proof"]) == 64
    assert entry["decision"] == {"effect": "permit", "rules": ["permit-registered-purpose"]}


def test_a_full_quota_is_429_with_what_and_when_on_every_worker(
    governed: Running, platform: Platform, client: Clients
) -> None:
    _, secret = new_tenant(platform, "hemat")
    platform.quota.set(Limit("hemat", "tenant", "month", "requests", 5))
    time.sleep(0.6)
    refused = []
    for _ in range(12):
        try:
            say(client(api_key=secret))
        except openai.RateLimitError as error:
            refused.append(error)
    assert len(refused) == 7
    assert "5 requests per month for this tenant" in str(refused[0])
    assert refused[0].code == "quota_exceeded"
    assert 0 < int(refused[0].response.headers["retry-after"]) <= 31 * 86_400 + 1
    assert [one.used for one in platform.quota.usage("hemat")] == [5]
    entry = governed.leaves_of(refused[0].response.headers["selat-receipt"], "refused")
    assert entry["decision"] == {"effect": "deny", "rules": ["quota:tenant/month/requests"]}
    assert "apa khabar" not in json.dumps(entry)


def test_a_revoked_key_ends_on_every_worker_within_a_second(
    governed: Running, platform: Platform, client: Clients
) -> None:
    name, secret = new_tenant(platform, "tamat")
    mine = client(api_key=secret)
    for _ in range(6):
        say(mine)
    platform.revoke_key(name, "tamat")
    time.sleep(1.0)  # no more than that: a worker looks when it is asked
    for _ in range(8):
        with pytest.raises(openai.AuthenticationError):
            say(mine)


def put(path: Path, text: str) -> None:
    """The whole text at once: a worker that read an empty file would take the rule in it for gone."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def test_changed_policies_take_effect_and_broken_ones_do_not(governed: Running, client: Clients) -> None:
    mine = client()
    extra = governed.home / "policy" / "policies" / "90-test.cedar"

    def denied() -> bool:
        try:
            say(mine)
        except openai.PermissionDeniedError as error:
            return "no-chat-today" in json.dumps(error.body)
        return False

    put(
        extra,
        '@id("no-chat-today")\n@reason_en("not today")\n@reason_ms("bukan hari ini")\n'
        'forbid(principal, action == Action::"infer", resource);\n',
    )
    try:
        assert within(CEILING_S, lambda: all(denied() for _ in range(6)))
        put(extra, "forbid(")
        until(lambda: "90-test.cedar:1" in governed.log.read_text())
        assert denied(), "a broken set leaves the one before in force"
        put(extra, '@id("all")\npermit(principal, action, resource) when { context.official + 1 > 0 };\n')
        until(lambda: "write it within the subset" in governed.log.read_text())
        assert denied(), "an unprovable set leaves the one before in force"
    finally:
        extra.unlink()
    assert within(CEILING_S, lambda: not any(denied() for _ in range(6)))


def call(governed: Running, path: str, secret: str, body: Any = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{governed.address}{path}", data, {"authorization": f"Bearer {secret}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def cli(governed: Running, *words: str) -> tuple[int, str, str]:
    """A command in this process: its exit code, its result, and the error it would tell."""
    done = CliRunner().invoke(app, [*words, "--home", str(governed.home)])
    told = "" if isinstance(done.exception, SystemExit | None) else repr(done.exception)
    return done.exit_code, done.stdout, told


def test_answers_from_documents_never_draw_on_another_tenants(
    governed: Running, platform: Platform, client: Clients
) -> None:
    _, mine = new_tenant(platform, "sebelah")
    question = "Berapa lama masa untuk lapor kebocoran data peribadi?"
    ours = say(client(), "docs", question).choices[0].message.content
    assert "72" in ours
    theirs = say(client(api_key=mine), "docs", question).choices[0].message.content
    assert "72" not in theirs
    guides = say(client(api_key=mine), "docs:guides", question).choices[0].message.content
    assert "72" not in guides


def test_a_purpose_outside_the_register_or_without_its_passport_is_refused(
    governed: Running, platform: Platform, client: Clients
) -> None:
    assert cli(governed, "tenant", "create", "pinjaman")[0] == 0
    words = ("pinjaman", "loan-triage", "--ms", "Saringan", "--en", "Triage", "--needs-passport")
    assert cli(governed, "tenant", "purpose", *words)[0] == 0
    mine = client(api_key=platform.create_key(KeyWish("x"), "pinjaman").secret)
    for purpose, rule in (("gossip", "purpose-must-be-registered"), ("loan-triage", "passport-where-needed")):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            say(mine, extra_headers={"selat-purpose": purpose})
        assert rule in json.dumps(caught.value.body)
    assert say(mine, extra_headers={"selat-purpose": "docs"})


def test_a_providers_token_is_taken_where_an_api_key_is(
    governed: Running, provider: OpenIDProvider, client: Clients
) -> None:
    def entry(token: str) -> dict[str, Any]:
        raw = client(api_key=token).chat.completions.with_raw_response.create(
            model="echo", messages=[{"role": "user", "content": "salam"}]
        )
        return governed.leaves_of(raw.headers["selat-receipt"], "opened")

    # Each worker fetches the keys for itself, and which one answers is the system's choice.
    assert within(
        CEILING_S, lambda: all(call(governed, "/v1/models", provider.sign())[0] == 200 for _ in range(20))
    )
    first, second = entry(provider.sign()), entry(provider.sign(jti="2"))
    assert first["caller"].startswith("sub_")
    assert first["caller"] == second["caller"], "the same person, whichever worker"
    assert "aminah" not in json.dumps(first)
    for token in (provider.sign(aud="another"), provider.sign(exp=1), provider.sign(iss="https://x.example")):
        for _ in range(3):
            assert call(governed, "/v1/models", token) == call(governed, "/v1/models", "sk-selat-wrong")
    provider.rotate()
    token = provider.sign()
    assert within(CEILING_S, lambda: all(call(governed, "/v1/models", token)[0] == 200 for _ in range(4)))


def test_an_answer_from_a_terhad_document_does_not_leave_with_the_conversation(
    governed: Running, client: Clients
) -> None:
    paper = governed.home.parent / "pelan.txt"
    paper.write_text(
        "Pelan induk Kuala Muda akan dibentangkan kepada majlis pada 3 Mac 2027 oleh jabatan perancang."
    )
    assert (
        cli(governed, "ingest", str(paper), "--label", "terhad/internal/none/MY", "--collection", "pelan")[0] == 0
    )
    mine = client()
    question = "Bila pelan induk Kuala Muda akan dibentangkan?"
    raw = mine.chat.completions.with_raw_response.create(
        model="docs:pelan", messages=[{"role": "user", "content": question}]
    )
    assert raw.headers["selat-label"].startswith("terhad")
    answer = raw.parse().choices[0].message.content
    assert answer
    assert "3 Mac 2027" in answer
    history: Any = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "Terjemahkan."},
    ]
    for _ in range(4):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            mine.chat.completions.create(model="far", messages=history)
        assert "above-terbuka-stays-in-malaysia" in json.dumps(caught.value.body)
    at_home = mine.chat.completions.with_raw_response.create(model="echo", messages=history)
    assert at_home.headers["selat-label"].startswith("terhad")
    assert say(mine, "far", "Terjemahkan.")
