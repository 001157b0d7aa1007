"""The header of a GGUF file: what kind of model it is and whether the file is whole; no weights are read."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selat.core.errors import Misused

_MAGIC = b"GGUF"
_MAX_COUNT = 1 << 24
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_KEPT_ARRAY = 1024
"""Longer arrays (vocabularies) are passed over, not kept."""

# Bytes of a block and how many numbers it holds, by ggml type. Source: ggml's type traits.
_BLOCKS = {
    **{0: (4, 1), 1: (2, 1), 2: (18, 32), 3: (20, 32), 6: (22, 32), 7: (24, 32), 8: (34, 32), 9: (40, 32)},
    **{10: (84, 256), 11: (110, 256), 12: (144, 256), 13: (176, 256), 14: (210, 256), 15: (292, 256)},
    **{16: (66, 256), 17: (74, 256), 18: (98, 256), 19: (50, 256), 20: (18, 32), 21: (110, 256), 22: (82, 256)},
    **{23: (136, 256), 24: (1, 1), 25: (2, 1), 26: (4, 1), 27: (8, 1), 28: (8, 1), 29: (56, 256), 30: (2, 1)},
    **{34: (54, 256), 35: (66, 256), 39: (17, 32)},
}
# What general.file_type says in words. Source: llama.cpp's llama_ftype.
_FORMS = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S"},
    **{12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K"},
    **{19: "IQ2_XXS", 20: "IQ2_XS", 30: "IQ4_XS", 32: "BF16", 38: "MXFP4_MOE"},
}
_EMBEDDERS = frozenset({"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "neo-bert", "modern-bert"})
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself. `size_bytes` counts every part of a model in several files."""

    path: str
    size_bytes: int
    architecture: str
    kind: str
    form: str
    values: dict[str, object] = field(repr=False)

    @property
    def embeds(self) -> bool:
        """Whether it is a model for embeddings: an encoder, or one that says how its vectors are pooled."""
        return self.architecture in _EMBEDDERS or bool(self.number("pooling_type"))

    @property
    def context(self) -> int:
        """Tokens it was trained to hold; 0 where it does not say."""
        return self.number("context_length")

    def number(self, key: str) -> int:
        """A whole number of this architecture, the largest of a list; 0 where it does not stand."""
        value = self.values.get(f"{self.architecture}.{key}", 0)
        if isinstance(value, list):
            value = max((one for one in value if isinstance(one, int)), default=0)
        return value if isinstance(value, int) else 0


def read_header(path: Path) -> Header:
    """The header of a model or an adapter. Raises: Misused, saying what is wrong with the file."""
    first = _read(path)
    count = first.number_of("split.count")
    if count < 2:
        return first.header(first.size_bytes)
    part = _PART.search(path.name)
    if part is None or int(part[1]) != 1:
        raise Misused(
            f"{path} is one part of {count}: name the first, whose name ends in -00001-of-{count:05}.gguf"
        )
    whole = first.size_bytes
    for number in range(2, count + 1):
        whole += _read(path.with_name(_PART.sub(f"-{number:05}-of-{count:05}.gguf", path.name))).size_bytes
    return first.header(whole)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size_bytes: int
    values: dict[str, object]

    def number_of(self, key: str) -> int:
        value = self.values.get(key, 0)
        return value if isinstance(value, int) else 0

    def header(self, size_bytes: int) -> Header:
        architecture = self.values.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise Misused(f"{self.path}: its header names no architecture (general.architecture)")
        form = _FORMS.get(self.number_of("general.file_type"), "") if "general.file_type" in self.values else ""
        kind = str(self.values.get("general.type", "model"))
        return Header(str(self.path), size_bytes, architecture, kind, form, self.values)


def _read(path: Path) -> _File:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise Misused(f"{path} is no file; name the GGUF file itself")
        with path.open("rb") as file:
            if size < 24 or file.read(4) != _MAGIC:
                raise Misused(f"{path} is no GGUF file; make one from safetensors: selat model convert")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
                return _File(path, size, _Parser(path, held, size).read())
    except OSError as error:
        raise Misused(f"cannot read {path}: {error.strerror}") from error


class _Parser:
    """Reads forward through one header; every length is held against what the file still has."""

    def __init__(self, path: Path, held: mmap.mmap, size: int) -> None:
        self._path, self._held, self._size = path, held, size
        self._at = 4

    def read(self) -> dict[str, object]:
        version = self._number("I")
        if version not in (2, 3):
            raise Misused(
                f"{self._path}: GGUF version {version} in this byte order; known: 2 and 3, little-endian"
            )
        tensors, pairs = self._number("Q"), self._number("Q")
        if tensors > _MAX_COUNT or pairs > _MAX_COUNT:
            raise self._broken()
        values = {}
        for _ in range(pairs):
            key = self._text()
            values[key] = self._value(self._number("I"))
        ends = [self._tensor() for _ in range(tensors)]
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise self._broken()
        begin = -(-self._at // alignment) * alignment
        needed = begin + max(ends) if ends else self._at
        if needed > self._size:
            raise Misused(
                f"{self._path} is cut short: it holds {self._size} bytes of {needed}; fetch or copy it again"
            )
        return values

    def _tensor(self) -> int:
        """Where a tensor's data ends, counted from the beginning of all data."""
        self._text()
        dimensions = self._number("I")
        if dimensions > 8:
            raise self._broken()
        numbers = 1
        for _ in range(dimensions):
            numbers *= self._number("Q")
        kind, offset = self._number("I"), self._number("Q")
        size, holds = _BLOCKS.get(kind, (0, 1))
        return offset + numbers // holds * size

    def _value(self, kind: int) -> object:
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise self._broken()
        return self._number(_SCALARS[kind])

    def _array(self) -> Sequence[object]:
        kind, length = self._number("I"), self._number("Q")
        if length > _MAX_COUNT or kind == _ARRAY:
            raise self._broken()
        if kind == _STRING:
            for _ in range(length):
                self._skip(self._number("Q"))
            return []
        if kind not in _SCALARS:
            raise self._broken()
        if length > _KEPT_ARRAY:
            self._skip(length * struct.calcsize(f"<{_SCALARS[kind]}"))
            return []
        return [self._number(_SCALARS[kind]) for _ in range(length)]

    def _text(self) -> str:
        length = self._number("Q")
        start = self._at
        self._skip(length)
        return self._held[start : self._at].decode("utf-8", "replace")

    def _number(self, code: str) -> int:
        start = self._at
        self._skip(struct.calcsize(f"<{code}"))
        value: int = struct.unpack_from(f"<{code}", self._held, start)[0]
        return value

    def _skip(self, length: int) -> None:
        self._at += length
        if self._at > self._size:
            raise Misused(f"{self._path} is cut short within its header; fetch or copy it again")

    def _broken(self) -> Misused:
        return Misused(f"{self._path}: its header is damaged; fetch or copy it again")
