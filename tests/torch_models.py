"""Small real models, made with PyTorch and transformers: `.make/torch/bin/python tests/torch_models.py FOLDER`.

A Llama and a Qwen3 of a million weights each with a byte-level BPE tokenizer trained on sentences of our own, a
chat template, a LoRA adapter and an embedding model, all trained for a few seconds so that what they say is not
decided by rounding. `expected.json` in each folder says what transformers makes of them: tokens, greedy answers,
vectors. Runs in an environment of its own, since nothing else of Selat needs PyTorch.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
PATTERNS = {
    "llama": rf"{SHORT}|{LETTERS}|\p{{N}}{{1,3}}|{REST}",
    "mistral": "",
    "qwen2": rf"{SHORT}|{LETTERS}|\p{{N}}|{REST}",
    "qwen3": rf"{SHORT}|{LETTERS}|\p{{N}}|{REST}",
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WHO = ("Pejabat tanah", "Majlis daerah", "Sekolah kebangsaan", "Hospital umum", "Jabatan audit", "Balai polis")
DOES = ("membuka kaunter", "menerbitkan laporan", "menerima permohonan", "menutup pejabat", "mengadakan mesyuarat")
WHEN = (
    "pada hari Isnin",
    "pada pukul 8.30 pagi",
    "setiap 14 hari",
    "sebelum 31 Disember 2026",
    "selepas cuti umum",
)
ENGLISH = (
    "The strait is narrow and every ship pays the toll in 1957 dollars.",
    "A receipt proves what was said, and by whom, without saying it again.",
)
SENTENCES = [f"{who} {does} {when}." for who in WHO for does in DOES for when in WHEN] + list(ENGLISH) * 10
PROMPTS = ("Pejabat tanah", "Hospital umum menerima", "The strait", "Jabatan audit menerbitkan laporan pada")
TEXTS = (
    *PROMPTS,
    "Berapa harga 12345 ekor ayam?\n\n  Tiga ribu, katanya…",
    "It's o'clock; we'll see — 汉字 and தமிழ் and emoji 🙂.",
    "<|im_start|>user\nhai<|im_end|>\n",
    "  dua  ruang   tiga\ttab\r\nbaris",
)
STEPS, GENERATED = 70, 16


def pieces() -> Tokenizer:
    """As SentencePiece models are converted: blanks are letters, what is not known falls apart into bytes."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    own = ["<unk>", *SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [word for sentence in SENTENCES for word in sentence.split(" ")]
    made.train_from_iterator(words, trainers.BpeTrainer(vocab_size=700, special_tokens=own, show_progress=False))
    told = json.loads(made.to_str())
    told["added_tokens"] = [one for one in told["added_tokens"] if not one["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(told))


def letters(kind: str) -> Tokenizer:
    """As GPT-2's and those after it: bytes are letters, and a pattern cuts the text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERNS[kind]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=SPECIAL,
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES, trainer)
    return made


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    made = letters(kind) if PATTERNS[kind] else pieces()
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, chat_template=TEMPLATE, **ends)


def train(model: torch.nn.Module, words: PreTrainedTokenizerFast, sentences: list[str], steps: int) -> None:
    rows = [words(text + "<|im_end|>")["input_ids"] for text in sentences]
    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=4e-3)
    for _ in range(steps):
        chosen = [rows[number] for number in torch.randint(len(rows), (8,)).tolist()]
        longest = max(map(len, chosen))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in chosen])
        labels = torch.tensor([row + [-100] * (longest - len(row)) for row in chosen])
        optimiser.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
    model.eval()


@torch.no_grad()
def greedy(model: torch.nn.Module, words: PreTrainedTokenizerFast, prompt: str) -> list[int]:
    ids = words(prompt)["input_ids"]
    begun = len(ids)
    for _ in range(GENERATED):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == words.eos_token_id:
            break
    return ids[begun:]


@torch.no_grad()
def vector(model: torch.nn.Module, words: PreTrainedTokenizerFast, text: str) -> list[float]:
    """The last token's state, normed: as Qwen's embedding models are read."""
    states = model(input_ids=torch.tensor([words(text)["input_ids"]]), output_hidden_states=True).hidden_states
    last = states[-1][0, -1]
    return (last / last.norm()).tolist()


def make(kind: str, folder: Path) -> None:
    torch.manual_seed(7)
    words = tokenizer(kind)
    common = {
        **{"vocab_size": len(words) + 5, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024},
        **{"eos_token_id": words.eos_token_id, "bos_token_id": None, "pad_token_id": words.pad_token_id},
    }
    if kind == "llama":
        scaled = {
            **{"rope_type": "llama3", "rope_theta": 500_000.0, "factor": 4.0, "low_freq_factor": 1.0},
            **{"high_freq_factor": 4.0, "original_max_position_embeddings": 256},
        }
        model = LlamaForCausalLM(LlamaConfig(**common, rope_parameters=scaled))
    elif kind == "mistral":
        model = MistralForCausalLM(MistralConfig(**common, sliding_window=None))
    elif kind == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(**common))
    else:
        model = Qwen3ForCausalLM(Qwen3Config(**common, head_dim=80, tie_word_embeddings=True))
    train(model, words, SENTENCES, STEPS)
    if kind == "qwen3":
        model = model.to(torch.bfloat16)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    model = model.float()
    hai = [{"role": "user", "content": "hai"}]
    expected = {
        "tokens": {text: words(text)["input_ids"] for text in TEXTS},
        "greedy": {prompt: greedy(model, words, prompt) for prompt in PROMPTS},
        "chat": words.apply_chat_template(hai, tokenize=False, add_generation_prompt=True),
        "vectors": {prompt: vector(model, words, prompt) for prompt in PROMPTS},
    }
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    tuned = get_peft_model(model, LoraConfig(r=8, lora_alpha=12, target_modules=targets, task_type="CAUSAL_LM"))
    train(tuned, words, [" ".join(reversed(text.split(" "))) for text in SENTENCES], STEPS)
    tuned.save_pretrained(folder / "adapter")
    expected["adapted"] = {prompt: greedy(tuned, words, prompt) for prompt in PROMPTS}
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False))
    if kind == "qwen3":
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in PATTERNS:
        make(each, Path(sys.argv[1]) / each)
