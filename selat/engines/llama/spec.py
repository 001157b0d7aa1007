"""What `engines.toml` says of a model that Selat runs itself, as a value; it is also what is sent to the host."""

from __future__ import annotations

from dataclasses import dataclass

USUAL_CONTEXT = 8192
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LlamaSpec:
    """One GGUF file and how it is run.

    `adapters` pairs names with LoRA files in GGUF. `context` is in tokens of one conversation (0: what the
    model was trained for, at most 8192), `parallel` how many conversations are answered at once. `threads` 0
    leaves the choice to llama.cpp, and so does `gpu_layers` -1. `embedding` "auto" reads it from the file.
    `memory_mb` is the most its process may hold (0: half more than its need), `cache_mb` its store of earlier
    prompts' states, beside those of the conversations under way.
    """

    gguf: str
    adapters: tuple[tuple[str, str], ...] = ()
    context: int = 0
    parallel: int = 4
    threads: int = 0
    gpu_layers: int = -1
    embedding: str = "auto"
    pinned: bool = False
    memory_mb: int = 0
    cache_mb: int = 128
    chat_template: str = ""
