"""`selat model` as a command: a folder comes onto the shelf, is listed, checked, taken off, and it is booked."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import commands
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from selat.app import open_platform
from selat.home import create_home
from selat.house import furnish


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = create_home(tmp_path / "home")
    furnish(made)
    return made.path


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("model", *words, "--home", home)


def leaves(home: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in (home / "ledger").rglob("*") if path.is_file())


def folder(path: Path) -> Path:
    path.mkdir()
    header = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}}).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    (path / "config.json").write_text("{}")
    (path / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: asal/induk\n---\n")
    (path / "pytorch_model.bin").write_bytes(b"\x80\x02}.")
    return path


def test_a_model_comes_is_shown_is_checked_and_goes(home: Path, tmp_path: Path) -> None:
    source = folder(tmp_path / "kecil")
    done = selat(home, "add", str(source), "--name", "cuba/kecil", "--license", "mit", "--country", "MY")
    assert done.returncode == 0, done.stderr
    assert "added cuba/kecil@" in done.stdout
    assert "'pytorch_model.bin' is a pickle" in done.stderr
    (row,) = json.loads(selat(home, "list", "--json").stdout)
    assert (row["name"], row["licence"], row["country"], row["files"]) == ("cuba/kecil", "mit", "MY", 3)
    shown = json.loads(selat(home, "show", "cuba/kecil", "--json").stdout)
    assert (Path(shown["path"]) / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    assert selat(home, "verify").returncode == 0
    assert "removed 0 files" in selat(home, "gc", "--all").stdout

    blob = (Path(shown["path"]) / "model.safetensors").resolve()
    blob.chmod(0o644)
    blob.write_bytes(b"lain")
    found = selat(home, "verify", "cuba/kecil", "--json")
    assert found.returncode == 1
    assert json.loads(found.stdout)["damaged"][0]["state"] == "changed"
    refused = selat(home, "show", "cuba/kecil")
    assert refused.returncode == 1
    assert "pull it again" in refused.stderr
    assert selat(home, "add", str(source), "--name", "cuba/kecil").returncode == 0
    assert selat(home, "verify").returncode == 0
    by_card = json.loads(selat(home, "show", "cuba/kecil", "--json").stdout)
    assert (by_card["licence"], by_card["lineage"]["base"]) == ("apache-2.0", ["asal/induk"])

    engines = home / "engines.toml"
    engines.write_text(f"# served: {by_card['path']}/model.safetensors\n")
    served = selat(home, "remove", "cuba/kecil")
    assert served.returncode == 2
    assert "selat engine remove" in served.stderr
    engines.unlink()
    assert selat(home, "remove", "cuba/kecil").returncode == 0
    assert "removed 3 files" in selat(home, "gc", "--all").stdout
    assert selat(home, "list", "--json").stdout == "[]\n"
    book = leaves(home)
    for kind in ("model.added", "model.damaged", "model.removed"):
        assert kind in book


def test_what_cannot_come_in_is_refused_in_plain_words(home: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    only.mkdir()
    (only / "pytorch_model.bin").write_bytes(b"\x80\x02}.")
    hidden = folder(tmp_path / "hidden")
    (hidden / "tokenizer.model").write_bytes(b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93.")
    for words, code, told in (
        (("add", str(tmp_path / "tiada")), 2, "is not there"),
        (("add", str(only)), 1, "is a pickle"),
        (("add", str(hidden)), 1, "pickle under another name"),
        (("add", str(folder(tmp_path / "x")), "--name", "a/b/c"), 1, "no model's name"),
        (("show", "tiada"), 1, "selat model pull"),
        (("remove", "tiada"), 1, "selat model list"),
        (("verify", "tiada"), 1, "selat model list"),
    ):
        done = selat(home, *words)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert told in done.stderr
    with open_platform(home) as platform:
        assert platform.models.models() == []
    assert "model." not in leaves(home)


def test_a_model_is_signed_verified_and_asked_for_signed(home: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (home / "jabatan.pub").write_bytes(public)
    source = folder(tmp_path / "kecil")
    assert selat(home, "add", str(source), "--name", "cuba/kecil").returncode == 0
    done = selat(home, "sign", "cuba/kecil", "--key", str(tmp_path / "key.pem"), "--json")
    assert done.returncode == 0, done.stderr
    signer = json.loads(done.stdout)["signer"]
    assert f"signed by {signer}" in selat(home, "show", "cuba/kecil").stdout
    verified = selat(home, "verify", "cuba/kecil", "--public-key", str(home / "jabatan.pub"), "--json")
    assert json.loads(verified.stdout)["signed"]["signer"] == signer
    whose = selat(home, "verify", "cuba/kecil", "--signature", str(tmp_path / "none.sig"))
    assert (whose.returncode, "none.sig" in whose.stderr) == (2, True)

    (home / "selat.toml").write_text('model_signers = "jabatan.pub"\nmodel_require_signed = "luar/*"\n')
    refused = selat(home, "add", str(source), "--name", "luar/kecil")
    assert (refused.returncode, "comes only when signed" in refused.stderr) == (1, True)
    (source / "pytorch_model.bin").unlink()
    tree = Path(json.loads(selat(home, "show", "cuba/kecil", "--json").stdout)["path"])
    (source / "model.sig").write_bytes((tree / "model.sig").read_bytes())
    assert selat(home, "add", str(source), "--name", "luar/kecil").returncode == 0
    book = leaves(home)
    for kind in ("model.signed", "model.signature_verified"):
        assert f'"{kind}"' in book
