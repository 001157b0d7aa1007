"""One model's process, seen from the host: started, waited for, measured, ended."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from selat.core.errors import EngineUnreachable
from selat.engines.llama.need import Need
from selat.engines.llama.spec import LlamaSpec

_CHILD = Path(__file__).with_name("child.py")
_END_S = 5.0
EXTRA = "needs llama.cpp: pip install 'selat[llama]'"
_TOLD_LINES = 40
_ERROR = re.compile(r"^[\d.]+ E \S+ (.*)$")


@dataclass(slots=True)
class Process:
    """A running llama.cpp server: its port, and the secret that only its host and the gateways know."""

    handle: asyncio.subprocess.Process
    port: int
    secret: str
    reader: asyncio.Task[None]

    @property
    def pid(self) -> int:
        return self.handle.pid

    def rss(self) -> int:
        """Bytes of memory it holds now; 0 where that cannot be told."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        if self.handle.returncode is None:
            self.handle.kill()

    async def end(self) -> None:
        """Close its input, by which it leaves; kill it if it does not."""
        await _end(self.handle)
        await self.reader


async def start(name: str, spec: LlamaSpec, need: Need, limit_s: float) -> Process:
    """Load a model in a process of its own. Raises: EngineUnreachable, with llama.cpp's own reason."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineUnreachable(f"engine '{name}' {EXTRA}")
    secret = secrets.token_urlsafe(24)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(_CHILD)),  # our own folder is no place for it to import from
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told: list[str] = []
    reader = asyncio.create_task(_read_errors(child, told))
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(_wanted(name, spec, need, secret)).encode() + b"\n")
        async with asyncio.timeout(limit_s):
            line = await child.stdout.readline()
        if line:
            return Process(child, urlsplit(json.loads(line)["address"]).port or 0, secret, reader)
    except BaseException as error:
        await _end(child, at_once=True)
        await reader
        if isinstance(error, TimeoutError):
            raise EngineUnreachable(
                f"engine '{name}': not loaded within {limit_s:g} s (timeout 'load' in engines.toml)"
            ) from None
        raise
    await _end(child)
    await reader
    raise EngineUnreachable(f"engine '{name}': llama.cpp could not load the model: {_reason(told)}")


def _wanted(name: str, spec: LlamaSpec, need: Need, secret: str) -> dict[str, object]:
    embeds = need.header.embeds if spec.embedding == "auto" else spec.embedding == "yes"
    own = need.header.number("pooling_type")
    return {
        "gguf": spec.gguf,
        "alias": name,
        "secret": secret,
        "context": need.context,
        "parallel": spec.parallel,
        "gpu_layers": spec.gpu_layers,
        "threads": spec.threads,
        "cache_mb": spec.cache_mb,
        "chat_template": spec.chat_template,
        "embedding": embeds,
        # A decoder that does not say how its vectors are pooled gives the last token's.
        "pooling": own or 3,
        "adapters": spec.adapters,
    }


async def _end(child: asyncio.subprocess.Process, at_once: bool = False) -> None:
    if child.stdin is not None:
        child.stdin.close()
    if child.returncode is None and at_once:
        child.kill()
    try:
        async with asyncio.timeout(_END_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


async def _read_errors(child: asyncio.subprocess.Process, told: list[str]) -> None:
    """Keep the first lines for a reason; the rest is read so that the child never waits for us."""
    assert child.stderr is not None
    while True:
        try:
            line = await child.stderr.readline()
        except ValueError:
            continue  # a line longer than the buffer
        if not line:
            return
        if len(told) < _TOLD_LINES:
            told.append(line.decode("utf-8", "replace").strip())


def _reason(told: list[str]) -> str:
    """The first error that llama.cpp told, else the last line of all."""
    errors = [found[1] for line in told if (found := _ERROR.match(line))]
    if any("insufficient memory" in line or "failed to allocate" in line for line in errors):
        return "there is not enough memory; choose a smaller context or quantisation"
    reason = errors[0] if errors else (told[-1] if told else "its process ended without a word")
    return reason.removeprefix("error loading model: ")[:300]
