"""Models on the shelf, measured: the gateway before llama.cpp beside llama.cpp's own server, and models that swap.

    python bench/engines.py [--rounds 6] [--only serve,swap,pull,mirror] [--json]

One GGUF of random weights (7 million, f16) is served twice by the same llama.cpp with the same settings and one
thread: by Selat with every check on, and by a bare process of llama.cpp. Both get the same calls from the same
client, in turns and many short rounds, and the best round of each counts, which other work on the machine distorts
least. `serve`: tokens a second at 1 and 8 at once, and the time to the first token. `swap`: two models, memory for
one, eight callers that ask for both in turns. `pull` and `mirror`: bench/shelf.py says how.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np
import shelf
import uvloop

from selat.core.caller import Site
from selat.engines import CHAT, Call, EngineSpec, OpenAIEngine
from selat.engines.llama import child

WIDE, INNER, LAYERS, HEADS, WORDS = 256, 704, 6, 4, 4096
TOKENS = 64
SELAT = (sys.executable, "-m", "selat")


@dataclass(frozen=True)
class Row:
    """A figure beside its target; `met` says whether it was reached."""

    what: str
    value: str
    target: str
    met: bool


def make_model(path: Path, seed: int = 1) -> Path:
    """A llama of 7 million random weights; every token of its vocabulary is a word of its own."""
    import gguf

    chance = np.random.default_rng(seed)
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [f"▁kata{number}" for number in range(WORDS - len(pieces))]
    writer = gguf.GGUFWriter(str(path), "llama")
    for add, value in (
        (writer.add_context_length, 4096),
        (writer.add_embedding_length, WIDE),
        (writer.add_block_count, LAYERS),
        (writer.add_feed_forward_length, INNER),
        (writer.add_head_count, HEADS),
        (writer.add_head_count_kv, HEADS),
        (writer.add_rope_dimension_count, WIDE // HEADS),
        (writer.add_vocab_size, WORDS),
        (writer.add_bos_token_id, 1),
        (writer.add_eos_token_id, 2),
        (writer.add_unk_token_id, 0),
    ):
        add(value)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * WORDS)
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (WORDS - 259)])
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")

    def drawn(*shape: int) -> Any:
        return chance.normal(0, 0.02, shape).astype(np.float16)

    flat = np.ones(WIDE, dtype=np.float32)
    tensors: dict[str, Any] = {"token_embd": drawn(WORDS, WIDE), "output_norm": flat, "output": drawn(WORDS, WIDE)}
    for number in range(LAYERS):
        block = f"blk.{number}"
        tensors |= {f"{block}.attn_norm": flat, f"{block}.ffn_norm": flat}
        tensors |= {f"{block}.attn_{part}": drawn(WIDE, WIDE) for part in ("q", "k", "v", "output")}
        tensors |= {f"{block}.ffn_{part}": drawn(INNER, WIDE) for part in ("gate", "up")}
        tensors[f"{block}.ffn_down"] = drawn(WIDE, INNER)
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@contextlib.contextmanager
def bare(gguf: Path, folder: Path) -> Iterator[OpenAIEngine]:
    """llama.cpp's own server on the file, as Selat would start it."""
    secret = secrets.token_urlsafe(16)
    wanted = {
        **{"gguf": str(gguf), "alias": "a", "secret": secret, "context": 1024, "parallel": 8, "gpu_layers": -1},
        **{
            "threads": 1,
            "cache_mb": 0,
            "chat_template": "",
            "embedding": False,
            "pooling": 0,
            "adapters": [],
        },
    }
    process = subprocess.Popen(
        [sys.executable, "-P", child.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(wanted).encode() + b"\n")
    process.stdin.flush()
    address = json.loads(process.stdout.readline())["address"]
    try:
        yield client(f"{address}/v1", secret, folder / "bare.key")
    finally:
        process.communicate(timeout=30)


@contextlib.contextmanager
def selat(home: Path, settings: str = "") -> Iterator[tuple[str, str]]:
    """A running Selat on a fresh home: its address and a key."""
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    (home / "selat.toml").write_text(settings)
    with (home / "log").open("w") as log:
        command = [*SELAT, "up", "--home", str(home), "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    try:
        yield said["address"], said["key"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def run_model(home: Path, name: str, gguf: Path) -> None:
    options = ("--context", "1024", "--parallel", "8", "--threads", "1", "--home", str(home))
    subprocess.run([*SELAT, "engine", "run", name, str(gguf), *options], check=True, stdout=subprocess.DEVNULL)
    text = (home / "engines.toml").read_text().replace("threads = 1}", "threads = 1, cache_mb = 0}")
    (home / "engines.toml").write_text(text)


def client(url: str, key: str, key_file: Path) -> OpenAIEngine:
    key_file.write_text(key)
    return OpenAIEngine(
        EngineSpec(key_file.stem, "openai", Site("MY"), (("a", "a"),), url, key_file=str(key_file))
    )


def call(words: int, tokens: int, model: str = "a") -> Call:
    """A prompt that no cache has seen, so that each call does the same work."""
    fresh = [int(number) for number in np.random.default_rng().integers(0, WORDS - 259, words)]
    body = {
        **{"model": model, "stream": True, "max_tokens": tokens, "ignore_eos": True, "temperature": 0},
        "messages": [{"role": "user", "content": " ".join(f"kata{number}" for number in fresh)}],
    }
    return Call(CHAT, json.dumps(body).encode(), True)


async def first_ms(engine: OpenAIEngine, asked: Call) -> float:
    """Milliseconds to the first event with a word of the answer."""
    started = time.perf_counter()
    answer = await engine.send(asked)
    found = 0.0
    async for piece in answer.chunks():
        if not found and b'"content":"' in piece:
            found = (time.perf_counter() - started) * 1000
    assert found, answer.status
    return found


async def rate(engine: OpenAIEngine, at_once: int, calls: int) -> float:
    """Tokens a second of `calls` calls each by `at_once` callers."""
    tokens = 0

    async def caller() -> None:
        nonlocal tokens
        for _ in range(calls):
            answer = await engine.send(call(32, TOKENS))
            async for piece in answer.chunks():
                tokens += piece.count(b'"content":"')

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return tokens / (time.perf_counter() - started)


def serve(folder: Path, rounds: int) -> list[Row]:
    """The gateway before llama.cpp, beside llama.cpp alone."""
    gguf = make_model(folder / "a.gguf")
    home = folder / "serve"
    with selat(home) as (address, key), bare(gguf, folder) as alone:
        run_model(home, "a", gguf)
        through = client(f"{address}/v1", key, folder / "through.key")
        return uvloop.run(_serve(alone, through, rounds))


async def _serve(alone: OpenAIEngine, through: OpenAIEngine, rounds: int) -> list[Row]:
    await asyncio.sleep(1.5)  # the gateway takes the engine up within a second
    for engine in (alone, through):
        await rate(engine, 2, 2)
    rows = []
    for at_once, calls in ((1, 1), (8, 1)):
        pairs = []
        for number in range(rounds):
            both = (alone, through) if number % 2 else (through, alone)
            found = {engine.name: await rate(engine, at_once, calls) for engine in both}
            pairs.append((found[alone.name], found[through.name]))
        theirs, ours = (max(column) for column in zip(*pairs, strict=True))
        ratio = ours / theirs
        said = f"{ratio:.3f}x ({ours:.0f} of {theirs:.0f} tokens/s)"
        rows.append(Row(f"gateway + llama.cpp / llama.cpp, {at_once} at once", said, ">= 0.97x", ratio >= 0.97))
    firsts: dict[str, list[float]] = {alone.name: [], through.name: []}
    for number in range(rounds * 10):
        for engine in (alone, through) if number % 2 else (through, alone):
            firsts[engine.name].append(await first_ms(engine, call(8, 4)))
    theirs, ours = (quantiles(firsts[engine.name], n=10)[0] for engine in (alone, through))
    said = f"+{ours - theirs:.2f} ms (on {theirs:.1f} ms; the tenth of calls that were fastest)"
    rows.append(Row("first token through the gateway", said, "<= +3 ms", ours - theirs <= 3))
    await alone.close()
    await through.close()
    return rows


def swap(folder: Path, rounds: int) -> list[Row]:
    """Two models with memory for one: every call is answered, and what a swap costs."""
    home = folder / "swap"
    with selat(home, "models_memory_mb = 320\n") as (address, key):
        for seed, name in enumerate("ab", 1):
            run_model(home, name, make_model(folder / f"swap-{name}.gguf", seed))
        engine = client(f"{address}/v1", key, folder / "swap.key")
        return uvloop.run(_swap(engine, home, rounds))


async def _swap(engine: OpenAIEngine, home: Path, rounds: int) -> list[Row]:
    await asyncio.sleep(1.5)
    answered, failed = 0, 0
    waits: list[float] = []

    async def caller(number: int) -> None:
        nonlocal answered, failed
        for turn in range(max(4, rounds // 4)):
            started = time.perf_counter()
            answer = await engine.send(call(8, 16, "ab"[(number + turn) % 2]))
            body = b"".join([piece async for piece in answer.chunks()])
            waits.append(time.perf_counter() - started)
            if answer.status == 200 and body.endswith(b"data: [DONE]\n\n"):
                answered += 1
            else:
                failed += 1

    await asyncio.gather(*(caller(number) for number in range(8)))
    await engine.close()
    swaps = (home / "log").read_text().count(" loading '")
    said = f"{failed} failed of {answered + failed} calls, {swaps} loads; slowest {max(waits):.1f} s"
    return [Row("swap of two models, memory for one", said, "0 failed", failed == 0 and swaps >= 4)]


def pull(folder: Path, rounds: int) -> list[Row]:
    """A model fetched, hashed, looked into and sealed, beside curl writing it to a file."""
    curl, ours = shelf.pull(max(3, rounds // 3))
    rows = []
    for by, mine, theirs in (("the clock", ours.clock, curl.clock), ("CPU time", ours.cpu, curl.cpu)):
        said = f"{mine:.0f} MB/s, curl {theirs:.0f}: {mine / theirs:.2f}x"
        rows.append(Row(f"pull with hashing on, by {by}", said, ">= 0.8x", mine >= 0.8 * theirs))
    return rows


def mirror(folder: Path, rounds: int) -> list[Row]:
    """The mirror to one caller and to four at once, and what it takes of memory."""
    one, four, before, most = shelf.mirror(max(2, rounds // 5))
    rows = []
    for by, single, many in (("the clock", one.clock, four.clock), ("CPU time", one.cpu, four.cpu)):
        said = f"{single:.0f} MB/s to one, {many:.0f} to four"
        rows.append(Row(f"mirror on loopback, by {by}", said, ">= 500", min(single, many) >= 500))
    flat = f"{before} MB before, {most} at most"
    return [*rows, Row("the gateway's memory meanwhile", flat, "flat", most - before <= 32)]


BENCHES: dict[str, Callable[[Path, int], list[Row]]] = {
    "serve": serve,
    "swap": swap,
    "pull": pull,
    "mirror": mirror,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default=",".join(BENCHES), help="which, by comma")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows += BENCHES[name](Path(folder), options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        print(f"{row.what:46} {row.value:44} {row.target:10} {'met' if row.met else 'MISSED'}")


if __name__ == "__main__":
    main()
