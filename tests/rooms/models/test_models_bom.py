"""ML-BOMs: ours are valid by CycloneDX's own schema and come back as they were; others' are read or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from selat.core.errors import ModelRefused
from selat.models import Lineage, Model, ModelFile, Signed
from selat.models.bom import Described, Metric, write_bom
from selat.models.bom_reader import read_bom

MODEL = Model(
    "jabatan/kecil",
    "3d" * 20,
    (
        ModelFile("kecil-Q4.gguf", "a" * 64, 4883421),
        ModelFile("README.md", "b" * 64, 812),
        ModelFile("model.sig", "c" * 64, 900),
    ),
    format="gguf",
    licence="apache-2.0",
    vendor="Jabatan",
    country="MY",
    lineage=Lineage(("asal/induk@" + "1" * 40, "lain"), "quantized", ("teks-awam",), "selat convert q4_k_m"),
    source="hub:10.0.0.5:7352/jabatan/kecil",
    receipt="0" * 32,
    signed=Signed("key:" + "6b" * 32, "4d" * 32, "2026-11-22T02:50:00.125Z"),
)
DESCRIBED = Described(
    ("chat", "semak"),
    (Metric("tatabahasa", 0.954545, 0.874694, 0.984418), Metric("MMLU", 0.5)),
    "Qwen3ForCausalLM",
    {"eval:tatabahasa": "pack aa, run bb, n 66"},
)
TIME = "2026-11-22T03:00:00.125Z"


def written(model: Model = MODEL, described: Described = DESCRIBED) -> bytes:
    return write_bom(model, described, "0123456789abcdef" * 2, TIME, "0.1.0")


@pytest.mark.parametrize("licence", ["apache-2.0", "gemma", "our-own"])
def test_it_is_valid_by_the_official_schema(licence: str) -> None:
    text = written(replace(MODEL, licence=licence)).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bare = Model("kecil", "0" * 40, (ModelFile("m.gguf", "a" * 64, 1),))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written(bare, Described()).decode()) is None


def test_another_implementation_reads_it() -> None:
    read = Bom.from_json(json.loads(written()))  # type: ignore[attr-defined]
    component = read.metadata.component
    assert (component.group, component.name, component.version) == ("jabatan", "kecil", MODEL.revision)
    assert {one.name: next(iter(one.hashes)).content for one in component.components}["README.md"] == "b" * 64


def test_what_is_written_comes_back() -> None:
    said = read_bom(written(), "jabatan/kecil")
    assert (said.name, said.vendor, said.country, said.licence) == ("jabatan/kecil", "Jabatan", "MY", "apache-2.0")
    assert said.lineage == MODEL.lineage
    assert said.files == {file.path: file.digest for file in MODEL.files}
    assert said.metrics == DESCRIBED.metrics
    assert (said.date, said.passed_over) == ("2026-11-22", ())
    card = json.loads(written())["metadata"]["component"]["modelCard"]
    assert card["considerations"]["useCases"] == ["chat", "semak"]
    assert card["modelParameters"]["modelArchitecture"] == "Qwen3ForCausalLM"


VENDORS: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"timestamp": "2026-10-01T00:00:00Z", "component": {"type": "application", "name": "pipeline"}},
    "components": [
        {"type": "data", "bom-ref": "d1", "name": "korpus-a"},
        {"type": "machine-learning-model", "name": "induk", "publisher": "Asal"},
        {
            "type": "machine-learning-model",
            "group": "penjual",
            "name": "murid",
            "version": "1.0",
            "supplier": {"name": "Penjual Sdn Bhd", "url": ["https://penjual.example"]},
            "licenses": [{"expression": "Apache-2.0 OR MIT"}],
            "hashes": [{"alg": "MD5", "content": "0" * 32}, {"alg": "SHA-256", "content": "A" * 64}],
            "pedigree": {"ancestors": [{"type": "machine-learning-model", "group": "asal", "name": "induk"}]},
            "modelCard": {
                "modelParameters": {"datasets": [{"ref": "d1"}, {"type": "dataset", "name": "korpus-b"}]},
                "quantitativeAnalysis": {
                    "performanceMetrics": [
                        {"type": "MalayMMLU", "value": "81.2%", "slice": "bahasa"},
                        {"type": "perplexity", "value": "12.7"},
                        {"type": "BLEU", "value": "tinggi"},
                    ]
                },
            },
        },
    ],
}


def test_a_vendors_is_read_however_it_is_laid_out() -> None:
    said = read_bom(json.dumps(VENDORS).encode(), "murid")
    assert (said.name, said.vendor, said.licence) == ("penjual/murid", "Penjual Sdn Bhd", "apache-2.0 or mit")
    assert said.lineage == Lineage(("asal/induk",), "", ("korpus-a", "korpus-b"))
    assert said.metrics == (Metric("MalayMMLU", pytest.approx(0.812), part="bahasa"),)  # type: ignore[arg-type]
    assert said.passed_over == ("perplexity", "BLEU")
    assert said.files == {"murid": "a" * 64}


NESTED = b'[{"type":"file","name":"x","components":'


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("empty", b"", "no CycloneDX BOM"),
        ("xml", b"<bom xmlns='http://cyclonedx.org/schema/bom/1.6'/>", "no CycloneDX BOM"),
        ("list", b"[]", "no CycloneDX BOM"),
        ("spdx", b'{"bomFormat": "SPDX", "specVersion": "2.3"}', "this is SPDX"),
        ("old", b'{"bomFormat": "CycloneDX", "specVersion": "1.4"}', "version 1.4"),
        (
            "no-model",
            b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}',
            "no component of type",
        ),
        ("type", json.dumps({**VENDORS, "components": [{"type": 3, "name": "x"}]}).encode(), r"components\[0\]"),
        (
            "several",
            json.dumps({**VENDORS, "components": [*VENDORS["components"][1:]]}).encode(),
            "2 models, none",
        ),
        (
            "deep",
            b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":' + NESTED * 5000,
            "no CycloneDX BOM",
        ),
        ("large", b" " * (16 << 20) + b"{}", "over the limit"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 10 else "",
)
def test_what_is_none_is_refused_with_the_reason(name: str, text: bytes, why: str) -> None:
    with pytest.raises(ModelRefused, match=why):
        read_bom(text, "x")
