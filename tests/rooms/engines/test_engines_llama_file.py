"""GGUF files before they are run: whole or cut, damaged at random, in parts, larger than 4 GiB; and their need."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
from tiny_model import make_adapter, make_model

from selat.core.errors import HomeBroken, Misused
from selat.engines import LlamaSpec
from selat.engines.config import parse_specs
from selat.engines.llama.header import read_header
from selat.engines.llama.need import need_of

gguf = pytest.importorskip("gguf", reason="needs the gguf package to write a model")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "a.gguf")


def test_a_header_tells_what_the_gguf_packages_own_reader_tells(model: Path) -> None:
    header = read_header(model)
    fields = gguf.GGUFReader(model).fields
    assert header.architecture == fields["general.architecture"].contents() == "llama"
    for key in ("block_count", "attention.head_count", "embedding_length", "context_length"):
        assert header.number(key) == fields[f"llama.{key}"].contents()
    assert header.size_bytes == model.stat().st_size
    assert (header.kind, header.embeds) == ("model", False)


def test_the_sizes_of_blocks_are_the_gguf_packages() -> None:
    from selat.engines.llama.header import _BLOCKS

    for kind, (size, holds) in _BLOCKS.items():
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)] == (holds, size)


def test_every_cut_of_a_file_is_refused(model: Path, tmp_path: Path) -> None:
    whole = model.read_bytes()
    path = tmp_path / "cut.gguf"
    for length in [*range(0, 4096, 37), *range(4096, len(whole), 9973), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(Misused, match=r"is cut short|is no GGUF file"):
            read_header(path)


def test_a_damaged_header_brings_no_error_but_ours_and_little_memory(model: Path, tmp_path: Path) -> None:
    whole = model.read_bytes()
    chance = random.Random(7)
    path = tmp_path / "damaged.gguf"
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(4, 9000)
            damaged[at] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            need_of(LlamaSpec(str(path)))
        except Misused:
            refused += 1
    assert refused > 20


def test_what_is_no_model_is_refused_with_the_next_step(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("bukan model, hanya teks yang panjang sedikit")
    with pytest.raises(Misused, match="is no GGUF file; make one from safetensors: selat model convert"):
        read_header(readme)
    with pytest.raises(Misused, match="cannot read"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(Misused, match="is no file"):
        read_header(tmp_path)
    future = tmp_path / "future.gguf"
    future.write_bytes(b"GGUF" + struct.pack("<IQQ", 9, 0, 0) + bytes(64))
    with pytest.raises(Misused, match="GGUF version 9"):
        read_header(future)


def large(path: Path, gib: int, whole: bool) -> Path:
    """A sparse file whose one tensor is of so many GiB."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tensor_info("token_embd.weight", [gib << 20, 1024], "u1", gib << 30, gguf.GGMLQuantizationType.I8)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate((gib << 30) + 4096 - (0 if whole else 1 << 30))
    return path


def test_files_over_two_and_four_gib_are_read_and_held_to_their_length(tmp_path: Path) -> None:
    for gib in (3, 70):
        path = large(tmp_path / f"{gib}.gguf", gib, whole=True)
        assert need_of(LlamaSpec(str(path))).weights == path.stat().st_size > gib << 30
        with pytest.raises(Misused, match="is cut short"):
            read_header(large(path, gib, whole=False))


def test_a_model_in_parts_is_whole_or_refused(tmp_path: Path, model: Path) -> None:
    def part(number: int) -> Path:
        path = tmp_path / f"m-{number:05}-of-00002.gguf"
        writer = gguf.GGUFWriter(str(path), "llama")
        writer.add_uint16("split.count", 2)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        return path

    first = part(1)
    with pytest.raises(Misused, match=r"cannot read .*00002-of-00002"):
        read_header(first)
    second = part(2)
    assert read_header(first).size_bytes == first.stat().st_size + second.stat().st_size
    with pytest.raises(Misused, match="name the first"):
        read_header(second)


def test_the_need_grows_with_context_and_conversations(model: Path, tmp_path: Path) -> None:
    small = need_of(LlamaSpec(str(model), context=1024, parallel=1))
    large = need_of(LlamaSpec(str(model), context=4096, parallel=4))
    assert large.cache == 16 * small.cache == 16 * (1024 * 64 * 2 * 2)
    assert need_of(LlamaSpec(str(model))).context == 8192
    adapter = make_adapter(tmp_path / "adapter.gguf")
    with pytest.raises(Misused, match="is an adapter"):
        need_of(LlamaSpec(str(adapter)))
    with pytest.raises(Misused, match=r"adapter 'x': .* is a model"):
        need_of(LlamaSpec(str(model), adapters=(("x", str(model)),)))


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({}, r"field 'llama\.gguf': needed"),
        ({"gguf": 1}, r"field 'llama\.gguf': a path"),
        ({"gguf": "a", "context": -1}, r"field 'llama\.context': a whole number"),
        ({"gguf": "a", "parallel": 0}, r"field 'llama\.parallel': a whole number"),
        ({"gguf": "a", "pinned": "ya"}, r"field 'llama\.pinned': true or false"),
        ({"gguf": "a", "embedding": "mungkin"}, r"field 'llama\.embedding': one of auto, yes, no"),
        ({"gguf": "a", "adapters": ["b"]}, r"field 'llama\.adapters': a table"),
        ({"gguf": "a", "colour": 1}, r"field 'llama\.colour': not known; known: gguf"),
    ],
)
def test_each_wrong_field_is_named(said: dict[str, Any], refusal: str, tmp_path: Path) -> None:
    import tomlkit

    entry = {"name": "a", "kind": "llama", "site": {"jurisdiction": "MY"}, "llama": said}
    with pytest.raises(HomeBroken, match=refusal):
        parse_specs(tomlkit.dumps({"engine": [entry]}), tmp_path / "engines.toml")
