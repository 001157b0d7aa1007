"""What stays in memory: a worker that only passes chats on has loaded nothing that it has no use for."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest

import selat
from selat.app import open_platform
from selat.core.later import later
from selat.home import Home, create_home
from selat.house import furnish
from selat.spare import _unwritten
from selat.supervisor import MEMORY

ROOMS = [name for _, name, package in pkgutil.walk_packages(selat.__path__, "selat.") if package]
HEAVY = (
    *("sqlalchemy", "numpy", "tantivy", "lxml", "jinja2", "babel", "tomlkit", "re2", "argon2", "rich", "typer"),
    *("multiprocessing", "http.client", "urllib.request", "importlib.metadata", "cryptography.x509"),
    *("email.utils", "platformdirs", "shutil"),
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


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """As the opening leaves it for the workers."""
    home = create_home(tmp_path_factory.mktemp("memory") / "home")
    furnish(home)
    with open_platform(home.path, "up") as platform:
        assert platform.guard
    return home


def test_a_worker_on_a_furnished_home_loads_nothing_that_chat_does_without(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, home.path, *HEAVY], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


AGAIN = """
import sys
from pathlib import Path
from selat.app import open_platform
from selat.home import open_home
from selat.house import furnish
home = open_home(Path(sys.argv[1]))
secret = furnish(home)
with open_platform(home.path, "up") as platform:
    platform.guard
print(secret, "sqlalchemy" in sys.modules)
"""


def test_a_home_that_was_up_before_is_furnished_without_sqlalchemy(home: Home) -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN, home.path], capture_output=True, text=True, check=True)
    assert done.stdout == "None False\n"


GIVING = """
import hashlib, hyperscan, msgspec, sqlite3, ssl, uvloop
from pathlib import Path
from selat import spare

def held():
    said = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in said if line.startswith("Rss:"))

before = held()
spare.keep_trimmed(0.01)
gone, after = spare.let_go_of_files(), held()
hashlib.sha256(b"x").hexdigest(), msgspec.json.decode(b"[1]"), ssl.create_default_context()
sqlite3.connect(":memory:").execute("SELECT 1").fetchall()
print(gone > 1 << 20, before - after > 1 << 10)
"""
KEEPING = """
import resource
from selat import spare

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        [b"x" * size for size in (32_000, 200_000) * 10]
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 100

before = faults()
spare.keep_trimmed(3600)
print(before > 100, faults() < 10)
"""
SMAPS = """\
55d0c0000000-55d0c0002000 r--p 00000000 08:01 1   /usr/lib/a library.so
Rss:                   8 kB
Anonymous:             0 kB
55d0c0002000-55d0c0003000 r--p 00002000 08:01 1   /usr/lib/a library.so
Anonymous:             4 kB
55d0c0003000-55d0c0004000 rw-p 00003000 08:01 1   /usr/lib/a library.so
Anonymous:             0 kB
55d0c0004000-55d0c0006000 r-xp 00004000 08:01 1   /usr/lib/a library.so
Anonymous:             0 kB
55d0c0006000-55d0c0007000 r--p 00000000 00:00 0
Anonymous:             0 kB
55d0c0007000-55d0c0008000 r--s 00000000 08:01 1   /home/index
Anonymous:             0 kB
55d0c0008000-55d0c0009000 r-xp 00000000 00:00 0   [vdso]
Anonymous:             0 kB
"""


def test_only_what_nobody_wrote_to_is_let_go_of() -> None:
    assert list(_unwritten(SMAPS)) == [(0x55D0C0000000, 0x55D0C0002000), (0x55D0C0004000, 0x55D0C0006000)]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way to give back")
def test_a_process_works_on_when_it_has_let_go_of_its_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", GIVING], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own way to give back")
def test_what_one_prompt_leaves_free_is_kept_for_the_next() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KEEPING], capture_output=True, text=True, check=True, env={**os.environ, **MEMORY}
    )
    assert done.stdout == "True True\n"


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
