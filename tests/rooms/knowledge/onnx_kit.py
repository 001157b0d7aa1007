"""Tiny ONNX models of our own making: an embedder that knows words by chance vectors, and two cross-encoders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

WIDTH = 32


def tokenizer(words: list[str]) -> Tokenizer:
    made = Tokenizer(models.WordLevel({"[UNK]": 0, **{word: at + 1 for at, word in enumerate(words)}}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def embedder(folder: Path, groups: list[list[str]], seed: int = 1) -> Path:
    """A model under which the words of one group mean the same: each group has a vector drawn by chance."""
    folder.mkdir(parents=True)
    words = [word for group in groups for word in group]
    chance = np.random.default_rng(seed)
    table = np.zeros((len(words) + 1, WIDTH), np.float32)
    at = 1
    for group in groups:
        table[at : at + len(group)] = chance.standard_normal(WIDTH)
        at += len(group)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "tokens"])
    out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", WIDTH])
    graph = helper.make_graph(nodes, "words", [ids, mask], [out], [numpy_helper.from_array(table, "table")])
    _save(graph, folder, tokenizer(words))
    return folder


def reranker(folder: Path, wanted: str) -> Path:
    """A model that scores a pair by how often it holds one word."""
    folder.mkdir(parents=True)
    made = tokenizer([wanted])
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats", "axis"], ["logits"], keepdims=1),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    _save(helper.make_graph(nodes, "count", [ids], [out], [axis]), folder, made)
    return folder


def entailer(
    folder: Path, wrong: str, labels: tuple[str, ...] = ("ENTAILMENT", "NEUTRAL", "CONTRADICTION")
) -> Path:
    """A model of entailment under which every claim follows that does not hold one word."""
    folder.mkdir(parents=True)
    table = np.array([[0, 0, 0], [0, 0, 9]], np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["said"]),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["types", "last"], ["claim"]),
        helper.make_node("Mul", ["said", "claim"], ["claimed"]),
        helper.make_node("ReduceSum", ["claimed", "axis"], ["summed"], keepdims=0),
        helper.make_node("Add", ["summed", "bias"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "token_type_ids")
    ]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    held = {
        "table": table, "last": np.array([2], np.int64), "axis": np.array([1], np.int64),
        "bias": np.array([3, 0, 0], np.float32),
    }  # fmt: skip
    given = [numpy_helper.from_array(value, name) for name, value in held.items()]
    _save(helper.make_graph(nodes, "entail", inputs, [out], given), folder, tokenizer([wrong]))
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
    return folder


def _save(graph: onnx.GraphProto, folder: Path, words: Tokenizer) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    words.save(str(folder / "tokenizer.json"))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {}}))
