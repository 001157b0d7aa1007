"""Numbers to fewer bits, by the engine's own kernels: which type each tensor gets, and `ggml_quantize_chunk`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import gguf
import numpy as np

from selat.convert.shape import Array
from selat.core.errors import Misused

_TYPE = gguf.GGMLQuantizationType
_FILE = gguf.LlamaFileType
_PLAIN = (_TYPE.F32, _TYPE.F16, _TYPE.BF16)
_CHUNK_NUMBERS = 1 << 22


@dataclass(frozen=True, slots=True)
class Form:
    """What `general.file_type` says, the type of most tensors, and the type of those that need more bits."""

    file: gguf.LlamaFileType
    most: gguf.GGMLQuantizationType
    more: gguf.GGMLQuantizationType


FORMS: Mapping[str, Form] = {
    "f32": Form(_FILE.ALL_F32, _TYPE.F32, _TYPE.F32),
    "f16": Form(_FILE.MOSTLY_F16, _TYPE.F16, _TYPE.F16),
    "bf16": Form(_FILE.MOSTLY_BF16, _TYPE.BF16, _TYPE.BF16),
    "q8_0": Form(_FILE.MOSTLY_Q8_0, _TYPE.Q8_0, _TYPE.Q8_0),
    "q6_k": Form(_FILE.MOSTLY_Q6_K, _TYPE.Q6_K, _TYPE.Q6_K),
    "q5_k_m": Form(_FILE.MOSTLY_Q5_K_M, _TYPE.Q5_K, _TYPE.Q6_K),
    "q4_k_m": Form(_FILE.MOSTLY_Q4_K_M, _TYPE.Q4_K, _TYPE.Q6_K),
}
# Rows that a block does not divide take the next type whose block does. Source: llama.cpp's own fallbacks.
_FALLBACK = {_TYPE.Q4_K: _TYPE.Q5_0, _TYPE.Q5_K: _TYPE.Q5_1, _TYPE.Q6_K: _TYPE.Q8_0}


def type_of(form: Form, name: str, shape: tuple[int, ...], layers: int, tied: bool) -> gguf.GGMLQuantizationType:
    """The type a tensor is stored in. Vectors stay as they are; the mixture of `_m` forms is llama.cpp's."""
    if len(shape) == 1:
        return _TYPE.F32
    wanted = form.most
    if name == "output.weight" or (name == "token_embd.weight" and tied):
        wanted = form.more
    elif name.endswith(("attn_v.weight", "ffn_down.weight")):
        number, eighth = int(name.split(".")[1]), layers // 8
        if number < eighth or number >= 7 * layers // 8 or (number - eighth) % 3 == 2:
            wanted = form.more
    if wanted in _PLAIN:
        return wanted
    if shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0]:
        wanted = _FALLBACK.get(wanted, _TYPE.F16)
    return wanted if shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0 else _TYPE.F16


def pack(rows: Array, kind: gguf.GGMLQuantizationType) -> Array:
    """float32 numbers as the bytes of a type, rows kept. Raises: Misused, where the engine is needed and lacks."""
    if kind in _PLAIN:
        packed: Array = gguf.quants.quantize(rows, kind)
        return packed
    width = rows.shape[-1]
    flat = np.ascontiguousarray(rows, dtype=np.float32).reshape(-1, width)
    holds, size = gguf.GGML_QUANT_SIZES[kind]
    out = np.empty((flat.shape[0], width // holds * size), dtype=np.uint8)
    step = max(1, _CHUNK_NUMBERS // width)
    kernel = _kernel()

    def some(start: int) -> None:
        part, into = flat[start : start + step], out[start : start + step]
        kernel(int(kind), part.ctypes.data, into.ctypes.data, 0, part.shape[0], width, None)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(some, range(0, flat.shape[0], step)))
    return out.reshape(*rows.shape[:-1], -1)


@cache
def _kernel() -> ctypes._NamedFuncPointer:
    """`ggml_quantize_chunk(type, from, into, start, rows, row, weights)`, from the engine's own library."""
    try:
        from xllamacpp import xllamacpp
    except ImportError as error:
        raise Misused("quantising needs llama.cpp: pip install 'selat[llama]'; or convert to f16") from error
    chunk = ctypes.CDLL(xllamacpp.__file__).ggml_quantize_chunk
    long = ctypes.c_int64
    chunk.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, long, long, long, ctypes.c_void_p)
    chunk.restype = ctypes.c_size_t
    return chunk
