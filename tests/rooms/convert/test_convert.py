"""After conversion llama.cpp says what transformers says; what cannot be converted is refused."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import uvloop
from llama_kit import Hosted, ask, call, hosted

from selat.convert import FORMS, Options, convert
from selat.convert.quantise import pack
from selat.convert.shape import read_shape
from selat.convert.weights import turned
from selat.core.errors import Misused
from selat.engines import EMBEDDINGS, Call
from selat.engines.llama.header import read_header

pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")

MADE = Path(__file__).parents[3] / ".make" / "models"
KINDS = ("llama", "mistral", "qwen2", "qwen3")
needs_torch = pytest.mark.skipif(
    not (MADE / "made").is_file() or not (MADE / "qwen3" / "expected.json").is_file(),
    reason="needs the models that `make test` makes with PyTorch (.make/models/made); PyTorch could not be had",
)


@cache
def expected(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MADE / kind / "expected.json").read_text())
    return found


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models and their adapters, as f32."""
    folder = tmp_path_factory.mktemp("gguf")
    for kind in KINDS:
        convert(MADE / kind, folder / f"{kind}.gguf", Options("f32"))
        convert(MADE / kind / "adapter", folder / f"{kind}-adapter.gguf", Options("f32", base=MADE / kind))
    return folder


def in_engine(folder: Path, story: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(120), hosted(folder) as here:
            await story(here)

    uvloop.run(whole())


async def native(engine: Any, path: str, **body: Any) -> Any:
    """A call of llama.cpp's own, outside the OpenAI protocol."""
    return await ask(engine, Call(path, json.dumps(body).encode(), False))


async def greedy(engine: Any, prompt: str, **more: Any) -> list[int]:
    said = await native(
        engine, "/completion", prompt=prompt, n_predict=16, temperature=0, return_tokens=True, **more
    )
    return list(said["tokens"])


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_becomes_the_same_tokens_and_the_same_greedy_answer(
    kind: str, converted: Path, tmp_path: Path
) -> None:
    async def story(here: Hosted) -> None:
        engine = here.engine("a", converted / f"{kind}.gguf", context=512)
        for text, tokens in expected(kind)["tokens"].items():
            cut = await native(engine, "/tokenize", content=text, parse_special=True, add_special=True)
            assert cut["tokens"] == tokens, text
        for prompt, tokens in expected(kind)["greedy"].items():
            assert await greedy(engine, prompt) == tokens, prompt
        shaped = await native(engine, "/apply-template", messages=[{"role": "user", "content": "hai"}])
        assert shaped["prompt"] == expected(kind)["chat"]

    in_engine(tmp_path, story)


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_a_converted_adapter_says_what_peft_says(kind: str, converted: Path, tmp_path: Path) -> None:
    async def story(here: Hosted) -> None:
        adapters = (("besar", str(converted / f"{kind}-adapter.gguf")),)
        engine = here.engine("a", converted / f"{kind}.gguf", context=512, adapters=adapters)
        for prompt, tokens in expected(kind)["adapted"].items():
            assert await greedy(engine, prompt, model="besar") == tokens, prompt
        assert expected(kind)["adapted"] != expected(kind)["greedy"]
        for prompt, tokens in expected(kind)["greedy"].items():
            assert await greedy(engine, prompt, model="a") == tokens, prompt

    in_engine(tmp_path, story)


@needs_torch
def test_an_embedding_models_vectors_are_those_of_transformers(converted: Path, tmp_path: Path) -> None:
    async def story(here: Hosted) -> None:
        engine = here.engine("a", converted / "qwen3.gguf")
        wanted = expected("qwen3")["vectors"]
        rows = (await ask(engine, call(path=EMBEDDINGS, input=list(wanted))))["data"]
        for row, theirs in zip(rows, wanted.values(), strict=True):
            assert np.dot(row["embedding"], theirs) > 0.9999

    assert read_header(converted / "qwen3.gguf").embeds
    in_engine(tmp_path, story)


@needs_torch
def test_each_form_runs_and_is_smaller_than_the_one_before(converted: Path, tmp_path: Path) -> None:
    sizes = {}

    async def story(here: Hosted) -> None:
        for form in FORMS:
            path = tmp_path / f"{form}.gguf"
            made = convert(MADE / "llama", path, Options(form))
            sizes[form] = made.size_bytes
            assert read_header(path).form.lower() == form
            engine = here.engine(form, path, context=256)
            prompt, tokens = next(iter(expected("llama")["greedy"].items()))
            said = await greedy(engine, prompt)
            if form in ("f32", "f16", "q8_0"):
                assert said == tokens, form
            await engine.close()

    in_engine(tmp_path, story)
    order = ["f32", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m"]
    assert [sizes[form] for form in order] == sorted((sizes[form] for form in order), reverse=True)


def test_the_engines_kernel_packs_as_the_gguf_package_does_and_unpacks_to_about_the_same() -> None:
    rows = np.random.default_rng(1).normal(0, 0.1, (64, 512)).astype(np.float32)
    kinds = gguf.GGMLQuantizationType
    assert (pack(rows, kinds.Q8_0) == gguf.quants.quantize(rows, kinds.Q8_0)).all()
    for kind, most in ((kinds.Q8_0, 0.01), (kinds.Q6_K, 0.02), (kinds.Q5_K, 0.04), (kinds.Q4_K, 0.08)):
        again = gguf.quants.dequantize(pack(rows, kind), kind)
        assert np.abs(again - rows).mean() < most * np.abs(rows).mean() * 2, kind


def test_turning_rows_is_what_llama_cpp_undoes() -> None:
    rows = np.arange(2 * 8 * 3, dtype=np.float32).reshape(16, 3)
    head = turned(rows, 2)[:8]
    assert head[:, 0].tolist() == [rows[at, 0] for at in (0, 4, 1, 5, 2, 6, 3, 7)]


# Folders that cannot be converted, written without any library.


def safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.astype(np.float32).tobytes()
        header[name] = {
            **{"dtype": "F32", "shape": list(tensor.shape)},
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


CONFIG = {
    **{"architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32},
    **{"intermediate_size": 32, "num_key_value_heads": 2, "vocab_size": 300, "tie_word_embeddings": True},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    vocab = {chr(number + 256): number for number in range(256)}
    cut = {"type": "ByteLevel", "use_regex": True}
    words = {"model": {"type": "BPE", "vocab": vocab, "merges": []}, "pre_tokenizer": cut, "added_tokens": []}
    (made / "tokenizer.json").write_text(json.dumps(words))
    names = ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight")
    safetensors(made / "model.safetensors", {name: np.zeros((300, 32)) for name in names})
    return made


def change(path: Path, **said: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))


def refused(folder: Path, match: str, options: Options | None = None) -> None:
    out = folder.parent / "out.gguf"
    with pytest.raises(Misused, match=match):
        convert(folder, out, options or Options())
    assert list(folder.parent.glob("*.gguf*")) == []
    assert list(folder.parent.glob(".out*")) == []


def test_what_cannot_be_converted_is_refused_with_its_name_and_nothing_is_left(folder: Path) -> None:
    convert(folder, folder.parent / "good.gguf", Options())
    (folder.parent / "good.gguf").unlink()
    refused(folder, "no form 'q1'; known: f32", Options("q1"))
    refused(folder, "no way to cut text is called 'x'", Options(cut="x"))
    change(folder / "config.json", architectures=["GPT2LMHeadModel"])
    refused(folder, "architecture 'GPT2LMHeadModel' is not known; known: LlamaForCausalLM")
    change(folder / "config.json", architectures=["Qwen3ForCausalLM"], quantization_config={})
    refused(folder, "quantised already")
    (folder / "config.json").write_text(json.dumps({**CONFIG, "rope_scaling": {"type": "dynamic", "factor": 2}}))
    refused(folder, "rope of type 'dynamic'")
    (folder / "config.json").write_text("{")
    refused(folder, r"no readable config\.json")
    refused(folder.parent / "nowhere", r"no readable config\.json")


def test_weights_that_are_not_whole_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    refused(folder, "is cut short")
    weights.write_bytes(whole[:40])
    refused(folder, "no whole safetensors file")
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    refused(folder, "no safetensors; pickled weights are not read")
    safetensors(weights, {"model.embed_tokens.weight": np.zeros((300, 32))})
    refused(folder, "weights of 0 layers, not 1")
    safetensors(weights, {"model.layers.0.self_attn.q_proj.weight": np.zeros((32, 32))})
    refused(folder, "no embedding of tokens")
    safetensors(weights, {"model.layers.0.secret.weight": np.zeros((32, 32))})
    refused(folder, r"'model\.layers\.0\.secret\.weight' has no place")


def test_a_tokenizer_that_would_be_read_otherwise_is_refused(folder: Path) -> None:
    words = folder / "tokenizer.json"
    told = words.read_text()
    change(words, pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a)"}})
    refused(folder, "how its tokenizer cuts text is not known")
    assert convert(folder, folder.parent / "said.gguf", Options(cut="qwen2")).tensors == 2
    (folder.parent / "said.gguf").unlink()
    words.write_text(told)
    change(words, model={"type": "WordPiece"})
    refused(folder, "type WordPiece")
    words.write_text(told)
    change(words, added_tokens=[{"id": 5000, "content": "x"}])
    refused(folder, "5001 tokens, its model 300")


def test_an_adapter_that_llama_cpp_cannot_apply_is_refused(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4}))
    refused(adapter, "name the folder of its model with --base")
    given = Options(base=folder)
    refused(adapter, "no safetensors", given)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"
    safetensors(adapter / "adapter_model.safetensors", {name: np.zeros((2, 32))})
    refused(adapter, "no plain LoRA weight", given)
    change(config, use_dora=True)
    refused(adapter, "plain LoRA alone", given)


def test_old_and_new_names_of_rope_settings_mean_the_same(folder: Path) -> None:
    scaled = {"rope_type": "linear", "factor": 2.0}
    change(folder / "config.json", rope_theta=1e6, rope_scaling=scaled)
    before = read_shape(folder).rope
    (folder / "config.json").write_text(json.dumps({**CONFIG, "rope_parameters": {"rope_theta": 1e6, **scaled}}))
    assert read_shape(folder).rope == before
