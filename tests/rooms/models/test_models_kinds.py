"""What may come in: by name, and by what is inside whatever the name."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
from models_kit import gguf, pickled, safetensors

from selat.core.errors import BadRequest, ModelRefused
from selat.models import check_content, kind_of
from selat.models.record import check_name, check_path


@pytest.mark.parametrize(
    "path",
    [
        *("model.safetensors", "m-00001-of-00002.safetensors", "sub/m.Q4_K_M.gguf", "tokenizer.json"),
        *("tokenizer.model", "merges.txt", "README.md", "LICENSE", "NOTICE.txt", "chat_template.jinja"),
        *(".gitattributes", "USE_POLICY.md", "model.safetensors.index.json", "qwen.tiktoken"),
    ],
)
def test_weights_and_their_texts_are_taken(path: str) -> None:
    assert kind_of(path).taken, kind_of(path).reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pytorch_model.bin", "pickle"),
        ("consolidated.00.pth", "pickle"),
        ("model.pt", "pickle"),
        ("modeling_x.py", "program"),
        ("weights.npz", "pickled"),
        ("all.tar.gz", "archive"),
        ("tf_model.h5", "Lambda"),
        ("strange.xyz", "neither"),
        ("noend", "neither"),
    ],
)
def test_what_could_run_is_refused_with_the_reason(path: str, reason: str) -> None:
    kind = kind_of(path)
    assert not kind.taken
    assert reason in kind.reason
    assert path in kind.reason


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(2))
    return made.getvalue()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("path", ["tokenizer.model", "vocab.txt", "README.md", "model.safetensors", "m.gguf"])
def test_a_pickle_under_another_name_is_found(tmp_path: Path, path: str, protocol: int) -> None:
    file = tmp_path / "f"
    file.write_bytes(pickled(protocol))
    with pytest.raises(ModelRefused):
        check_content(path, file)


INSIDES = {"zip": _zip(), "gzip": gzip.compress(b"x"), "elf": b"\x7fELF\2\1\1", "exe": b"MZ\x90\0"}


@pytest.mark.parametrize("inside", INSIDES.values(), ids=INSIDES)
def test_an_archive_or_program_under_another_name_is_found(tmp_path: Path, inside: bytes) -> None:
    file = tmp_path / "f"
    file.write_bytes(inside)
    with pytest.raises(ModelRefused):
        check_content("tokenizer.model", file)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("a.safetensors", safetensors()),
        ("a.gguf", gguf()),
        ("a.json", b'{"a": 1}'),
        ("vocab.txt", b"c\nconfig\n(x\n.\n"),
        ("README.md", "# Model\nBahasa Malaysia, தமிழ், 中文".encode()),
        ("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02"),
    ],
)
def test_what_is_what_it_says_comes_in(tmp_path: Path, path: str, inside: bytes) -> None:
    file = tmp_path / "f"
    file.write_bytes(inside)
    check_content(path, file)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("a.safetensors", safetensors()[:-1]),
        ("a.safetensors", safetensors() + b"\0"),
        ("a.safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
        ("a.safetensors", struct.pack("<Q", 2) + b"[]"),
        ("a.safetensors", struct.pack("<Q", 8) + b'{"w": 1}'),
        ("a.safetensors", b""),
        ("a.gguf", b"GGML" + b"\0" * 20),
        ("a.gguf", b"GGUF" + struct.pack("<I", 3 << 24)),
        ("a.json", b"{"),
        ("a.json", b"[" * 100_000),
        ("a.json", json.dumps({"a": 1}).encode("utf-16")[:-1]),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path, path: str, inside: bytes) -> None:
    file = tmp_path / "f"
    file.write_bytes(inside)
    with pytest.raises(ModelRefused, match=path):
        check_content(path, file)


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a/.", "~/x", "a\\..\\x", "C:x", "a\0b", "a\nb"),
        *("x" * 201, "/".join(["a" * 100] * 11), " a", "a "),
    ],
)
def test_a_path_that_could_leave_its_model_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        check_path(path)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../b", "a--b/c", "a/..", ".a", "a/", "/a", "a b", "a/b@c", "x" * 97]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        check_name(name)
