"""What stays in memory: a worker that only passes chats on has loaded nothing that it has no use for."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import selat
from selat.core.later import later
from selat.home import create_home
from selat.house import furnish

ROOMS = [name for _, name, package in pkgutil.walk_packages(selat.__path__, "selat.") if package]
HEAVY = (
    *("sqlalchemy", "numpy", "tantivy", "lxml", "jinja2", "babel", "tomlkit", "re2", "argon2", "rich", "typer"),
    *("multiprocessing", "http.client", "urllib.request", "importlib.metadata", "cryptography.x509"),
    *("selat.knowledge.library", "selat.models", "selat.s3", "selat.jobs", "selat.evals", "selat.identity.people"),
    *("selat.flows.documents", "selat.flows.ingest", "selat.flows.duties", "selat.flows.changes"),
    *("selat.gateway.admin", "selat.gateway.hub", "selat.gateway.documents", "selat.console.site"),
    *("selat.engines.llama.host", "selat.policy.cases", "selat.ledger.sequencer", "selat.ledger.vault"),
)
CODE = """
import sys, uvloop
from pathlib import Path
from selat.app import open_platform
from selat.console import console
from selat.gateway.gauges import Lag
from selat.gateway.intake import Reading
from selat.gateway.metrics import Metrics
from selat.gateway.worker import build_door, problems
with open_platform(Path(sys.argv[1]), "gateway-0") as platform:
    metrics, reading = Metrics({}), Reading(platform)
    console(build_door(platform, metrics, Lag(platform), reading.wake))
    problems(platform), reading._needed(), platform.policy_reload.check()
    platform.guard.scan("hubungi Siti binti Ahmad, 012-345 6789")
    print([name for name in sys.argv[2:] if name in sys.modules])
"""


def test_a_worker_on_a_furnished_home_loads_nothing_that_chat_does_without(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    furnish(home)
    done = subprocess.run(
        [sys.executable, "-c", CODE, home.path, *HEAVY], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ROOMS)
def test_every_name_that_a_room_promises_is_there_and_no_module_takes_its_place(name: str) -> None:
    room = importlib.import_module(name)
    modules = {one.name for one in pkgutil.iter_modules(room.__path__)}
    for promised in getattr(room, "__all__", ()):
        assert getattr(room, promised) is not None
        assert promised not in modules or not hasattr(room, "__getattr__"), f"{name}.{promised} is a module too"


def test_a_name_is_looked_for_once_and_an_unknown_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    give = later("selat.core", {"tree": "fold LEAF=leaf_hash"})
    for name in ("fold", "LEAF"):
        monkeypatch.delattr(importlib.import_module("selat.core"), name, raising=False)
    from selat.core.tree import fold, leaf_hash

    assert give("fold") is fold
    assert give("LEAF") is leaf_hash
    assert importlib.import_module("selat.core").LEAF is leaf_hash
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        give("nothing")
    for name in ("fold", "LEAF"):
        monkeypatch.delattr(importlib.import_module("selat.core"), name)
