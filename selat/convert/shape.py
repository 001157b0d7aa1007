"""The shape of a model, from its config.json: which architectures there are, and what GGUF calls their parts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from selat.core.errors import Misused

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Family:
    """An architecture as llama.cpp knows it. `turned`: its rotary weights lie in halves there, in pairs here."""

    arch: gguf.MODEL_ARCH
    turned: bool = False


# By the class that config.json names. Source: the models' own code in transformers, llama.cpp's in src/models.
FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": Family(gguf.MODEL_ARCH.LLAMA, turned=True),
    "MistralForCausalLM": Family(gguf.MODEL_ARCH.LLAMA, turned=True),
    "Qwen2ForCausalLM": Family(gguf.MODEL_ARCH.QWEN2),
    "Qwen3ForCausalLM": Family(gguf.MODEL_ARCH.QWEN3),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's config, with the family it belongs to."""

    family: Family
    config: Mapping[str, Any]

    @property
    def arch(self) -> str:
        return str(gguf.MODEL_ARCH_NAMES[self.family.arch])

    def number(self, key: str, default: int = 0) -> int:
        value = self.config.get(key)
        return value if isinstance(value, int) else default

    @property
    def layers(self) -> int:
        return self.number("num_hidden_layers")

    @property
    def heads(self) -> int:
        return self.number("num_attention_heads")

    @property
    def key_heads(self) -> int:
        return self.number("num_key_value_heads", self.heads)

    @property
    def head_size(self) -> int:
        return self.number("head_dim", self.number("hidden_size") // self.heads)

    @property
    def rope(self) -> Mapping[str, Any]:
        """Rotary settings: `rope_parameters` since transformers 5, `rope_theta` and `rope_scaling` before."""
        said = self.config.get("rope_parameters")
        if isinstance(said, dict):
            return said
        return {"rope_theta": self.config.get("rope_theta"), **(self.config.get("rope_scaling") or {})}


def read_shape(folder: Path) -> Shape:
    """The shape of the model in a folder. Raises: Misused, naming what cannot be converted."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Misused(
            f"{folder} holds no readable config.json: name the folder of a model's safetensors"
        ) from error
    names = config.get("architectures") or [""]
    family = FAMILIES.get(str(names[0]))
    if family is None:
        raise Misused(f"{folder}: architecture '{names[0]}' is not known; known: {', '.join(FAMILIES)}")
    shape = Shape(family, config)
    for key in ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"):
        if shape.number(key) < 1:
            raise Misused(f"{folder}/config.json: field '{key}' is needed")
    if "quantization_config" in config:
        raise Misused(f"{folder}: its weights are quantised already; convert the ones they were made from")
    return shape


def write_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Everything of the config that llama.cpp wants to know. Raises: Misused, for a rope it does not have."""
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.number("max_position_embeddings", 2048))
    writer.add_embedding_length(shape.number("hidden_size"))
    writer.add_feed_forward_length(shape.number("intermediate_size"))
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_layer_norm_rms_eps(float(shape.config.get("rms_norm_eps", 1e-6)))
    writer.add_vocab_size(shape.number("vocab_size"))
    rope = shape.rope
    writer.add_rope_freq_base(float(rope.get("rope_theta") or 10_000.0))
    match rope.get("rope_type", rope.get("type", "default")):
        case "default" | "llama3" | None:
            pass  # llama3's factors are a tensor: see `rope_factors`
        case "linear":
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(float(rope["factor"]))
        case "yarn":
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(float(rope["factor"]))
            writer.add_rope_scaling_orig_ctx_len(int(rope["original_max_position_embeddings"]))
        case other:
            raise Misused(f"rope of type '{other}' cannot be converted; known: default, linear, yarn, llama3")


def rope_factors(shape: Shape) -> Array | None:
    """Llama 3's factors of the rotary frequencies, one a pair of dimensions; None for other ropes.

    Source: `_compute_llama3_parameters` in transformers.
    """
    rope = shape.rope
    if rope.get("rope_type", rope.get("type")) != "llama3":
        return None
    size = shape.head_size
    inverse = float(rope.get("rope_theta") or 10_000.0) ** -(np.arange(0, size, 2, dtype=np.float64) / size)
    waves = 2 * math.pi / inverse
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    factor, before = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    smooth = np.clip((before / waves - low) / (high - low), 0.0, 1.0)
    mixed = 1.0 / ((1.0 - smooth) / factor + smooth)
    return np.where(waves < before / high, 1.0, np.where(waves > before / low, factor, mixed)).astype(np.float32)
