"""The closing entry commits to the bytes that a caller of another protocol really gets, not to the engine's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_kit import CALLER, Office
from compiled import compiled

from selat.core.entry import commitment
from selat.core.label import LOWEST
from selat.testing import EchoEngine
from selat.wire import APIS, read_ask

BODIES: dict[str, dict[str, Any]] = {
    "/v1/responses": {"input": "MyKad saya 900101-14-5678"},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "MyKad saya 900101-14-5678"}]},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", list(BODIES))
def test_both_commitments_are_to_the_callers_own_bytes(tmp_path: Path, path: str, stream: bool) -> None:
    engine = EchoEngine()
    body = json.dumps({"model": "echo", "stream": stream, **BODIES[path]}).encode()

    async def run() -> tuple[Office, bytes]:
        office = Office(tmp_path, compiled(), engine)
        salts: list[bytes] = []

        def entropy(size: int) -> bytes:
            salts.append(bytes([len(salts)]) * size)
            return salts[-1]

        office.desk = replace(office.desk, entropy=entropy)
        _, got = await office.answer(read_ask(APIS[path], CALLER, body, "chat", LOWEST))
        return office, got

    office, got = asyncio.run(run())
    opened, closed = office.leaves()
    assert opened["prompt"] == {"c": commitment(bytes(32), body), "bytes": len(body)}
    assert closed["answer"] == {"c": commitment(b"\1" * 32, got), "bytes": len(got)}
    assert json.loads(engine.calls[0].body)["messages"][0]["role"] == "user"
    assert b"choices" not in got
