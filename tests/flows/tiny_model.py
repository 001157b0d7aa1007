"""A llama of 60,000 random weights as a GGUF file: it runs in a real engine and knows nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
_KINDS = [2, 3, 3, *[6] * 256, *[1] * 95]
_WIDE, _INNER, _HEADS = 64, 128, 2
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
_LOUD = 4.0


def make_model(path: Path, seed: int = 1) -> Path:
    """Write the model. The letters A to D speak louder than other tokens: it chooses one, whatever is asked."""
    import gguf

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
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types(_KINDS)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(_TEMPLATE)

    def drawn(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.3, shape).astype(np.float32)

    flat = np.ones(_WIDE, dtype=np.float32)
    out = drawn(len(TOKENS), _WIDE)
    out[[TOKENS.index(letter) for letter in "ABCD"]] *= _LOUD
    tensors = {"token_embd": drawn(len(TOKENS), _WIDE), "output_norm": flat, "output": out}
    tensors |= {"blk.0.attn_norm": flat, "blk.0.ffn_norm": flat, "blk.0.attn_output": drawn(_WIDE, _WIDE)}
    tensors |= {f"blk.0.attn_{name}": drawn(_WIDE, _WIDE) for name in "qkv"}
    tensors |= {f"blk.0.ffn_{name}": drawn(_INNER, _WIDE) for name in ("gate", "up")}
    tensors["blk.0.ffn_down"] = drawn(_WIDE, _INNER)
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
