from __future__ import annotations

import json

from engines_kit import chat, read, run, spec

from selat.engines import OpenAIEngine
from selat.testing import Upstream


def test_one_connection_carries_json_and_streams(upstream: Upstream) -> None:
    async def story(engine: OpenAIEngine) -> None:
        for _ in range(3):
            answer = await engine.send(chat("echo"))
            assert answer.status == 200
            assert json.loads(await read(answer))["choices"][0]["message"]["content"] == "apa khabar"
        answer = await engine.send(chat("echo", stream=True))
        body = await read(answer)
        assert body.endswith(b"data: [DONE]\n\n")
        assert (await engine.health()).models[0] == "both-lengths"

    run(OpenAIEngine(spec(upstream.url)), story)
    assert upstream.connections == 2
