from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selat.core.caller import Site
from selat.core.errors import HomeBroken, Misused, NotFound
from selat.engines import Capacity, EngineFile, EngineSpec, LlamaSpec, OpenAIEngine, Timeouts, load_engines, makers
from selat.engines.config import parse_specs
from selat.engines.fields import FIELDS, LLAMA_FIELDS, Reader
from selat.testing import EchoEngine

WHOLE = """
[[engine]]
name = "laut"
url = "https://laut.example:8443/llm/v1"
models = { chat = "Qwen/Qwen3-8B", "embed" = "bge-m3" }
site = { jurisdiction = "MY", operator = "Laut Sdn Bhd", operator_jurisdiction = "SG", hardware = "nvidia" }
key_env = "LAUT_KEY"
headers = { X-Team = "selat" }
ca_file = "ca.pem"
health = "/health"
weight = 3
timeouts = { first_byte = 20, between = 2.5 }
max_connections = 8
max_waiting = 0
idle = 4
"""
SMALL = '[[engine]]\nname = "a"\nurl = "http://127.0.0.1:1"\nmodels = ["m"]\nsite = { jurisdiction = "MY" }\n'
FILE = Path("/etc/selat/engines.toml")
MY = {"jurisdiction": "MY"}


def one(text: str) -> EngineSpec:
    (spec,) = parse_specs(text, FILE)
    return spec


def test_every_field_is_read() -> None:
    spec = one(WHOLE)
    assert spec.base.host == "laut.example"
    assert (spec.base.secure, spec.base.port, spec.base.prefix) == (True, 8443, "/llm/v1")
    assert spec.models == (("chat", "Qwen/Qwen3-8B"), ("embed", "bge-m3"))
    assert spec.site == Site("MY", "Laut Sdn Bhd", "SG", "nvidia")
    assert (spec.key_env, spec.headers, spec.weight) == ("LAUT_KEY", (("X-Team", "selat"),), 3)
    assert spec.ca_file == "/etc/selat/ca.pem"
    assert (spec.timeouts.first_byte_s, spec.timeouts.between_s, spec.timeouts.connect_s) == (20.0, 2.5, 5.0)
    assert (spec.capacity.max_connections, spec.capacity.max_waiting, spec.capacity.idle_s) == (8, 0, 4.0)


WRONG = [
    ("urll = 1", "field 'urll': not known; known: name, kind"),
    ('api_key = "sk-geheim"', "use key_env or key_file"),
    ('name = "Laut Besar"', "engine 1, field 'name'"),
    ('kind = "grpc"', "field 'kind': not known; known: openai, extractive"),
    ('url = "ftp://x"', "field 'url'"),
    ('url = "http://user:geheim@h/v1"', "keys go in key_env"),
    ('url = "http://h:99999"', "field 'url'"),
    ('url = "http://h/v1?key=geheim"', "field 'url'"),
    ("models = []", "field 'models': needed"),
    ('models = ["m", "m"]', "twice"),
    ("models = [1]", "field 'models'"),
    ('models = ["a\\nb"]', "visible ASCII"),
    ("site = {}", "field 'site.jurisdiction'"),
    ('site = { jurisdiction = "Malaysia" }', "two capital letters"),
    ('site = { jurisdiction = "MY", planet = "earth" }', "field 'site.planet'"),
    ('site = "MY"', "field 'site'"),
    ('key_env = "MY KEY"', "environment variable"),
    ('key_env = "A"\nkey_file = "b"', "keep one"),
    ('headers = { Host = "x" }', "one Selat sets"),
    ('headers = { "a b" = "x" }', "no valid name"),
    ('headers = { X = "a\\r\\nb" }', "printable ASCII"),
    ("weight = 1.5", "whole number"),
    ("weight = true", "whole number"),
    ("max_connections = 0", "from 1 to 65535"),
    ("timeouts = { total = 0 }", "field 'timeouts.total'"),
    ("timeouts = { totl = 1 }", "known: queue, connect, first_byte, between, total"),
    ("timeouts = { total = nan }", "seconds, above 0"),
    ("idle = -1", "field 'idle'"),
]


@pytest.mark.parametrize(("line", "told"), WRONG, ids=[line for line, _ in WRONG])
def test_a_mistake_is_named_by_file_entry_and_field_and_not_repeated(line: str, told: str) -> None:
    field = line.split(" = ")[0]
    text = "".join(f"{row}\n" for row in SMALL.splitlines() if not row.startswith(f"{field} =")) + line
    with pytest.raises(HomeBroken) as caught:
        parse_specs(text, FILE)
    assert str(caught.value).startswith(f"{FILE}: engine 1")
    assert told in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("text", ["[engine]\nname = 'a'", "engine = 1", "title = 'x'", "[[engine]", "\x00"])
def test_what_is_no_list_of_engines_is_refused(text: str) -> None:
    with pytest.raises(HomeBroken, match=r"engines\.toml"):
        parse_specs(text, FILE)


def test_two_engines_of_one_name_are_refused() -> None:
    with pytest.raises(HomeBroken, match=r"engine 2 .*'name': an earlier engine has it"):
        parse_specs(SMALL + SMALL, FILE)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(list(FIELDS)), st.integers() | st.text() | st.none() | st.lists(st.text())))
def test_no_entry_brings_any_error_but_ours(entry: dict[str, Any]) -> None:
    with contextlib.suppress(HomeBroken):
        assert Reader(FILE, 1, entry, ("openai",)).read().models


def fields(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "url": "http://127.0.0.1:1/v1",
        "models": ["m"],
        "site": {"jurisdiction": "MY"},
        **more,
    }


def test_adding_and_removing_keep_comments_and_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    path.write_text("# kept: top\n" + SMALL + "# kept: end of a\n\n")
    file = EngineFile(path)
    assert file.add(fields("b", models={"chat": "x"})).models == (("chat", "x"),)
    assert [spec.name for spec in file.read()] == ["a", "b"]
    assert "# kept: top" in path.read_text()
    file.remove("b")
    file.remove("a")
    assert file.read() == ()
    assert "# kept: top" in path.read_text()
    file.add(fields("c"))
    assert [spec.name for spec in file.read()] == ["c"]
    assert path.stat().st_mode & 0o077 == 0


def test_what_would_not_load_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    file = EngineFile(path)
    file.add(fields("a"))
    before = path.read_bytes()
    with pytest.raises(Misused, match="choose another name"):
        file.add(fields("a"))
    with pytest.raises(Misused, match=r"field 'site\.jurisdiction'"):
        file.add(fields("b", site={}))
    with pytest.raises(NotFound, match="there: a"):
        file.remove("b")
    assert path.read_bytes() == before


def test_a_file_that_is_wrong_already_is_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    path.write_text("urll = 1")
    with pytest.raises(HomeBroken):
        EngineFile(path).add(fields("a"))
    assert path.read_text() == "urll = 1"


def test_two_that_add_at_once_both_stand_there(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    code = (
        "import sys, pathlib; from selat.engines import EngineFile\n"
        "for n in range(10): EngineFile(pathlib.Path(sys.argv[1])).add({'name': f'{sys.argv[2]}{n}',"
        " 'url': 'http://127.0.0.1:1', 'models': ['m'], 'site': {'jurisdiction': 'MY'}})"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(EngineFile(path).read()) == 20


# The shelf.


def test_a_shelf_finds_engines_by_model_heaviest_first_and_built_in_ones_last(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    for name, weight in (("light", 1), ("heavy", 5)):
        EngineFile(path).add(fields(name, weight=weight))
    shelf = load_engines(path, builtin=(EchoEngine(models=("m", "echo")),))
    assert [engine.name for engine in shelf.lookup("m")] == ["heavy", "light", "echo"]
    assert [shelf.weight(engine) for engine in shelf.lookup("m")] == [5, 1, 0]
    assert shelf.models() == ("echo", "m")
    assert shelf.lookup("unknown") == ()


def test_no_file_is_an_empty_shelf(tmp_path: Path) -> None:
    assert load_engines(tmp_path / "engines.toml").engines == ()


def test_a_bad_file_stops_a_start_but_never_replaces_a_good_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("selat.engines.shelf._LOOK_EVERY_S", 0.0)
    path = tmp_path / "engines.toml"
    path.write_text("urll = 1")
    with pytest.raises(HomeBroken):
        load_engines(path)
    path.write_text(SMALL)
    shelf = load_engines(path)
    kept = shelf.lookup("m")[0]

    path.write_text(SMALL + "[[engine]]\n")
    with caplog.at_level(logging.WARNING):
        assert shelf.lookup("m") == (kept,)
        assert shelf.lookup("m") == (kept,)
    assert caplog.text.count("engine 2, field 'name'") == 1

    path.unlink()
    assert shelf.lookup("m") == (kept,)

    path.write_text(SMALL + SMALL.replace('"a"', '"b"'))
    assert [engine.name for engine in shelf.lookup("m")] == ["a", "b"]
    assert shelf.lookup("m")[0] is kept


def test_the_file_is_looked_at_no_more_than_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = load_engines(tmp_path / "engines.toml")
    looks: list[object] = []
    monkeypatch.setattr("selat.engines.shelf._fingerprint", looks.append)
    for _ in range(1000):
        shelf.lookup("m")
    assert len(looks) <= 1


def test_an_engine_taken_out_takes_no_more_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selat.engines.shelf._LOOK_EVERY_S", 0.0)
    path = tmp_path / "engines.toml"
    path.write_text(SMALL)
    closed: list[str] = []

    class Closing(OpenAIEngine):
        async def close(self) -> None:
            closed.append(self.name)
            await super().close()

    async def story() -> None:
        shelf = load_engines(path, {"openai": Closing})
        EngineFile(path).remove("a")
        assert shelf.lookup("m") == ()
        await asyncio.sleep(0)
        assert closed == ["a"]

    asyncio.run(story())


def test_a_wrong_ca_file_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    (tmp_path / "ca.pem").write_text("nothing")
    path.write_text(SMALL.replace("http://", "https://") + 'ca_file = "ca.pem"')
    with pytest.raises(HomeBroken, match=r"engine 'a': ca_file .*ca\.pem holds no PEM"):
        load_engines(path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        path = tmp_path / "absent" / "engines.toml"
    else:
        tmp_path.chmod(0o500)
        path = tmp_path / "engines.toml"
    with pytest.raises(HomeBroken, match="cannot write"):
        EngineFile(path).add(fields("a"))


def test_an_extractive_engine_can_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "engines.toml"
    EngineFile(path).add({"name": "petik", "kind": "extractive", "models": {"chat": "extractive"}, "site": MY})
    (engine,) = load_engines(path, makers(lambda question, passages: [])).lookup("chat")
    assert (engine.name, engine.upstream_model("chat"), engine.site.jurisdiction) == ("petik", "extractive", "MY")


PAGE = Path(__file__).parents[3] / "docs" / "formats" / "engines.md"


def test_the_page_of_the_format_shows_and_explains_every_field() -> None:
    page = PAGE.read_text("utf-8")
    specimen = page.split("```toml\n")[1].split("```")[0]
    laut, darat, garuda = parse_specs(specimen, FILE)
    assert laut.timeouts == Timeouts()
    assert (laut.capacity.max_waiting, laut.capacity.idle_s) == (Capacity().max_waiting, Capacity().idle_s)
    assert darat.capacity == Capacity()
    assert garuda.llama is not None
    usual = LlamaSpec("")
    for name in LLAMA_FIELDS[2:]:
        assert f"`{name}`" in page
        if name not in ("context", "parallel"):
            assert getattr(garuda.llama, name) == getattr(usual, name)
    notes = page.split("```")[2]
    for field in FIELDS:
        assert f"{field} = " in specimen
        assert f"`{field}`" in notes
