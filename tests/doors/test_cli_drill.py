"""`selat drill` over a running gateway: nvidia is lost during traffic, no request fails, and it comes back."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import commands
import openai
import pytest
from doors_kit import Running
from waiting import CEILING_S, until

from selat.app import open_platform
from selat.core.drill import Loss
from selat.home import create_home
from selat.house import furnish
from selat.testing import Upstream

ENGINE = """
[[engine]]
name = "{name}"
kind = "openai"
url = "{url}"
site = {{ jurisdiction = "MY", hardware = "{hardware}" }}
models = {{ {models} }}
"""


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("drill", *words, "--home", home)


def engines(lost: str, kept: str) -> str:
    both = '"chat" = "echo"'
    return ENGINE.format(
        name="hilang", url=lost, hardware="nvidia", models=f'{both}, "sahaja" = "echo"'
    ) + ENGINE.format(name="kekal", url=kept, hardware="ascend", models=both)


def ask(client: openai.OpenAI, number: int, model: str = "chat") -> None:
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": f"soalan {number}"}])


@contextmanager
def traffic(running: Running) -> Iterator[list[Exception]]:
    """Two callers that ask again and again, each time in another conversation; the errors that they met."""
    failed: list[Exception] = []
    over = threading.Event()

    def call(client: openai.OpenAI, number: int) -> None:
        while not over.is_set():
            number += 2
            time.sleep(0.02)
            try:
                ask(client, number)
            except openai.OpenAIError as error:
                failed.append(error)

    callers = [threading.Thread(target=call, args=(running.client(), first)) for first in (0, 1)]
    for caller in callers:
        caller.start()
    try:
        yield failed
    finally:
        over.set()
        for caller in callers:
            caller.join(30)


def grows(upstream: Upstream, within_s: float = CEILING_S) -> bool:
    """Whether another request reaches that engine."""
    before, deadline = len(upstream.received), time.monotonic() + within_s
    while time.monotonic() < deadline:
        if any(one.method == "POST" for one in upstream.received[before:]):
            return True
        time.sleep(0.02)
    return False


def moved(lost: Upstream, kept: Upstream) -> bool:
    """Whether twenty requests went to the one engine and none to the other."""
    before, others = len(kept.received), len(lost.received)
    until(lambda: len(kept.received) >= before + 20)
    return not any(one.method == "POST" for one in lost.received[others:])


def drills(running: Running, kind: str) -> list[dict[str, Any]]:
    return [leaf["facts"] for leaf in running.leaves() if leaf["kind"] == kind]


def test_all_goes_to_the_survivor_and_no_request_fails(fresh: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    with Upstream() as lost, Upstream() as kept:
        (home / "engines.toml").write_text(engines(lost.url, kept.url))
        running: Running = fresh()
        with traffic(running) as failed:
            assert grows(lost)
            assert grows(kept)
            done = selat(home, "start", "--without-hardware", "nvidia", "--minutes", "10", "--reason", "latihan")
            assert done.returncode == 0, done.stderr
            until(lambda: moved(lost, kept))  # a change is seen within a second or so
        assert failed == []
        with pytest.raises(openai.InternalServerError, match="a drill without hardware nvidia") as refused:
            ask(running.client(), 0, "sahaja")
        assert refused.value.status_code == 503
        found = json.loads(selat(home, "plan", "--without-hardware", "nvidia", "--json").stdout)
        (use,) = found["touched"]
        assert (use["tenant"], use["purpose"], use["model"], use["left"]) == ("default", "chat", "chat", ["kekal"])
        shown = selat(home, "plan", "--without-hardware", "NVIDIA").stdout.splitlines()
        assert shown[:2] == [
            "sahaja: STOPS; gone: hilang (hardware NVIDIA)",
            "chat: left: kekal; gone: hilang (hardware NVIDIA)",
        ]
        assert found["requests"] > use["requests"] > 0, "the extractive engine's are touched by nothing"
        told = re.fullmatch(r"without hardware NVIDIA: 0 of (\d+) requests would have stopped", shown[-1])
        assert told, shown
        assert int(told[1]) >= found["requests"], "more may have been booked meanwhile"
        assert running.stop() == 0

        # A drill outlives a restart, and ends by itself: ten seconds are what is left of this one's minute.
        assert selat(home, "stop").stdout == "ended the drill without hardware nvidia\n"
        with open_platform(home) as platform:
            drill = replace(platform.drills, now=lambda: datetime.now(UTC) - timedelta(seconds=50))
            begun = drill.start(Loss(hardware=("nvidia",)), 1, "latihan pendek")
        again: Running = fresh()
        again.said["key"] = running.key
        with traffic(again) as failed:
            if datetime.now(UTC) < begun.until - timedelta(seconds=5):
                assert not grows(lost, within_s=0.5)
            assert grows(lost)
            assert datetime.now(UTC) >= begun.until
        assert failed == []
        until(lambda: [one["how"] for one in drills(again, "drill.ended")] == ["stopped", "time"])
        assert [one["reason"] for one in drills(again, "drill.started")] == ["latihan", "latihan pendek"]
        assert json.loads(selat(home, "status", "--json").stdout) is None


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["plan"], 2, "--without-hardware nvidia"),
        (["start", "--reason", "x", "--without-hardware", "nvdia"], 2, "there: hardware ascend, hardware nvidia"),
        (["start", "--reason", "x", "--without-engine", "kekal", "--minutes", "0"], 2, "1 to 1440 minutes"),
        (["start", "--without-engine", "kekal"], 2, "--reason"),
        (["stop"], 1, "no drill runs"),
    ],
    ids=["nothing", "unknown", "endless", "no-reason", "none-runs"],
)
def test_wrong_use_says_what_there_is(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    home = create_home(tmp_path / "home")
    furnish(home)
    home.engines.write_text(engines("http://127.0.0.1:1", "http://127.0.0.1:1"))
    done = selat(home.path, *words)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
