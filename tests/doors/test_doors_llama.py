"""A GGUF file behind the whole gateway: added while it runs, killed in the middle of an answer, gone with it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import commands
import openai
import pytest
from tiny_model import make_model
from waiting import gone, until

pytest.importorskip("gguf", reason="needs the gguf package to write a model")
pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")

HAI = [{"role": "user", "content": "hai"}]


def run_model(home: Path, name: str, gguf: Path) -> None:
    command(home, "engine", "run", name, str(gguf), "--context", "32768", "--threads", "1")


def command(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home)


def processes(home: Path) -> list[int]:
    """The models' processes under the host of this home."""
    parents = {}
    hosts = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"host" in words and str(home).encode() in words:
                hosts.add(int(entry.name))
    return [pid for pid, parent in parents.items() if parent in hosts]


def test_a_model_answers_is_booked_when_it_dies_and_leaves_with_selat(fresh: Any, tmp_path: Path) -> None:
    selat = fresh()
    run_model(selat.home, "rawak", make_model(tmp_path / "rawak.gguf"))
    client = selat.client()
    until(lambda: "rawak" in {model.id for model in client.models.list()})
    whole = client.chat.completions.create(model="rawak", messages=HAI, max_tokens=4)
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 4

    (child,) = processes(selat.home)
    asked = client.chat.completions.with_raw_response.create(
        model="rawak", messages=HAI, max_tokens=32000, stream=True, extra_body={"ignore_eos": True}
    )
    stream = asked.parse()
    next(stream)
    os.kill(child, signal.SIGKILL)
    with pytest.raises(openai.APIError) as broken:
        for _ in stream:
            pass
    assert "engine" in str(broken.value)
    closing = selat.leaves_of(asked.headers["selat-receipt"], "closed")
    assert closing["outcome"] == "engine_error"

    again = client.chat.completions.create(model="rawak", messages=HAI, max_tokens=4)
    assert again.usage is not None
    assert again.usage.completion_tokens == 4
    (child,) = processes(selat.home)

    os.kill(selat.process.pid, signal.SIGKILL)
    selat.ended()
    until(lambda: gone(child))

    # The command line has no host to ask now: it runs one of its own, and leaves nothing behind.
    exam = ("--model", "rawak", "--pack", "tatabahasa", "--max-samples", "3", "--scoring", "first-token")
    done = command(selat.home, "eval", "run", *exam)
    assert "partial: 0 failed" in done.stderr, done.stderr
    assert processes(selat.home) == []
