"""What stays in memory: a worker that only passes chats on has loaded nothing that it has no use for."""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

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
import hashlib, hyperscan, mmap, msgspec, sqlite3, ssl, sys, uvloop
from selat import spare

with open(sys.argv[1], "rb") as file:
    library = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)

def resident():
    mapped = open("/proc/self/smaps").read().partition(sys.argv[1])[2]
    return int(mapped.partition("Rss:")[2].split()[0]) << 10

half, before, gone, after = len(library) // 2, 0, 0, 0
for _ in range(10):  # another kernel, short of memory, takes pages away by itself
    assert sum(library[::4096]) == len(library) // 4096
    before, gone, after = resident(), spare.let_go_of_files(), resident()
    if after < half < before:
        break
spare.keep_trimmed(0.01)
hashlib.sha256(b"x").hexdigest(), msgspec.json.decode(b"[1]"), ssl.create_default_context()
sqlite3.connect(":memory:").execute("SELECT 1").fetchall()
print(before > half, gone > len(library), after < half, library[-1])
"""
KEEPING = """
import ctypes
from selat import spare

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype, libc.sbrk.restype = Info, ctypes.c_void_p

def prompt():
    before = libc.mallinfo2().hblks
    held = [b"x" * size for size in (32_000, 200_000) * 10]
    apart, top = libc.mallinfo2().hblks - before, libc.sbrk(0)
    del held
    return apart, top - libc.sbrk(0)

first = prompt()
spare.keep_trimmed(3600)
prompt()
print(*first, *prompt())
"""
"""What a prompt took of the kernel alone, in blocks, and what it gave back of the heap at once, in bytes."""
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


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the kernel's own way to give back")
def test_a_process_works_on_when_it_has_let_go_of_its_libraries(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.write_bytes(bytes([1]) * (8 << 20))
    done = subprocess.run([sys.executable, "-c", GIVING, library], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True 1\n"


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc's own way to keep and to give back")
def test_what_one_prompt_leaves_free_is_kept_for_the_next() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KEEPING], capture_output=True, text=True, check=True, env={**os.environ, **MEMORY}
    )
    apart, _, apart_later, given_back_later = map(int, done.stdout.split())
    assert apart >= 10
    assert (apart_later, given_back_later) == (0, 0)


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
