"""A folder of safetensors becomes one GGUF file: a model, or a LoRA adapter of a model."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from selat.convert.quantise import FORMS, pack, type_of
from selat.convert.shape import Array, Shape, read_shape, rope_factors, write_shape
from selat.convert.weights import Weight, read_adapter, read_weights
from selat.convert.words import NAMES, write_words
from selat.core.errors import Misused

_LAST_TOKEN, _MEAN, _FIRST_TOKEN = gguf.PoolingType.LAST, gguf.PoolingType.MEAN, gguf.PoolingType.CLS
_POOLING = {
    "pooling_mode_lasttoken": _LAST_TOKEN,
    "pooling_mode_mean_tokens": _MEAN,
    "pooling_mode_cls_token": _FIRST_TOKEN,
}
__all__ = ["FORMS", "Converted", "Options", "convert"]
Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written. `form` is as asked; tensors that need more bits have them."""

    path: Path
    kind: str
    architecture: str
    form: str
    tensors: int
    size_bytes: int

    def to_json(self) -> dict[str, object]:
        return {
            "path": str(self.path),
            "kind": self.kind,
            "architecture": self.architecture,
            "form": self.form,
            "tensors": self.tensors,
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True, slots=True)
class Options:
    """`base` is the folder of an adapter's model; `cut` names the way the tokenizer cuts text, else it is read."""

    form: str = "f16"
    base: Path | None = None
    cut: str = ""


def convert(folder: Path, out: Path, options: Options, step: Step = lambda done, whole: None) -> Converted:
    """Convert the model or adapter in a folder; `step` is told how many tensors are written, of how many.

    The file appears whole or not at all. Memory holds one tensor at a time.
    Raises: Misused, naming what cannot be converted.
    """
    if options.form not in FORMS:
        raise Misused(f"no form '{options.form}'; known: {', '.join(FORMS)}")
    if options.cut and options.cut not in NAMES:
        raise Misused(f"no way to cut text is called '{options.cut}'; known: {', '.join(NAMES)}")
    if not out.parent.is_dir():
        raise Misused(f"{out.parent} is no folder; make it first")
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        made = _adapter if (folder / "adapter_config.json").is_file() else _model
        kind, shape, count = made(folder, fresh, options, step)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
    return Converted(out, kind, shape.arch, options.form, count, out.stat().st_size)


def _model(folder: Path, path: Path, options: Options, step: Step) -> tuple[str, Shape, int]:
    shape = read_shape(folder)
    weights = read_weights(folder, shape)
    writer = gguf.GGUFWriter(str(path), shape.arch)
    try:
        writer.add_type("model")
        writer.add_name(folder.resolve().name)
        writer.add_file_type(FORMS[options.form].file)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        write_shape(writer, shape)
        pooling = _pooling(folder)
        if pooling is not None:
            writer.add_pooling_type(pooling)
        write_words(writer, folder, shape.number("vocab_size"), options.cut)
        tied = not any(weight.name == "output.weight" for weight in weights)
        form = FORMS[options.form]
        kinds = [type_of(form, weight.name, weight.shape, shape.layers, tied) for weight in weights]
        _write(writer, weights, kinds, rope_factors(shape), step)
    finally:
        writer.close()
    return "model", shape, len(weights)


def _adapter(
    folder: Path, path: Path, options: Options, step: Callable[[int, int], None]
) -> tuple[str, Shape, int]:
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    base = options.base or Path(str(config.get("base_model_name_or_path") or ""))
    if not (base / "config.json").is_file():
        raise Misused(f"{folder} is an adapter: name the folder of its model with --base")
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        raise Misused(f"{folder}: an adapter of type {config.get('peft_type')}; llama.cpp knows plain LoRA alone")
    shape = read_shape(base)
    weights = read_adapter(folder, shape)
    rank = int(config.get("r", 0))
    alpha = float(config.get("lora_alpha", rank)) * (math.sqrt(rank) if config.get("use_rslora") else 1.0)
    writer = gguf.GGUFWriter(str(path), shape.arch)
    try:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        _write(writer, weights, [gguf.GGMLQuantizationType.F32] * len(weights), None, step)
    finally:
        writer.close()
    return "adapter", shape, len(weights)


def _write(
    writer: gguf.GGUFWriter,
    weights: list[Weight],
    kinds: list[Any],
    factors: Array | None,
    step: Step,
) -> None:
    """Names and places of all tensors first, then their numbers, read and packed one after the other."""
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    for weight, kind in zip(weights, kinds, strict=True):
        holds, size = gguf.GGML_QUANT_SIZES[kind]
        stored = (*weight.shape[:-1], weight.shape[-1] // holds * size)
        writer.add_tensor_info(weight.name, stored, np.dtype(np.uint8), math.prod(stored), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        writer.write_tensor_data(factors)
    for done, (weight, kind) in enumerate(zip(weights, kinds, strict=True), 1):
        writer.write_tensor_data(np.ascontiguousarray(pack(weight.read(), kind)).view(np.uint8))
        step(done, len(weights))


def _pooling(folder: Path) -> Any:
    """How an embedding model's vectors are pooled, where sentence-transformers wrote it down."""
    try:
        told = json.loads((folder / "1_Pooling" / "config.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return next((kind for key, kind in _POOLING.items() if told.get(key)), None)
