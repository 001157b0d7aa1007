"""What a file of a model may be: weights that only hold numbers, and texts; nothing that runs when loaded."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from selat.core.errors import ModelRefused

HEAD_BYTES = 1 << 20
MAX_HEADER_BYTES = 100_000_000
"""The most that the header of a safetensors file may take. Source: the format's own limit."""
MAX_TEXT_BYTES = 256 << 20
WEIGHTS = (".safetensors", ".gguf")
TEXTS = (".json", ".jsonl", ".txt", ".md", ".jinja", ".yaml", ".yml", ".tiktoken", ".cff")
OTHERS = (".model", ".spm")
"""SentencePiece: a protocol buffer, which holds data alone."""
NAMES = ("license", "licence", "notice", "use_policy", "readme", "copying", ".gitattributes")
WHOLE_NAMES = ("model.sig",)
_RUNS = "is a pickle or holds one: loading it runs whatever its maker put in"
REFUSED = {
    **dict.fromkeys(
        (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".nemo", ".mar"), _RUNS
    ),
    **dict.fromkeys((".npy", ".npz"), "may hold pickled objects"),
    **dict.fromkeys((".py", ".ipynb", ".sh", ".so", ".dll", ".exe", ".js", ".lua", ".whl"), "is a program"),
    **dict.fromkeys((".h5", ".keras"), "may hold a Lambda layer, which is a program"),
    **dict.fromkeys(
        (".zip", ".tar", ".gz", ".xz", ".bz2", ".7z", ".zst"), "is an archive: what is in it was not seen"
    ),
}
_MAGIC = {
    b"PK\x03\x04": "a zip archive, as PyTorch pickles are",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\x89HDF": "an HDF5 file",
}
_CALLS = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What a path says of its file: whether it is taken in, and if not, why."""

    taken: bool
    reason: str = ""
    weights: bool = False


def kind_of(path: str) -> Kind:
    """By the name alone; `check_content` looks inside."""
    name = path.rpartition("/")[2].lower()
    end = name[name.rfind(".") :] if "." in name[1:] else ""
    if end in WEIGHTS:
        return Kind(True, weights=True)
    if end in TEXTS or end in OTHERS or name.startswith(NAMES) or path in WHOLE_NAMES:
        return Kind(True)
    why = REFUSED.get(end, "is neither safetensors, GGUF, nor a text that belongs to them")
    return Kind(False, f"'{path}' {why}")


def check_head(path: str, head: bytes) -> None:
    """Refuse what the first bytes betray, whatever the name says. Raises: ModelRefused."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic) and not (magic == b"MZ" and kind_of(path).weights):
            raise ModelRefused(f"'{path}' is {what}, not what its name says; nothing of this model was kept")
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and _is_pickle(head):
        raise ModelRefused(f"'{path}' is a pickle under another name; nothing of this model was kept")
    if head[:1] in b"c(]}[" and _is_pickle(head):
        raise ModelRefused(f"'{path}' is a pickle under another name; nothing of this model was kept")
    name = path.lower()
    if name.endswith(".gguf") and head[:4] != b"GGUF":
        raise ModelRefused(f"'{path}' does not begin as a GGUF file does")
    if name.endswith(".safetensors") and (len(head) < 9 or head[8:9] != b"{"):
        raise ModelRefused(f"'{path}' does not begin as a safetensors file does")


def check_content(path: str, file: Path) -> None:
    """Look into a whole file: it is what its name says. Raises: ModelRefused, OSError."""
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
        check_head(path, head)
        name = path.lower()
        if name.endswith(".safetensors"):
            _check_safetensors(path, opened, file.stat().st_size)
        elif name.endswith(".gguf"):
            (version,) = struct.unpack_from("<I", head.ljust(8, b"\0"), 4)
            if not 1 <= version <= 16:
                raise ModelRefused(f"'{path}' is GGUF of version {version}; known are those up to 16")
        elif name.endswith(".json") or path in WHOLE_NAMES:
            _check_json(path, opened, file.stat().st_size)


def _check_safetensors(path: str, file: BinaryIO, size_bytes: int) -> None:
    """The header is JSON, and every tensor lies within the file. Source: the safetensors format's README."""
    file.seek(0)
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(MAX_HEADER_BYTES, size_bytes - 8):
        raise ModelRefused(f"'{path}': its header claims {length} bytes, more than the file or the format allows")
    try:
        header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        end = max(ends, default=0)
        sound = end + 8 + length == size_bytes
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ModelRefused(f"'{path}': its safetensors header cannot be read") from error
    if not sound:
        raise ModelRefused(f"'{path}': its header speaks of {end + 8 + length} bytes, the file has {size_bytes}")


def _check_json(path: str, file: BinaryIO, size_bytes: int) -> None:
    if size_bytes > MAX_TEXT_BYTES:
        raise ModelRefused(f"'{path}' has {size_bytes} bytes, over the limit of {MAX_TEXT_BYTES} for a JSON file")
    file.seek(0)
    try:
        json.load(file)
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"'{path}' is no JSON") from error


def _is_pickle(head: bytes) -> bool:
    """Whether these bytes are a pickle that calls something, or a pickle longer than what we look at."""
    import pickletools  # half a megabyte: only where a file is looked at

    called = False
    try:
        for opcode, _, _ in pickletools.genops(head):
            called = called or opcode.name in _CALLS
            if opcode.name == "STOP":
                return called or head[:1] == b"\x80"
    except (ValueError, IndexError, KeyError, OverflowError):
        # Cut off in the middle, or no pickle at all: a protocol mark and a call tell which.
        return called and head[:1] == b"\x80"
    return False
