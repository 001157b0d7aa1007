"""Clients that people really use, against a running Selat, each in a process of its own; `make test-clients`.

Each script of `clients/` chats, streams, calls a tool and, where its client can, embeds, partly at an engine
abroad, and fails at the first thing that is not as its client should have it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Running

HERE = Path(__file__).parent / "clients"
MADE = Path(os.environ.get("CLIENTS_MADE") or Path(__file__).parents[2] / ".make")
PYTHON = MADE / "clients" / "bin" / "python"
NODE_MODULES = MADE / "node"
WITHIN_S = 600
MYKAD = "900101-14-5678"


def run(*command: object) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN_S, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", sorted(HERE.glob("*.py")), ids=lambda path: path.stem)
def test_a_python_client_works_unchanged(selat: Running, script: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("the clients are not installed; run: make test-clients")
    before = len(selat.upstream.received)
    said = run(PYTHON, script, selat.address, selat.key)
    assert "tool" in said
    sent = [received.body.decode() for received in selat.upstream.received[before:]]
    abroad = [body for body in sent if json.loads(body)["model"] in ("echo:3", "tools")]
    assert abroad
    assert not [body for body in abroad if MYKAD in body]


@pytest.mark.parametrize("script", sorted(HERE.glob("*.mjs")), ids=lambda path: path.stem)
def test_a_node_client_works_unchanged(selat: Running, script: Path) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "node_modules").exists():
        pytest.skip("node or its packages are not installed; run: make test-clients")
    assert "tool" in run(node, script, selat.address, selat.key, NODE_MODULES)


def test_curl_chats_streams_and_embeds(selat: Running) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")

    def ask(path: str, body: dict[str, object], *options: str) -> str:
        key = ("-H", f"Authorization: Bearer {selat.key}", "-H", "Content-Type: application/json")
        return run(curl, "-sSN", *key, *options, "-d", json.dumps(body), f"{selat.address}/v1/{path}")

    say = [{"role": "user", "content": f"MyKad saya {MYKAD}"}]
    whole = json.loads(ask("chat/completions", {"model": "far", "messages": say}))
    assert MYKAD in whole["choices"][0]["message"]["content"]
    streamed = ask("chat/completions", {"model": "echo:3", "messages": say, "stream": True})
    assert streamed.endswith("data: [DONE]\n\n")
    assert "selat-receipt:" in ask("embeddings", {"model": "echo", "input": "hai"}, "-i").lower()
    tool = {"type": "function", "function": {"name": "semak", "parameters": {"type": "object"}}}
    called = json.loads(ask("chat/completions", {"model": "far-tools", "messages": say, "tools": [tool]}))
    assert MYKAD in called["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
