"""Sends a call by plain calls where that can be: no coroutine, no task and no future for the most common case."""

from __future__ import annotations

from selat.engines.engine import Call, Engine, Leave, Told
from selat.engines.openai import OpenAIEngine


def begin(engine: Engine, call: Call, told: Told) -> Leave | None:
    """Send `call` now, over a connection that was kept, and have `told` called with what comes of it.

    `told` is called once, later, from the event loop: with the Answer, once it is whole or the first byte of a
    streamed (or very large) body is there; with the EngineError that `send` would have raised; or with None: the
    kept connection was closed before any byte came, so send the call by `engine.send`. It may begin another call,
    and should not raise. The Leave is for a caller who goes before: then `told` is never called.

    None, with nothing done, where the call cannot go at once: another kind of engine, no idle connection, one who
    waits, a closed engine, a very large body. Then `engine.send` does it.
    """
    # Exactly it: one derived from it may do something else in its `send`.
    return engine.begin(call, told) if type(engine) is OpenAIEngine else None
