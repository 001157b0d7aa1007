"""What the log tells: JSON lines with request ids, a share of requests, every failure; never content or a key."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from doors_kit import Running, a_home

from selat.core.errors import EngineUnreachable
from selat.gateway.http import Request
from selat.gateway.logs import CURRENT, Access, begin
from selat.testing import Upstream

SECRET = "perkataan-sulit 900101-14-5678"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged from here on; the root logger is put back in the end."""
    root, said = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    begin("auto", "info", said)
    yield said
    root.handlers, root.level = handlers, level


@pytest.fixture
def chatty(upstream: Upstream, tmp_path: Path, fresh: Callable[..., Running]) -> Running:
    a_home(tmp_path, upstream, "log_requests = 1.0\n")
    return fresh()


def test_a_request_has_a_line_with_its_id_and_receipt_and_no_words(chatty: Running) -> None:
    client = chatty.client()
    say = [{"role": "user", "content": SECRET}]
    good = client.chat.completions.with_raw_response.create(model="echo", messages=say)  # type: ignore[arg-type]
    with pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model="nobody", messages=say)  # type: ignore[arg-type]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("perkataan-sulit")
    chatty.stop()
    told = lines(chatty.log)
    (line,) = [one for one in told if one.get("receipt") == good.headers["selat-receipt"]]
    assert line["request"] == good.headers["x-request-id"]
    assert (line["route"], line["status"], line["engine"]) == ("/v1/chat/completions", 200, "dekat")
    assert (line["tenant"], line["outcome"], line["level"]) == ("default", "complete", "INFO")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    named = failed.value.response.headers["x-request-id"]
    failure, ended = [one for one in told if one.get("request") == named]
    assert (failure["level"], failure["code"], ended["status"]) == ("WARNING", "engine_unreachable", 502)
    assert "/v1/models/{id}" in {one.get("route") for one in told}
    text = chatty.log.read_text()
    assert "perkataan-sulit" not in text
    assert chatty.key not in text


def test_by_default_requests_have_ids_and_no_lines_but_failures_have(selat: Running) -> None:
    say = [{"role": "user", "content": "hai"}]
    ids = set()
    for _ in range(3):
        reply = selat.client().chat.completions.with_raw_response.create(model="echo", messages=say)  # type: ignore[arg-type]
        ids.add(reply.headers["x-request-id"])
    with pytest.raises(openai.APIStatusError) as failed:
        selat.client().chat.completions.create(model="garbage", messages=say)  # type: ignore[arg-type]
    assert len(ids) == 3
    told = lines(selat.log)
    assert not ids & {one.get("request") for one in told}
    assert failed.value.response.headers["x-request-id"] in {one.get("request") for one in told}


def test_keys_exceptions_and_other_peoples_messages_lose_what_may_be_secret(logged: io.StringIO) -> None:
    CURRENT.set("r1")
    log = logging.getLogger("selat.test")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("it broke with %s", "sk-selat-abc123XYZ")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=%s>", SECRET)
    CURRENT.set("")
    log.info("two\nlines")
    first, second, third = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert (first["request"], first["error"], first["message"]) == ("r1", "ValueError", "it broke with sk-selat-…")
    assert first["at"].startswith("test_keys_exceptions")
    assert second["message"] == "Task exception was never retrieved"
    assert third["message"] == "two lines"
    assert "request" not in third
    assert "perkataan-sulit" not in logged.getvalue()


def test_a_terminal_gets_words_and_a_setting_chooses(logged: io.StringIO) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    begin("auto", "info", terminal)
    logging.getLogger("selat.test").warning("hai", extra={"fields": {"code": "x"}})
    assert re.fullmatch(r"[\d:.]{12} WARNING selat\.test hai code=x\n", terminal.getvalue())
    begin("json", "error", terminal)
    logging.getLogger("selat.test").warning("unheard")
    logging.getLogger("selat.test").error("heard")
    assert json.loads(terminal.getvalue().splitlines()[1])["message"] == "heard"


def test_a_storm_of_failures_is_told_in_ten_lines_a_second(
    logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("selat.gateway.logs.time", SimpleNamespace(monotonic=lambda: now[0]))
    access = Access(0)
    for _ in range(500):
        access.failed(EngineUnreachable("engine 'x': closed"))
    now[0] += 1
    access.failed(EngineUnreachable("engine 'x': closed"))
    messages = [json.loads(line)["message"] for line in logged.getvalue().splitlines()]
    assert len(messages) == 12
    assert messages[10] == "490 more failures were not told"


def test_a_share_of_requests_is_a_share(logged: io.StringIO) -> None:
    request = Request(None, {}, [])  # type: ignore[arg-type]
    access = Access(0.1)
    access._chance.seed(7)
    for _ in range(2000):
        access.ended(request, "/healthz")
    assert 150 < len(logged.getvalue().splitlines()) < 250
