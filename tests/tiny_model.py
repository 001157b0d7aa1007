"""A llama of 60,000 random weights as a GGUF file: it runs in a real engine and knows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
_KINDS = [2, 3, 3, *[6] * 256, *[1] * 95]
_WIDE, _INNER, _HEADS = 64, 128, 2
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
_LOUD, _STEADY = 4.0, 30.0


def make_adapter(path: Path, seed: int = 1, rank: int = 4) -> Path:
    """A LoRA adapter of that model, strong enough to change what it says."""
    import gguf

    chance = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0 * rank)
    for name in ("attn_q", "attn_v", "attn_output"):
        for part, shape in (("a", (rank, _WIDE)), ("b", (_WIDE, rank))):
            writer.add_tensor(f"blk.0.{name}.weight.lora_{part}", chance.normal(0, 1.0, shape).astype(np.float32))
    _write(writer)
    return path


def make_model(path: Path, seed: int = 1, piece: str = "") -> Path:
    """Write the model. The letters A to D speak louder than other tokens: it chooses one, whatever is asked.

    `piece` is a token of its own that speaks louder than all: it is always said, where a grammar allows it.
    """
    import gguf

    tokens, kinds = ([*TOKENS, piece], [*_KINDS, 1]) if piece else (TOKENS, _KINDS)
    chance = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(_WIDE)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDE // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(_TEMPLATE)

    def drawn(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.3, shape).astype(np.float32)

    flat = np.ones(_WIDE, dtype=np.float32)
    out = drawn(len(tokens), _WIDE)
    out[[TOKENS.index(letter) for letter in "ABCD"]] *= _LOUD
    tensors = {"token_embd": drawn(len(tokens), _WIDE), "output_norm": flat, "output": out}
    tensors |= {"blk.0.attn_norm": flat, "blk.0.ffn_norm": flat, "blk.0.attn_output": drawn(_WIDE, _WIDE)}
    tensors |= {f"blk.0.attn_{name}": drawn(_WIDE, _WIDE) for name in "qkv"}
    tensors |= {f"blk.0.ffn_{name}": drawn(_INNER, _WIDE) for name in ("gate", "up")}
    tensors["blk.0.ffn_down"] = drawn(_WIDE, _INNER)
    if piece:
        # One dimension that nothing writes to says the same everywhere, and only the piece listens to it.
        tensors["token_embd"][:, 0] = _STEADY
        tensors["blk.0.attn_output"][0] = tensors["blk.0.ffn_down"][0] = 0
        out[-1], out[-1, 0] = 0, _STEADY
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    _write(writer)
    return path


def _write(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
