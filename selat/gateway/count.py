"""POST /v1/messages/count_tokens: what a message would hold, estimated here; nothing of it leaves or is kept."""

from __future__ import annotations

import msgspec

from selat.gateway.completions import who_asks
from selat.gateway.door import Door
from selat.gateway.http import Request
from selat.wire import APIS, decode, read_ask, texts

CHARACTERS_A_TOKEN = 4


async def count_tokens(door: Door, request: Request) -> None:
    """`{"input_tokens": n}` for the body of a message: a quarter of its characters, as no tokenizer is at hand."""
    caller, label, _ = who_asks(door, request)
    document = decode(await request.body(door.limits.body_bytes, door.limits.body_s))
    # A message to be counted has no limit of its answer, which one to be answered must have.
    body = msgspec.json.encode({"max_tokens": 1, **document})
    asked = read_ask(APIS["/v1/messages"], caller, body, "", label)
    characters = sum(map(len, texts(asked.document)))
    await request.respond_json(200, {"input_tokens": -(-characters // CHARACTERS_A_TOKEN)})
