"""Unmodified clients load from the mirror: huggingface_hub and transformers, cut off in the middle too.

They live in `.make/torch`, and the model that they load in `.make/models`; without them these tests are skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting import Cutting
from doors_kit import Running
from models_kit import put, safetensors

from selat.app import open_platform
from selat.flows.shelve import Claim
from selat.models import ModelStore

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".make" / "torch" / "bin" / "python"
CLIENT = Path(__file__).parent / "clients" / "hub" / "use_hub.py"
LLAMA = ROOT / ".make" / "models" / "llama"
NAME = "cuba/kecil"


def usable() -> bool:
    asked = [str(PYTHON), "-c", "import torch, transformers, huggingface_hub"]
    return PYTHON.exists() and LLAMA.exists() and subprocess.run(asked, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not usable(), reason="needs torch and transformers in .make/torch")


def run(*words: str, port: int = 0, key: str = "", home: Path | None = None) -> Any:
    where = {"HF_ENDPOINT": f"http://127.0.0.1:{port}/hf", "HF_TOKEN": key, "HF_HOME": str(home)} if port else {}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [str(PYTHON), str(CLIENT), *words],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **quiet, **where},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def kecil(selat: Running) -> Iterator[Path]:
    """A small real model on the shelf; the folder that it came from."""
    with open_platform(selat.home, "test") as platform:
        platform.shelving().add(LLAMA, Claim(NAME, licence="mit"))
    yield LLAMA
    with open_platform(selat.home, "test") as platform:
        platform.shelving().remove(NAME)


def test_a_snapshot_is_the_model_to_the_byte_and_errors_are_the_hub_s(
    selat: Running, kecil: Path, tmp_path: Path
) -> None:
    said = json.loads(run("snapshot", NAME, str(tmp_path / "a"), port=selat.port, key=selat.key, home=tmp_path))
    mine = {
        str(one.relative_to(kecil)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in kecil.rglob("*")
        if one.is_file()
    }
    assert said["files"] == mine == said["lfs"]
    assert said["config"] == mine["config.json"]
    assert said["errors"] == ["RepositoryNotFoundError", "RemoteEntryNotFoundError", "RevisionNotFoundError"]
    assert NAME in said["listed"]


def test_transformers_says_the_same_from_the_mirror_as_from_the_folder(
    selat: Running, kecil: Path, tmp_path: Path
) -> None:
    said = json.loads(run("tokens", NAME, str(kecil), port=selat.port, key=selat.key, home=tmp_path))
    assert said[0] == said[1]
    assert len(said[0]) > 5


def test_cut_off_in_the_middle_the_client_goes_on_with_a_range(selat: Running, tmp_path: Path) -> None:
    # The client writes pieces of 10 MB, and goes on after the last whole one.
    weights = safetensors(45_000_000)
    store = ModelStore(selat.home / "models")
    model = put(store, "cuba/besar", {"model.safetensors": weights})
    proxy = Cutting(selat.port, most=15_000_000, cuts=2)
    try:
        words = ("file", "cuba/besar", "model.safetensors", str(tmp_path / "a"))
        found = run(*words, port=proxy.port, key=selat.key, home=tmp_path)
    finally:
        proxy.close()
        store.remove(model)
    assert found == hashlib.sha256(weights).hexdigest()
    starts = [int(said) for head in proxy.heads for said in re.findall(r"(?i)\brange: bytes=(\d+)-", head)]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(weights)
