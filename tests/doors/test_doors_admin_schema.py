"""The admin API keeps to its own description: schemathesis calls every route of a real gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from doors_kit import Running, a_home, start
from hub_server import HubServer, Repo
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from selat.app import Platform
from selat.core.caller import ROLES
from selat.core.label import HIGHEST
from selat.gateway.admin.openapi import document
from selat.gateway.admin.table import ROUTES
from selat.home import Home
from selat.identity import KeyWish
from selat.testing import Upstream

EXAMPLES = 8
NOWHERE = "http://127.0.0.1:1/v1"

config = schemathesis.Config.from_dict({"seed": 7352, "generation": {"database": "none"}})
api = schemathesis.openapi.from_dict(document(ROUTES), config=config)


@pytest.fixture(scope="module")
def admin(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and the key of one who holds every role: nothing is kept from the tests by a 403."""
    folder = tmp_path_factory.mktemp("schema")
    with HubServer(a__m=Repo({"config.json": b"{}"})) as hub:
        home = a_home(folder, upstream, f'model_hub = "{hub.url}"\n')
        yield from served(start(home, upstream, folder / "log"), home)


def served(running: Running, home: Path) -> Iterator[tuple[str, str]]:
    platform = Platform(Home(home), "test")
    secret = platform.create_key(KeyWish("all", frozenset(ROLES), HIGHEST)).secret
    platform.close()
    yield running.address, secret
    assert running.stop() == 0, running.log.read_text()
    assert "request failed" not in running.log.read_text()


def at_home(case: Any) -> Any:
    """No engine is added that is anywhere but on this machine, and models come from our hub alone."""
    sent = case.body if isinstance(case.body, dict) else {}
    if case.operation.path.endswith("/engines") and str(sent.get("url", "")).startswith("http"):
        case.body["url"] = NOWHERE
    if "://" in str(sent.get("source", "")):
        case.body["source"] = "a/m"
    return case


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_answers_as_described(case: Any, admin: tuple[str, str]) -> None:
    """No 5xx, no status, media type or body that the description does not hold; wrong input and no key refused.

    Input that fits its schema may still be refused: a label that is none, an id that is taken.
    """
    address, secret = admin
    at_home(case).call_and_validate(
        base_url=address,
        headers={"Authorization": f"Bearer {secret}"},
        excluded_checks=[positive_data_acceptance],
    )
