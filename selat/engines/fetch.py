"""One GET on a connection of its own: for probes, which must neither wait for a busy pool nor fill it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from selat.core.errors import EngineGarbage
from selat.engines.engine import Call
from selat.engines.limits import Capacity, Timeouts
from selat.engines.pool import Address, Pool

MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reply in whole."""

    status: int
    body: bytes
    latency_ms: float


async def fetch(engine: str, address: Address, head: bytes, limit_s: float) -> Fetched:
    """Send `head` (request line and fields, without the empty line) and read the whole reply.

    Raises: EngineUnreachable, EngineTimeout, EngineGarbage (also for more than 4 MiB).
    """
    limits = Timeouts(limit_s, limit_s, limit_s, limit_s, 2 * limit_s)
    pool = Pool(engine, address, limits, Capacity(1, 1))
    started = time.perf_counter()
    try:
        answer = await pool.exchange(head + b"\r\n", Call("", b"", False))
        body = bytearray()
        async for piece in answer.chunks():
            body += piece
            if len(body) > MAX_BYTES:
                await answer.close()
                raise EngineGarbage(f"engine '{engine}': its reply to a probe is over {MAX_BYTES} bytes")
    finally:
        await pool.close()
    return Fetched(answer.status, bytes(body), (time.perf_counter() - started) * 1000)
