"""all-MiniLM-L6-v2 as ONNX, of a wheel's files: `.make/torch/bin/python tests/minilm_onnx.py SOURCE FOLDER`.

FOLDER becomes a model folder as `embed_model` takes one; `expected.json` in it says what transformers makes of
some texts. Runs beside PyTorch, since nothing else of Selat needs it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoModel, AutoTokenizer

WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as the model's own page gives it
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
BESIDE = ("tokenizer.json", "config_sentence_transformers.json", "sentence_bert_config.json")
TEXTS = (
    "A man is eating food.",
    "A man eats a meal.",
    "Kadar pengangguran mengikut negeri",
    "unemployment rate by state " * 80,
)


class States(torch.nn.Module):
    """The last hidden states alone."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state


def export(source: Path, folder: Path) -> None:
    model = AutoModel.from_pretrained(source, attn_implementation="eager")
    # Three tensors of their own: inputs that are one object become one input of the graph.
    example = torch.arange(14).reshape(2, 7) + 100, torch.ones(2, 7, dtype=torch.long), torch.zeros(2, 7).long()
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=512)}
    torch.onnx.export(
        States(model).eval(), example, folder / "model.onnx", input_names=list(INPUTS),
        output_names=["last_hidden_state"], dynamic_shapes=(axes, axes, axes), dynamo=True, external_data=False,
    )  # fmt: skip


@torch.no_grad()
def vectors(source: Path) -> dict[str, list[float]]:
    """Means of the tokens' states, normed, each text by itself."""
    words, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    longest = json.loads((source / "sentence_bert_config.json").read_text())["max_seq_length"]
    found = {}
    for text in TEXTS:
        told = words(text, return_tensors="pt", truncation=True, max_length=longest)
        mean = model(**told).last_hidden_state[0].mean(dim=0)
        found[text] = (mean / mean.norm()).tolist()
    return found


if __name__ == "__main__":
    given, made = Path(sys.argv[1]), Path(sys.argv[2])
    if hashlib.sha256((given / "model.safetensors").read_bytes()).hexdigest() != WEIGHTS:
        sys.exit("these are not the weights of all-MiniLM-L6-v2")
    made.mkdir(parents=True, exist_ok=True)
    export(given, made)
    for name in BESIDE:
        shutil.copy(given / name, made / name)
    shutil.copytree(given / "1_Pooling", made / "1_Pooling", dirs_exist_ok=True)
    (made / "expected.json").write_text(json.dumps(vectors(given)))
