"""Safetensors to GGUF: models of the Llama and Qwen families, their LoRA adapters, and quantisation."""

from selat.convert.convert import FORMS, Converted, Options, convert

__all__ = ["FORMS", "Converted", "Options", "convert"]
