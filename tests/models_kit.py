"""Small real files for the tests of models: safetensors and GGUF that are what they say."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

from selat.models import Model, ModelFile, ModelStore, file_format, revision_of

README = "---\nlicense: apache-2.0\nbase_model: asal/induk\nlanguage:\n- ms\n- en\n---\n# Model kecil\n"


def safetensors(size_bytes: int = 4096) -> bytes:
    """One tensor of random bytes in a file of the format."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}}).encode()
    return struct.pack("<Q", len(header)) + header + os.urandom(size_bytes)


def gguf(size_bytes: int = 4096) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + os.urandom(size_bytes)


class Runs:
    def __reduce__(self) -> object:
        return (os.system, ("true",))


def pickled(protocol: int) -> bytes:
    return pickle.dumps({"state": Runs()}, protocol=protocol)


def model_folder(path: Path, size_bytes: int = 4096) -> Path:
    """A folder as a hub would have it, with some that may not come in."""
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(safetensors(size_bytes))
    (path / "config.json").write_text('{"model_type": "llama"}')
    (path / "README.md").write_text(README)
    (path / "pytorch_model.bin").write_bytes(pickled(2))
    (path / "modeling.py").write_text("print()")
    (path / ".cache").mkdir()
    (path / ".cache" / "note.txt").write_text("x")
    return path


def put(store: ModelStore, name: str, contents: dict[str, bytes], **said: str) -> Model:
    """A model of these contents on the shelf, by way of real files."""
    with store.taking() as blobs:
        files = []
        for path, data in contents.items():
            source = store.folder / "source"
            source.write_bytes(data)
            files.append(ModelFile(path, *blobs.take(source)))
            source.unlink()
        taken = tuple(files)
        return store.put(
            Model(name, said.pop("revision", "") or revision_of(taken), taken, file_format(taken), **said)
        )
