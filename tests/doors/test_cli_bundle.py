"""`selat bundle` as a command: out of one home, into another, killed on the way, on a full disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import commands
import pytest
from models_kit import safetensors
from typer.testing import CliRunner

from selat.app import open_platform
from selat.cli import app
from selat.core.errors import Misused, SelatError
from selat.core.label import parse_label
from selat.flows.shelve import Claim
from selat.home import create_home
from selat.house import furnish
from selat.identity import KeyWish


def selat(home: Path, *words: str, **said: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home, **said)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two models of 30 MB and some documents."""
    folder = tmp_path_factory.mktemp("here")
    made = create_home(folder / "home")
    furnish(made)
    with open_platform(made.path) as platform:
        for name in ("satu", "dua"):
            path = folder / name
            path.mkdir()
            (path / "model.safetensors").write_bytes(safetensors(30_000_000))
            platform.shelving().add(path, Claim(f"cuba/{name}", licence="mit"))
    docs = folder / "docs"
    docs.mkdir()
    (docs / "mesyuarat.md").write_text("# Mesyuarat\n\nMesyuarat pelan induk diadakan pada 3 Mac 2027.\n")
    assert selat(made.path, "ingest", str(docs), "--label", "sulit").returncode == 0
    return made.path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    made = create_home(tmp_path / "there")
    furnish(made)
    return made.path


@pytest.fixture(scope="module")
def bundle(here: Path) -> tuple[Path, str]:
    """A bundle of that home, and the key that signed it."""
    out = here.parent / "b.tar"
    done = selat(here, "bundle", "export", str(out), "--model", "cuba/satu", "--model", "cuba/dua",
                 "--collection", "documents", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["label"], said["kinds"]["weights"]) == ("sulit/public/none/-", 2)
    return out, str(said["key"])


def test_a_bundle_is_shown_verified_imported_and_then_there_is_nothing_to_do(
    bundle: tuple[Path, str], there: Path
) -> None:
    path, key = bundle
    shown = selat(there, "bundle", "show", str(path))
    assert "nothing of this is verified yet" in shown.stderr
    assert re.search(r"weights +2 files", shown.stdout)
    good = json.loads(selat(there, "bundle", "verify", str(path), "--trust", key, "--json").stdout)
    assert good["verified"] is True
    assert good["manifest"] == json.loads(selat(there, "bundle", "show", str(path), "--json").stdout)["manifest"]
    trust = there.parent / "rumah.vkey"
    trust.write_text(f"# rumah lain\n{key}\n")
    came = selat(there, "bundle", "import", str(path), "--trust", str(trust), "--admit")
    assert came.returncode == 0, came.stderr
    assert "imported 2 models, 1 documents" in came.stdout
    found = selat(there, "search", "bila mesyuarat pelan induk", "--json")
    assert "3 Mac 2027" in found.stdout
    assert "sulit" in selat(there, "label", "show", "mesyuarat.md").stdout
    assert selat(there, "model", "verify").returncode == 0
    again = selat(there, "bundle", "import", str(path), "--trust", key)
    assert "nothing to do" in again.stdout


def test_what_is_refused_says_why_and_what_next(bundle: tuple[Path, str], there: Path, tmp_path: Path) -> None:
    path, _ = bundle
    other = CliRunner().invoke(app, ["bundle", "key", "--home", str(there)]).stdout.strip()
    for words, code, told in (
        (("verify", str(path)), 2, "selat bundle key"),
        (("verify", str(path), "--trust", other), 1, "fingerprint"),
        (("import", str(path), "--trust", other), 1, "by another road"),
        (("verify", str(path), "--trust", "bukan"), 2, "neither a key nor a file"),
        (("import", str(tmp_path / "tiada"), "--trust", other), 2, "nothing at"),
        (("export", str(tmp_path / "x.tar")), 2, "nothing to export"),
        (("export", str(path), "--all"), 2, "exists"),
        (("export", str(tmp_path / "y.tar"), "--all", "--key-env", "TIADA"), 2, "TIADA"),
    ):
        done = CliRunner().invoke(app, ["bundle", *words, "--home", str(there)])
        assert isinstance(done.exception, SelatError), words
        assert (isinstance(done.exception, Misused), done.stdout) == (code == 2, ""), words
        assert told in str(done.exception), words


def test_an_api_keys_clearance_bounds_what_leaves(here: Path, tmp_path: Path) -> None:
    with open_platform(here) as platform:
        low, high = (
            platform.create_key(KeyWish("eksport", frozenset({role}), parse_label(label))).secret
            for role, label in (("operator", "terhad"), ("operator", "sulit"))
        )
        member = platform.create_key(KeyWish("ahli", frozenset({"member"}), parse_label("sulit"))).secret
    words = ("bundle", "export", str(tmp_path / "b"), "--collection", "documents", "--key-env", "KUNCI")
    refused = selat(here, *words, KUNCI=low)
    assert refused.returncode == 1
    assert "above your clearance" in refused.stderr
    assert "operator" in selat(here, *words, KUNCI=member).stderr
    assert not (tmp_path / "b").exists()
    assert selat(here, *words, KUNCI=high).returncode == 0


def test_killed_at_any_moment_it_goes_on(bundle: tuple[Path, str], there: Path) -> None:
    path, key = bundle
    command = [sys.executable, "-m", "selat", "bundle", "import", str(path), "--trust", key, "--home", str(there)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for wait_s in (0.0, 0.02, 0.1):
        running = subprocess.Popen(command, **quiet)
        stage = there / "bundles"
        deadline = time.monotonic() + 60
        # It is killed so long after it began to write.
        while not (stage.is_dir() and len(list(stage.iterdir())) > 1) and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(wait_s)
        running.send_signal(signal.SIGKILL)
        running.wait(60)
    done = selat(there, "bundle", "import", str(path), "--trust", key, "--admit")
    assert done.returncode == 0, done.stderr
    assert selat(there, "model", "verify").returncode == 0
    models = json.loads(selat(there, "model", "list", "--json").stdout)
    assert {model["name"] for model in models} == {"cuba/satu", "cuba/dua"}
    assert "3 Mac 2027" in selat(there, "search", "bila mesyuarat pelan induk", "--json").stdout
    assert list((there / "models/blobs/partial").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 120 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m", "selat", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_told_and_nothing_is_left_half(bundle: tuple[Path, str], small_disk: Path) -> None:
    path, key = bundle
    home = create_home(small_disk / "home")
    furnish(home)
    done = selat(home.path, "bundle", "import", str(path), "--trust", key)
    assert done.returncode == 1
    assert "make room first" in done.stderr
    assert selat(home.path, "model", "list", "--json").stdout == "[]\n"
    out = small_disk / "b.tar"
    with open_platform(home.path) as platform:
        source = small_disk / "besar"
        source.mkdir()
        (source / "model.safetensors").write_bytes(safetensors(30_000_000))
        platform.shelving().add(source, Claim("cuba/besar", licence="mit"))
    (small_disk / "isi").write_bytes(bytes(30_000_000))
    full = selat(home.path, "bundle", "export", str(out), "--all")
    assert full.returncode == 1
    assert "choose another place" in full.stderr
    assert not list(small_disk.glob("*b.tar*"))
