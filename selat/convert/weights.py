"""Weights as arrays, one at a time: read from safetensors files, named and turned as llama.cpp wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.utility import LocalTensor, SafetensorsLocal

from selat.convert.shape import Array, Shape
from selat.core.errors import Misused

_SUFFIXES = (".weight", ".bias")
_NUMBERS = {"F32": np.float32, "F16": np.float16, "F64": np.float64}
_LORA = {"lora_A": "lora_a", "lora_B": "lora_b"}


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor by its name in GGUF; its numbers are read when asked for. `turns` is a number of heads, or 0."""

    name: str
    tensor: LocalTensor
    turns: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def read(self) -> Array:
        """The numbers as float32."""
        raw = self.tensor.mmap_bytes()
        kind = self.tensor.dtype
        if kind == "BF16":
            found = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            found = raw.view(_NUMBERS[kind]).astype(np.float32)
        found = found.reshape(self.shape)
        return turned(found, self.turns) if self.turns else found


def turned(rows: Array, heads: int) -> Array:
    """Rows of a head from two halves to neighbouring pairs, as llama.cpp rotates them."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def read_weights(folder: Path, shape: Shape) -> list[Weight]:
    """The weights of a model. Raises: Misused, for one that is not known or not whole."""
    names = gguf.get_tensor_name_map(shape.family.arch, shape.layers)
    found = []
    for name, tensor in _tensors(sorted(folder.glob("model*.safetensors")), folder):
        full = name if name.startswith(("model.", "lm_head.")) else f"model.{name}"
        if full.endswith("rotary_emb.inv_freq"):
            continue
        if full == "lm_head.weight" and shape.config.get("tie_word_embeddings"):
            continue
        found.append(Weight(_named(names, full), tensor, _turns(shape, full)))
    if not any(one.name == "token_embd.weight" for one in found):
        raise Misused(f"{folder}: its safetensors hold no embedding of tokens; is a part missing?")
    blocks = {one.name.split(".")[1] for one in found if one.name.startswith("blk.")}
    if len(blocks) != shape.layers:
        raise Misused(f"{folder}: weights of {len(blocks)} layers, not {shape.layers}; is a part missing?")
    return found


def read_adapter(folder: Path, shape: Shape) -> list[Weight]:
    """The weights of a LoRA adapter. Raises: Misused, for what llama.cpp cannot apply."""
    names = gguf.get_tensor_name_map(shape.family.arch, shape.layers)
    found = []
    for name, tensor in _tensors([folder / "adapter_model.safetensors"], folder):
        base, _, rest = name.removeprefix("base_model.model.").partition(".lora_")
        part = _LORA.get(f"lora_{rest.partition('.')[0]}")
        if part is None:
            raise Misused(f"{folder}: '{name}' is no plain LoRA weight (A or B); llama.cpp cannot apply it")
        turns = _turns(shape, f"{base}.weight") if part == "lora_b" else 0
        found.append(Weight(f"{_named(names, base + '.weight')}.{part}", tensor, turns))
    if not found:
        raise Misused(f"{folder}: the adapter is empty")
    return found


def _turns(shape: Shape, name: str) -> int:
    if not shape.family.turned:
        return 0
    return shape.heads * (".q_proj." in name) or shape.key_heads * (".k_proj." in name)


def _named(names: gguf.TensorNameMap, name: str) -> str:
    known: str | None = names.get_name(name, try_suffixes=_SUFFIXES)
    if known is None:
        raise Misused(f"weight '{name}' has no place in this architecture; its name is not known")
    return known


def _tensors(files: list[Path], folder: Path) -> Iterator[tuple[str, LocalTensor]]:
    if not files or not all(path.is_file() for path in files):
        raise Misused(f"{folder} holds no safetensors; pickled weights are not read, since they can run code")
    for path in files:
        try:
            read: dict[str, Any] = SafetensorsLocal(path).tensors
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Misused(f"{path} is no whole safetensors file: {error}") from error
        size = path.stat().st_size
        for name, tensor in read.items():
            where = tensor.data_range
            if where.offset + where.size > size:
                raise Misused(f"{path} is cut short: it holds {size} bytes of {where.offset + where.size} or more")
            if tensor.dtype not in ("BF16", *_NUMBERS):
                raise Misused(f"{path}: '{name}' is of type {tensor.dtype}; known: F32, F16, BF16, F64")
            yield name, tensor
