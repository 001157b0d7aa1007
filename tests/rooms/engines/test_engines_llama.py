"""Models that Selat runs itself: every call of the protocol, loading, making room, crashes and limits."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import llama_kit
import pytest
from llama_kit import GIB, ask, bare, call, hosted, story, text_of
from tiny_model import make_adapter, make_model
from waiting import CEILING_S, gone, until

from selat.core.errors import EngineError, EngineTimeout, EngineUnreachable
from selat.engines import COMPLETIONS, EMBEDDINGS
from selat.engines.llama.need import Need

pytest.importorskip("gguf", reason="needs the gguf package to write a model")
pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")

ROOM_FOR_ONE = 130 * 1024 * 1024
TEMPLATE = Path(__file__).with_name("tools.jinja")
CALLING = '<tool_call>\n{"name": "cuaca", "arguments": {"a": "y"}}\n</tool_call>'
LONG = {"max_tokens": 200, "ignore_eos": True}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    made = {name: make_model(folder / f"{name}.gguf", seed) for seed, name in enumerate("abc", 1)}
    make_model(folder / "caller.gguf", piece=CALLING)
    made["caller"] = folder / "caller.gguf"
    return {**made, "adapter": make_adapter(folder / "adapter.gguf"), "other": make_adapter(folder / "o.gguf", 7)}


@story
async def test_it_chats_completes_streams_and_gives_log_probabilities(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        answer = await ask(engine, call(logprobs=True, top_logprobs=3))
        assert answer["usage"]["completion_tokens"] == 4
        assert len(answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 3
        assert answer["model"] == "a", "the path of the file is nobody's business"
        assert (await ask(engine, call(path=COMPLETIONS, prompt="abc")))["choices"][0]["text"]
        streamed = await engine.send(call(stream=True))
        events = b"".join([piece async for piece in streamed.chunks()])
        assert events.endswith(b"data: [DONE]\n\n")
        assert events.count(b"data: ") >= 5


@story
async def test_a_second_call_finds_the_first_ones_prefix(tmp_path: Path, models: dict[str, Path]) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        await ask(engine, call("x" * 100))
        again = await ask(engine, call("x" * 100))
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 100


@story
async def test_it_keeps_to_a_json_schema_and_calls_tools(tmp_path: Path, models: dict[str, Path]) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], context=1024)
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        answer = await ask(engine, call(response_format=form, max_tokens=200))
        assert json.loads(text_of(answer))["a"] in ("x", "y")
        tool = {"type": "function", "function": {"name": "cuaca", "parameters": schema}}
        caller = here.engine("b", models["caller"], context=1024, chat_template=str(TEMPLATE))
        answer = await ask(caller, call(tools=[tool], max_tokens=100))
        called = answer["choices"][0]["message"]["tool_calls"][0]["function"]
        assert called["name"] == "cuaca"
        assert json.loads(called["arguments"]) == {"a": "y"}


@story
async def test_it_embeds(tmp_path: Path, models: dict[str, Path]) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], embedding="yes")
        asked = call(path=EMBEDDINGS, input=["satu", "dua"])
        rows = (await ask(engine, asked))["data"]
        assert len(rows) == 2
        assert sum(value * value for value in rows[0]["embedding"]) == pytest.approx(1.0, abs=1e-3)
        assert rows[0]["embedding"] != rows[1]["embedding"]


@story
async def test_each_call_has_the_adapter_its_model_names_and_no_other(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    adapters = (("satu", str(models["adapter"])), ("dua", str(models["other"])))
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], adapters=adapters)
        bare = here.engine("bare", models["a"])

        async def said(model: str, **more: Any) -> str:
            return text_of(await ask(engine, call(model=model, max_tokens=24, **more)))

        first, one, two = await said("a"), await said("satu"), await said("dua")
        assert len({first, one, two}) == 3
        assert first == text_of(await ask(bare, call(max_tokens=24)))
        assert await said("a", lora=[{"id": 0, "scale": 1.0}]) == first, "the caller cannot choose an adapter"
        several = await asyncio.gather(*(said(model) for model in ("a", "satu", "dua") * 4))
        assert several == [first, one, two] * 4


@story
async def test_more_calls_than_it_answers_at_once_wait_their_turn(tmp_path: Path, models: dict[str, Path]) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], parallel=2)
        answers = await asyncio.gather(*(ask(engine, call(f"soalan {number}")) for number in range(20)))
        assert len(answers) == 20
        assert engine.in_flight == 0


@story
async def test_two_models_with_room_for_one_answer_every_call_in_turns(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path, ROOM_FOR_ONE) as here:
        engines = [here.engine(name, models[name]) for name in "ab"]
        seen: set[frozenset[str]] = set()

        async def look() -> None:
            while True:
                seen.add(frozenset(here.loaded()))
                await asyncio.sleep(0.005)

        async def talk(number: int) -> None:
            for turn in range(4):
                await ask(engines[(number + turn) % 2], call(f"{number} {turn}", max_tokens=16))

        looking = asyncio.create_task(look())
        await asyncio.gather(*(talk(number) for number in range(8)))
        looking.cancel()
        assert {frozenset("a"), frozenset("b")} <= seen
        assert frozenset("ab") not in seen


@story
async def test_a_stream_is_finished_before_its_model_makes_room(tmp_path: Path, models: dict[str, Path]) -> None:
    async with hosted(tmp_path, ROOM_FOR_ONE) as here:
        first, second = here.engine("a", models["a"]), here.engine("b", models["b"])
        streamed = await first.send(call(stream=True, **LONG))
        chunks = streamed.chunks()
        begun = await anext(chunks)
        other = asyncio.create_task(ask(second))
        rest = b"".join([piece async for piece in chunks])
        assert (begun + rest).endswith(b"data: [DONE]\n\n")
        assert (await other)["usage"]["completion_tokens"] == 4


@story
async def test_the_least_recently_called_makes_room_and_pinned_ones_never(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path, 2 * ROOM_FOR_ONE) as here:
        pinned, plain, third = (
            here.engine("a", models["a"], pinned=True),
            here.engine("b", models["b"]),
            here.engine("c", models["c"]),
        )
        await ask(plain)
        await ask(pinned)
        await ask(third)
        assert here.loaded() == {"a", "c"}
        await ask(plain)
        assert here.loaded() == {"a", "b"}
    async with hosted(tmp_path, ROOM_FOR_ONE) as here:
        await ask(here.engine("a", models["a"], pinned=True))
        with pytest.raises(EngineUnreachable, match="pinned models 'a' leave no room"):
            await ask(here.engine("b", models["b"]))


@story
async def test_a_model_too_large_for_the_machine_is_refused_before_it_is_loaded(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path, GIB, free=lambda: 1024) as here:
        with pytest.raises(EngineUnreachable, match=r"needs 2\.0 GiB, and models may take 1\.0 GiB"):
            await ask(here.engine("a", models["a"], context=2_000_000))
        with pytest.raises(EngineUnreachable, match="its memory_mb is 50"):
            await ask(here.engine("b", models["a"], memory_mb=50))
        with pytest.raises(EngineUnreachable, match="the machine has 1 MiB free"):
            await ask(here.engine("c", models["a"]))
        assert here.host.state().models == []


@story
async def test_a_process_killed_mid_stream_fails_that_answer_alone_and_is_loaded_again(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], context=32768)
        answer = await engine.send(call(stream=True, max_tokens=32000, ignore_eos=True))
        chunks = answer.chunks()
        await anext(chunks)
        killed = here.pid("a")
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(EngineError):
            _ = [piece async for piece in chunks]
        assert (await ask(engine))["usage"]["completion_tokens"] == 4
        assert here.pid("a") != killed


@story
async def test_a_call_whose_process_dies_before_its_first_byte_is_answered_by_the_next(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selat.engines.llama.engine._GONE_WITHIN_S", CEILING_S)
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"], context=4096)
        await ask(engine)
        waiting = asyncio.create_task(ask(engine, call(max_tokens=2000, ignore_eos=True)))
        while not engine.in_flight:
            await asyncio.sleep(0.001)
        os.kill(here.pid("a"), signal.SIGKILL)
        assert (await waiting)["usage"]["completion_tokens"] == 2000


@story
async def test_a_process_that_grows_over_its_limit_is_ended_and_loaded_again(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        await ask(engine)
        first = here.pid("a")
        with monkeypatch.context() as patched:
            patched.setattr(Need, "limit", lambda self, spec: 1 << 20)
            async with asyncio.timeout(60):
                while "over its limit" not in caplog.text:
                    await asyncio.sleep(0.02)
        await ask(engine)
        assert here.pid("a") != first


@story
async def test_what_llama_cpp_says_of_a_bad_file_reaches_the_caller_and_is_not_tried_at_once(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(models["a"].read_bytes().replace(b"blk.0.ffn_up", b"blk.0.ffn_uq"))
    async with hosted(tmp_path) as here:
        engine = here.engine("a", wrong)
        with pytest.raises(EngineUnreachable, match=r"could not load the model: .*tensor 'blk\.0\.ffn_up"):
            await ask(engine)
        told = ""
        while "tried again in" not in told:  # it rests twice as long each time
            with pytest.raises(EngineUnreachable) as refused:
                await ask(engine)
            told = str(refused.value)


@story
async def test_a_caller_who_leaves_while_it_loads_leaves_the_others_in_the_queue(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        first, second = asyncio.create_task(ask(engine)), asyncio.create_task(ask(engine))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)["usage"]["completion_tokens"] == 4
        with pytest.raises(asyncio.CancelledError):
            await first
        late = here.engine("b", models["b"], load_s=0.001)
        with pytest.raises(EngineTimeout, match="no room or not loaded within"):
            await ask(late)


@story
async def test_when_the_host_is_gone_callers_are_told_and_a_new_one_serves(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        await ask(engine)
        leases, kept = here.leases, engine
    async with hosted(tmp_path) as again:
        assert again.leases is not leases
        assert (await ask(kept))["usage"]["completion_tokens"] == 4
        assert again.loaded() == {"a"}


@story
async def test_without_llama_cpp_the_message_says_what_to_install(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        health = await engine.health()
        assert (health.ok, health.detail) == (False, "needs llama.cpp: pip install 'selat[llama]'")
        with pytest.raises(EngineUnreachable, match=r"'a' needs llama\.cpp: pip install"):
            await ask(engine)


@story
async def test_a_host_that_was_killed_is_not_looked_for_where_it_was(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    async with hosted(tmp_path) as here:
        engine = here.engine("a", models["a"])
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        stale = json.loads(here.place.read_text()) | {"pid": gone.pid}
        here.place.write_text(json.dumps(stale))
        assert await here.leases.state() is None
        assert (await engine.health()).detail.endswith("loaded when first called")


@story
async def test_strangers_without_the_secret_get_nothing(tmp_path: Path, models: dict[str, Path]) -> None:
    async with hosted(tmp_path) as here:
        await ask(here.engine("a", models["a"]))
        told = json.loads(here.place.read_text())
        assert here.place.stat().st_mode & 0o077 == 0
        reader, writer = await asyncio.open_connection("127.0.0.1", told["port"])
        writer.write(b'{"type":"Hello","secret":"x"}\n{"type":"Ask"}\n')
        assert await reader.read() == b""
        writer.close()
        process = next(iter(here.host._models.values())).process
        assert process is not None
        address = f"http://127.0.0.1:{process.port}/v1/chat/completions"
        with pytest.raises(urllib.error.HTTPError) as refused:
            await asyncio.to_thread(urllib.request.urlopen, address, b"{}")
        refused.value.close()
        assert refused.value.code == 401


def test_prompts_never_reach_the_childs_output(models: dict[str, Path]) -> None:
    secret = "RAHSIA-AMAT-DALAM"
    output: list[bytes] = []
    with bare(models["a"], output=output) as address:
        for words in (secret, secret * 100):  # the second is longer than the context: an error
            body = {"messages": [{"role": "user", "content": words}], "max_tokens": 3}
            for sent in (body, {**body, "grammar": secret}, {**body, "grammar": f'root ::= "{secret}'}):
                request = urllib.request.Request(
                    f"{address}/v1/chat/completions",
                    json.dumps(sent).encode(),
                    {"Authorization": "Bearer kunci", "Content-Type": "application/json"},
                )
                try:
                    urllib.request.urlopen(request, timeout=60).close()
                except urllib.error.HTTPError as error:
                    error.close()
    assert secret.encode() not in output[0]


def test_no_model_outlives_a_host_that_was_killed(tmp_path: Path, models: dict[str, Path]) -> None:
    command = [
        sys.executable,
        str(Path(llama_kit.__file__).with_name("llama_orphan.py")),
        str(models["a"]),
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert Path(f"/proc/{pid}/cmdline").read_bytes().find(b"child.py") > 0
    process.kill()
    process.communicate(timeout=60)
    until(lambda: gone(pid))
