"""Embedding, reranking and entailment models by ONNX Runtime, from a folder as sentence-transformers lays one out.

`model.onnx` (or `onnx/model.onnx`) and `tokenizer.json` are needed; `1_Pooling/config.json` says how tokens
become one vector (else their mean), `config_sentence_transformers.json` what goes before queries and passages,
`sentence_bert_config.json` how many tokens it reads at most (else 512).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selat.core.errors import HomeBroken
from selat.core.label import Label

LONGEST_TOKENS = 512
TOGETHER = 32


class _Model:
    """A tokenizer and a session over one folder."""

    def __init__(self, folder: Path, purpose: str) -> None:
        try:
            import onnxruntime
            import tokenizers
        except ImportError as error:
            raise HomeBroken(f"{purpose}: ONNX Runtime is not installed; pip install 'selat[embed]'") from error
        path = next((one for one in (folder / "model.onnx", folder / "onnx/model.onnx") if one.exists()), None)
        if path is None or not (folder / "tokenizer.json").exists():
            raise HomeBroken(f"{purpose}: {folder} does not hold model.onnx and tokenizer.json")
        self.folder, self.path = folder, path
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            options = onnxruntime.SessionOptions()
            # Its threads spin between calls: on a busy machine that costs more CPU than the model does.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise HomeBroken(f"{purpose}: the model in {folder} cannot be read; fetch it anew") from error
        self.longest = min(
            LONGEST_TOKENS, int(self.said("sentence_bert_config.json").get("max_seq_length") or LONGEST_TOKENS)
        )
        self._tokenizer.enable_truncation(self.longest)
        self._tokenizer.enable_padding(pad_id=self._padding())
        self._inputs = {one.name for one in self._session.get_inputs()}

    def run(self, texts: Sequence[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The first output for texts or pairs of them, and the mask of tokens that are no padding."""
        encoded = self._tokenizer.encode_batch(list(texts))
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        fed = {
            "input_ids": np.array([one.ids for one in encoded], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
        }
        try:
            told = self._session.run(None, {name: value for name, value in fed.items() if name in self._inputs})
        except Exception as error:
            raise HomeBroken(f"the model in {self.folder} cannot be run; fetch it anew") from error
        return np.asarray(told[0]), mask

    def said(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder, empty where there is none."""
        path = self.folder / name
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def _padding(self) -> int:
        stated = self._tokenizer.padding
        return int(stated["pad_id"]) if stated else 0


class OnnxEmbedder:
    """Vectors of unit length from a model folder."""

    def __init__(self, folder: Path) -> None:
        self._model = _Model(folder, "embed_model")
        self._first = bool(self._model.said("1_Pooling/config.json").get("pooling_mode_cls_token"))
        prompts = self._model.said("config_sentence_transformers.json").get("prompts") or {}
        self._before_query = str(prompts.get("query", ""))
        self._before_passage = str(prompts.get("passage", prompts.get("document", "")))

    @cached_property
    def digest(self) -> str:
        """Of the model, its tokenizer, its pooling, its prompts and how much it reads."""
        whole = hashlib.sha256(f"{self._first}|{self._before_query}|{self._before_passage}|".encode())
        if self._model.longest < LONGEST_TOKENS:
            whole.update(f"{self._model.longest}|".encode())
        for path in (self._model.path, self._model.folder / "tokenizer.json"):
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()

    def passages(self, texts: Sequence[str], tenant: str, label: Label) -> list[NDArray[np.float32]]:
        """A vector each; nothing leaves this process, so every label may come."""
        out: list[NDArray[np.float32]] = []
        for at in range(0, len(texts), TOGETHER):
            out.extend(self._embed([self._before_passage + text for text in texts[at : at + TOGETHER]]))
        return out

    def query(self, text: str, tenant: str) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._embed([self._before_query + text])[0]
        return found

    def close(self) -> None:
        """Nothing is held that does not go by itself."""

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        told, mask = self._model.run(texts)
        if told.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            told = told[:, 0] if self._first else (told * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
        floats: NDArray[np.float32] = told.astype(np.float32)
        floats /= np.maximum(np.linalg.norm(floats, axis=1, keepdims=True), 1e-9)
        return floats


class OnnxReranker:
    """A cross-encoder: question and text are read together."""

    def __init__(self, folder: Path) -> None:
        self._model = _Model(folder, "rerank_model")

    def scores(self, question: str, texts: Sequence[str], label: Label, tenant: str) -> list[float]:
        """A score each; nothing leaves this process, so every label may come."""
        out: list[float] = []
        for at in range(0, len(texts), TOGETHER):
            told, _ = self._model.run([(question, text) for text in texts[at : at + TOGETHER]])
            told = told.reshape(len(told), -1)
            out.extend(float(row[-1] - row[0]) if len(row) > 1 else float(row[0]) for row in told)
        return out

    def close(self) -> None:
        """Nothing is held that does not go by itself."""


class OnnxEntailer:
    """A cross-encoder that tells entailment from the rest (MNLI, XNLI); `config.json` names its labels."""

    def __init__(self, folder: Path) -> None:
        self._model = _Model(folder, "check_model")
        labels = self._model.said("config.json").get("id2label")
        named = {int(at): str(name).lower() for at, name in labels.items()} if isinstance(labels, dict) else {}
        entails = [at for at, name in named.items() if "entail" in name and not name.startswith(("not", "non"))]
        if len(entails) != 1:
            raise HomeBroken(
                f"check_model: config.json in {folder} names no label of entailment; take a model trained on NLI"
            )
        self._entails = entails[0]

    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        out: list[float] = []
        for at in range(0, len(pairs), TOGETHER):
            told, _ = self._model.run(list(pairs[at : at + TOGETHER]))
            logits = told.reshape(len(told), -1).astype(np.float64)
            parts = np.exp(logits - logits.max(axis=1, keepdims=True))
            out.extend(float(row[self._entails] / row.sum()) for row in parts)
        return out
