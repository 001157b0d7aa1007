"""How a try at an engine ended, in the ledger's words."""

from __future__ import annotations

import asyncio

from selat.core.errors import EngineBusy, EngineError, EngineTimeout


def overloaded(status: int) -> bool:
    """Whether an engine's answer says that another engine should be asked."""
    return status >= 500 or status == 429


def verdict_of(error: BaseException) -> bool | None:
    """What a try that ended so says of its engine, for the breaker: nothing, where it was never sent one."""
    return None if isinstance(error, EngineBusy) else False


def outcome_of(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    if isinstance(error, EngineTimeout):
        return "engine_timeout"
    return "engine_error" if isinstance(error, EngineError) else "failed"
