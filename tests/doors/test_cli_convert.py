"""`selat model convert` and `selat engine run` by name: from safetensors on the shelf to a file that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_model import make_model
from typer.testing import CliRunner

from selat.cli import app
from selat.home import create_home
from selat.house import furnish

pytest.importorskip("gguf", reason="needs the gguf package")
pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")
MADE = Path(__file__).parents[2] / ".make" / "models" / "llama"
RUNNER = CliRunner()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    furnish(create_home(tmp_path / "home"))
    return tmp_path / "home"


def selat(home: Path, *words: str, code: int = 0) -> Any:
    done = RUNNER.invoke(app, [*words, "--home", str(home), "--json"])
    assert done.exit_code == code, (done.output, done.stderr, done.exception)
    return json.loads(done.stdout) if done.stdout else done


@pytest.mark.skipif(not MADE.is_dir(), reason="needs the models that `make test` makes with PyTorch")
def test_safetensors_on_the_shelf_become_a_file_that_selat_runs(home: Path, tmp_path: Path) -> None:
    selat(home, "model", "add", str(MADE), "--name", "ujian/kecil")
    out = tmp_path / "kecil.gguf"
    made = selat(home, "model", "convert", "ujian/kecil", str(out), "--form", "q8_0")
    assert (made["kind"], made["architecture"], made["form"]) == ("model", "llama", "q8_0")
    assert made["size_bytes"] == out.stat().st_size
    adapter = tmp_path / "adapter.gguf"
    selat(home, "model", "convert", str(MADE / "adapter"), str(adapter), "--base", str(MADE))
    added = selat(home, "engine", "run", "kecil", str(out), "--adapter", f"besar={adapter}")
    assert added["models"] == {"kecil": "kecil", "besar": "besar"}
    assert added["health"]["ok"]
    assert added["site"]["jurisdiction"] == "MY"
    assert selat(home, "engine", "loaded") == []


def test_a_model_on_the_shelf_is_run_by_its_name(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("a-q4.gguf", "a-q8.gguf"):
        make_model(folder / name)
    selat(home, "model", "add", str(folder), "--name", "ujian/dua")
    told = RUNNER.invoke(app, ["engine", "run", "dua", "ujian/dua", "--home", str(home)])
    assert told.exit_code != 0
    assert "holds several; name one with --file: a-q4.gguf, a-q8.gguf" in str(told.exception)
    added = selat(home, "engine", "run", "dua", "ujian/dua", "--file", "a-q8.gguf")
    assert added["health"]["ok"], added
    missing = RUNNER.invoke(app, ["engine", "run", "tiga", "ujian/tiada", "--home", str(home)])
    assert "no model 'ujian/tiada' on the shelf" in str(missing.exception)


@pytest.mark.skipif(not MADE.is_dir(), reason="needs the models that `make test` makes with PyTorch")
def test_what_is_converted_comes_onto_the_shelf_with_what_it_was_made_of(home: Path) -> None:
    said = ("--license", "mit", "--vendor", "Asal", "--country", "MY")
    selat(home, "model", "add", str(MADE), "--name", "asal/kecil", *said)
    base = selat(home, "model", "show", "asal/kecil")
    made = selat(home, "model", "convert", "asal/kecil", "--form", "q8_0", "--shelf", "jabatan/kecil-q8")
    assert [file["path"] for file in made["files"]] == ["kecil-q8-q8_0.gguf"]
    assert made["lineage"]["base"] == [f"asal/kecil@{base['revision']}"]
    assert made["lineage"]["relation"] == "quantized"
    assert "q8_0" in made["lineage"]["recipe"]
    assert "gguf" in made["lineage"]["recipe"]
    assert (made["licence"], made["vendor"], made["country"], made["format"]) == ("mit", "Asal", "MY", "gguf")
    assert selat(home, "model", "verify", "jabatan/kecil-q8")["damaged"] == []
    assert not list((home / "models").glob("convert.*"))
    for words in ((), ("x.gguf", "--shelf", "a/b")):
        misused = RUNNER.invoke(app, ["model", "convert", "asal/kecil", *words, "--home", str(home)])
        assert "say where it goes" in str(misused.exception)


def test_a_licence_that_forbids_derived_models_is_heeded(home: Path, tmp_path: Path) -> None:
    make_model(tmp_path / "m.gguf")
    selat(home, "model", "add", str(tmp_path / "m.gguf"), "--name", "asal/m", "--license", "cc-by-nc-nd-4.0")
    refused = RUNNER.invoke(app, ["model", "convert", "asal/m", "--shelf", "a/b", "--home", str(home)])
    assert "forbids derived models" in str(refused.exception)
    assert [row["name"] for row in selat(home, "model", "list")] == ["asal/m"]
