"""The proof of a bundle: installed, taken in and asked where there is no route, and nothing called out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from selat.app import open_platform
from selat.flows.shelve import Claim
from selat.home import create_home
from selat.house import furnish

STORY = Path(__file__).parents[1] / "airgap_story.py"
WHEELS = Path(__file__).parents[2] / ".make" / "wheels"
UNSHARE = ["unshare", "--net", "--mount"]


@pytest.fixture
def namespace() -> list[str]:
    """How a command is run where there is no network; skipped where that cannot be had."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here: needs root and unshare of util-linux")
    if not (WHEELS / ".whole").exists():
        pytest.skip("needs the wheels that are locked, in .make/wheels: make .make/wheels/.whole")
    return UNSHARE


@pytest.fixture
def bundle(tmp_path: Path, namespace: list[str]) -> tuple[Path, str]:
    """A bundle with wheels, a GGUF that runs, and a document; and its key; made only where it can be tried."""
    pytest.importorskip("gguf", reason="needs the gguf package to write a model")
    from tiny_model import make_model

    made = create_home(tmp_path / "luar")
    furnish(made)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/mesyuarat.md").write_text(
        "# Mesyuarat pelan induk\n\nMesyuarat pelan induk diadakan pada 3 Mac 2027 di Putrajaya.\n"
    )
    gguf = make_model(tmp_path / "rawak.gguf")
    with open_platform(made.path) as platform:
        platform.shelving().add(gguf, Claim("cuba/rawak", licence="mit"))
    command = [sys.executable, "-m", "selat"]
    home = ["--home", str(made.path)]
    intake = ["ingest", str(tmp_path / "docs"), "--label", "terbuka", "--collection", "pekeliling"]
    subprocess.run([*command, *intake, *home], check=True, capture_output=True)
    (tmp_path / "dalam").mkdir()
    what = ["--model", "cuba/rawak", "--collection", "pekeliling", "--wheels", "--extra", "llama"]
    export = ["bundle", "export", str(tmp_path / "dalam/b.tar"), *what, "--wheels-from", str(WHEELS), "--json"]
    done = subprocess.run([*command, *export, *home], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return tmp_path / "dalam", json.loads(done.stdout)["key"]


def test_a_house_without_a_route_is_installed_filled_and_asked_and_calls_nobody(
    bundle: tuple[Path, str], namespace: list[str]
) -> None:
    folder, key = bundle
    # The interpreter that this environment was made of, so that nothing installed here can help.
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "SELAT_"))
    }
    told = subprocess.run(
        [*namespace, str(python), "-I", str(STORY), str(folder), key],
        capture_output=True, text=True, env=clean, timeout=500,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-4000:]
    said = json.loads(told.stdout)
    assert said["came"] == {"models": 1, "documents": 1, "folders": 0}
    assert "3 Mac 2027" in said["document"]
    assert "mesyuarat.md" in said["document"]
    events = [json.loads(line[6:]) for line in said["stream"] if line.startswith("data: {")]
    tokens = [event for event in events if event.get("choices") and event["choices"][0]["delta"].get("content")]
    assert len(tokens) >= 2, said["stream"]
    assert said["code"] == 0
    assert (len(said["passed_on"]) > 40, said["locks"]) == (True, 4)
    assert said["attempts"] == 0, "something tried to reach another machine"
    assert set(said["deliberate"]) == {"tcp", "udp", "name", "library"}
    assert all(count >= 1 for count in said["deliberate"].values()), "the proof would not have seen an attempt"
