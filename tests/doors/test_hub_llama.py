"""llama.cpp's own downloader loads from the mirror, by the hub's name, and goes on where it was cut off."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutting import Cutting
from doors_kit import Running
from models_kit import gguf, put

from selat.models import ModelStore

pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")
CLIENT = Path(__file__).parent / "clients" / "hub" / "use_llama.py"
SMALL, LARGE = gguf(300_000), gguf(9_000_000)


@pytest.fixture(scope="module")
def shelf(selat: Running) -> Iterator[None]:
    store = ModelStore(selat.home / "models")
    model = put(store, "cuba/llama", {"kecil-Q4_K_M.gguf": SMALL, "besar-Q8_0.gguf": LARGE})
    yield
    store.remove(model)


def fetched(selat: Running, port: int, home: Path, name: str) -> tuple[int, str, str]:
    """`llama-server -hf NAME` as far as its model: exit code, where the file lies, what it said."""
    token = "hf_" + selat.key.removeprefix("sk-selat-")
    hub = {"HF_ENDPOINT": f"http://127.0.0.1:{port}/hf", "HF_TOKEN": token, "HF_HOME": str(home)}
    command = [sys.executable, str(CLIENT), "-hf", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **hub})
    if done.returncode == 3:
        pytest.skip("this build of xllamacpp does not export llama.cpp's downloader")
    path = done.stdout.strip().rpartition("\n")[2]
    return done.returncode, path, done.stderr


@pytest.mark.parametrize(("name", "wanted"), [("cuba/llama", SMALL), ("cuba/llama:Q8_0", LARGE)])
def test_it_has_the_file_of_the_quantisation_to_the_byte(
    selat: Running, shelf: None, tmp_path: Path, name: str, wanted: bytes
) -> None:
    code, path, said = fetched(selat, selat.port, tmp_path, name)
    assert code == 0, said
    assert hashlib.sha256(Path(path).read_bytes()).digest() == hashlib.sha256(wanted).digest()


def test_what_is_not_on_the_shelf_is_not_found(selat: Running, shelf: None, tmp_path: Path) -> None:
    code, path, said = fetched(selat, selat.port, tmp_path, "cuba/tiada")
    assert (code, path) == (1, "")
    assert "404" in said


def test_cut_off_in_the_middle_it_goes_on_with_a_range(selat: Running, shelf: None, tmp_path: Path) -> None:
    proxy = Cutting(selat.port, most=4_000_000, cuts=1)
    try:
        code, path, said = fetched(selat, proxy.port, tmp_path, "cuba/llama:Q8_0")
    finally:
        proxy.close()
    assert code == 0, said
    assert Path(path).read_bytes() == LARGE
    starts = [int(start) for head in proxy.heads for start in re.findall(r"(?i)\brange: bytes=(\d+)-", head)]
    assert any(0 < start < len(LARGE) for start in starts)
