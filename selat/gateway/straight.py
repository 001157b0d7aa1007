"""From a file to a caller's socket by the kernel alone: none of it passes through this process."""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from selat.gateway.http import Request

AT_ONCE_BYTES = 8 << 20
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.EOVERFLOW, errno.ENOTSUP)
"""A file system that cannot do it says one of these before the first byte."""


class Sends(Protocol):
    """A stretch of a file that can go out so."""

    def send(self, descriptor: int, size_bytes: int) -> int:
        """Send the next at most so many bytes to a socket that does not block; 0 only where the file ends early.

        It may wait for a disk. Raises: BlockingIOError, while the socket takes nothing; OSError.
        """
        ...


async def send_straight(request: Request, file: Sends, left: int, pool: ThreadPoolExecutor, stall_s: float) -> int:
    """Send `left` bytes of a response that was started; how many are left for another way, where this is shut.

    Disks are waited for in the pool, slow callers on the loop. Once it has returned or raised, no thread uses the
    file any more. Raises: TimeoutError, for a caller who takes nothing for so long; OSError.
    """
    async with asyncio.timeout(stall_s):
        descriptor = await request.vacate()
    if descriptor is None:
        return left
    loop = asyncio.get_running_loop()
    try:
        while left:
            wanted = min(left, AT_ONCE_BYTES)
            try:
                sent = await _seen_through(loop.run_in_executor(pool, file.send, descriptor, wanted))
            except BlockingIOError:
                sent = 0
            else:
                if not sent:
                    raise OSError("the file ended early")
                left -= sent
            if sent < wanted:
                async with asyncio.timeout(stall_s):
                    await _takes_more(descriptor)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    finally:
        os.close(descriptor)
    return left


async def _seen_through(working: asyncio.Future[int]) -> int:
    """What a thread makes of it; who is cancelled waits too: nothing is closed under the hands of a thread."""
    cancelled: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return working.result()


async def _takes_more(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)
