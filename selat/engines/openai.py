"""Any server that speaks the OpenAI protocol, by its URL: vLLM, SGLang, llama.cpp, Ollama, another Selat."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from selat.core.caller import Site
from selat.core.errors import EngineError, EngineUnreachable
from selat.engines.engine import Answer, Call, Health, Leave, Told
from selat.engines.fetch import fetch
from selat.engines.limits import AT_ONCE_BYTES
from selat.engines.pool import Address, Pool
from selat.engines.spec import EngineSpec, tls_context

_PROBE_S = 5.0
_MAX_PATHS = 64


class _Row(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Row]


_models = msgspec.json.Decoder(_Models)


class OpenAIEngine:
    """An engine over HTTP/1.1. No redirects, no proxies: the site is where the URL points."""

    def __init__(self, spec: EngineSpec) -> None:
        """Raises: Misused, for a bad URL or CA file. Connects to nothing yet."""
        base = spec.base
        self.spec = spec
        self.name = spec.name
        self.site: Site = spec.site
        self.models = tuple(public for public, _ in spec.models)
        self._upstream = dict(spec.models)
        self._address = Address(base.host, base.port, tls_context(spec.ca_file) if base.secure else None)
        self._pool = Pool(spec.name, self._address, spec.timeouts, spec.capacity)
        self._heads: dict[str, bytes] = {}

    @property
    def in_flight(self) -> int:
        return self._pool.in_flight

    @property
    def waiting(self) -> int:
        return self._pool.waiting

    def upstream_model(self, model: str) -> str:
        return self._upstream.get(model, model)

    async def send(self, call: Call) -> Answer:
        prefix = self._heads.get(call.path)
        if prefix is None:
            prefix = self._head_for(call.path)
        return await self._pool.exchange(b"%b%d\r\n%b\r\n" % (prefix, len(call.body), _trace(call)), call)

    def begin(self, call: Call, told: Told) -> Leave | None:
        """`send` by plain calls, where a kept connection is idle: see `selat.engines.begin`."""
        body = call.body
        prefix = self._heads.get(call.path)
        size_bytes = len(body)
        if prefix is None or size_bytes > AT_ONCE_BYTES:
            return None
        trace = _trace(call) if call.trace else b""
        return self._pool.begin(b"%b%d\r\n%b\r\n%b" % (prefix, size_bytes, trace, body), call.stream, told)

    async def health(self) -> Health:
        """Ask for the list of models on a connection of its own, so that a full pool does not look ill."""
        path = self.spec.health_path
        try:
            target = self._target(path) if path.startswith("/v1/") else path.encode("ascii")
            head = b"GET %b HTTP/1.1\r\n%b" % (target, self._fields())
            fetched = await fetch(self.name, self._address, head, _PROBE_S)
        except EngineError as error:
            return Health(False, str(error))
        if not 200 <= fetched.status < 300:
            hint = "; check its key" if fetched.status in (401, 403) else ""
            return Health(False, f"{path} answers with status {fetched.status}{hint}", fetched.latency_ms)
        try:
            models = tuple(row.id for row in _models.decode(fetched.body).data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Health(True, "ok; gives no list of models", fetched.latency_ms)
        return Health(True, "ok", fetched.latency_ms, models)

    async def close(self) -> None:
        await self._pool.close()

    # Heads: everything of a request but its length, made once a path.

    def _head_for(self, path: str) -> bytes:
        head = b"POST %b HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: " % (
            self._target(path),
            self._fields(),
        )
        if len(self._heads) < _MAX_PATHS:
            self._heads[path] = head
        return head

    def _target(self, path: str) -> bytes:
        if not path.startswith("/") or not path.isascii() or any(mark <= " " for mark in path):
            raise EngineUnreachable(f"engine '{self.name}': a path is ASCII and begins with /")
        return (self.spec.base.prefix + path.removeprefix("/v1")).encode("ascii")

    def _fields(self) -> bytes:
        lines = [f"Host: {self.spec.base.netloc}", "Accept-Encoding: identity", "User-Agent: selat"]
        key = self._key()
        if key:
            lines.append(f"Authorization: Bearer {key}")
        lines += [f"{name}: {value}" for name, value in self.spec.headers]
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1")

    def _key(self) -> str:
        """The key, from where the spec says. Raises: EngineUnreachable, naming the place, never the key."""
        spec = self.spec
        if spec.key_env:
            key, place = os.environ.get(spec.key_env, ""), f"environment variable {spec.key_env}"
        elif spec.key_file:
            place = f"key_file {spec.key_file}"
            try:
                key = Path(spec.key_file).read_text("ascii")
            except (OSError, UnicodeDecodeError):
                key = ""
        else:
            return ""
        key = key.strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EngineUnreachable(f"engine '{self.name}': no usable key in {place}; set it and start again")
        return key


def _trace(call: Call) -> bytes:
    return b"traceparent: %b\r\n" % call.trace.encode("ascii") if call.trace else b""
