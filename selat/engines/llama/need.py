"""How much memory a model will take, told from its header before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import Misused
from selat.engines.llama.header import Header, read_header
from selat.engines.llama.spec import MIB, USUAL_CONTEXT, LlamaSpec

_PROCESS_BYTES = 96 * MIB
"""A child without a model: the interpreter and llama.cpp's library. Measured: 66 MiB."""
_BATCH = 512
_KV_BYTES = 2


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes: the weights with their adapters, the key-value cache, buffers and the process itself."""

    header: Header
    context: int
    weights: int
    cache: int
    buffers: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.buffers

    def limit(self, spec: LlamaSpec) -> int:
        """The most the process may hold before it is restarted."""
        return spec.memory_mb * MIB or self.total * 3 // 2

    def check(self, name: str, spec: LlamaSpec, budget: int) -> None:
        """Raises: Misused, for a model that this machine can never hold."""
        smaller = "choose a smaller quantisation, context or 'parallel'"
        if self.total > budget:
            raise Misused(
                f"'{name}': {self}, and models may take {shown(budget)} here; {smaller}, or raise models_memory_mb"
            )
        if spec.memory_mb and self.total > self.limit(spec):
            raise Misused(f"'{name}': {self}, and its memory_mb is {spec.memory_mb}; raise it, or {smaller}")

    def __str__(self) -> str:
        form = f" {self.header.form}" if self.header.form else ""
        return f"{self.header.architecture}{form}, context {self.context}, needs {shown(self.total)}"


def shown(size_bytes: int) -> str:
    return f"{size_bytes / 1024**3:.1f} GiB" if size_bytes >= 1024**3 else f"{-(-size_bytes // MIB)} MiB"


def need_of(spec: LlamaSpec) -> Need:
    """What a model needs as it is to be run. Raises: Misused, for a file that cannot be run."""
    header = read_header(Path(spec.gguf))
    if header.kind == "adapter":
        raise Misused(f"{spec.gguf} is an adapter: name the model's own file, and this one with --adapter")
    weights = header.size_bytes
    for name, path in spec.adapters:
        adapter = read_header(Path(path))
        if adapter.kind != "adapter":
            raise Misused(f"adapter '{name}': {path} is a model; convert an adapter with: selat model convert")
        if adapter.architecture != header.architecture:
            raise Misused(
                f"adapter '{name}' is for {adapter.architecture} models, this one is {header.architecture}"
            )
        weights += adapter.size_bytes
    context = spec.context or min(header.context or USUAL_CONTEXT, USUAL_CONTEXT)
    layers, heads = header.number("block_count"), header.number("attention.head_count")
    shared = header.number("attention.head_count_kv") or heads
    usual = header.number("embedding_length") // heads if heads else 0
    key = header.number("attention.key_length") or usual
    value = header.number("attention.value_length") or usual
    cache = layers * shared * (key + value) * _KV_BYTES * context * spec.parallel
    wide = max(header.number("embedding_length"), header.number("feed_forward_length"))
    words = header.number("vocab_size") or 32_000
    buffers = _PROCESS_BYTES + spec.cache_mb * MIB + _BATCH * 4 * (4 * wide + words)
    return Need(header, context, weights, cache, buffers)
