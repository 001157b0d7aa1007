"""Find the engines that run on this machine: what they are, which models they hold, how long a context."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from selat.core.errors import EngineError
from selat.engines.fetch import fetch
from selat.engines.pool import Address

_LIMIT_S = 2.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Software:
    """How a kind of server is recognised: by JSON at one of `facts` having a value at `mark`, or by the `owner`
    that its models are `owned_by`. `version` and `context` (tokens; of several places the first that tells) are
    where those facts, or the rows of its lists of models, hold them; empty where it does not tell. `rows` is a
    further list that it gives, and its name there. Paths are dotted. `port` is its usual one.
    """

    name: str
    port: int
    facts: tuple[str, ...]
    mark: str
    version: str
    context: tuple[str, ...]
    owner: str = ""
    rows: tuple[str, str] = ("", "")


# Those whose facts nobody else has come first.
SOFTWARE = (
    Software(
        "sglang",
        30000,
        ("/server_info", "/get_server_info"),
        "version",
        "version",
        ("max_model_len", "context_length"),
        "sglang",
    ),
    Software(
        "llama-server",
        8080,
        ("/props",),
        "default_generation_settings",
        "build_info",
        ("default_generation_settings.n_ctx", "meta.n_ctx", "meta.n_ctx_train"),
        "llamacpp",
    ),
    Software("tgi", 3000, ("/info",), "max_total_tokens", "version", ("max_total_tokens",)),
    Software("lm-studio", 1234, ("/api/v0/models",), "data", "", ("loaded_context_length", "max_context_length")),
    # Ollama tells how much context it gave to the models that are loaded.
    Software(
        "ollama", 11434, ("/api/version",), "version", "version", ("context_length",), rows=("/api/ps", "models")
    ),
    Software("vllm", 8000, ("/version",), "version", "version", ("max_model_len",), "vllm"),
)
"""The quirks table. Source: each server's own API reference."""


@dataclass(frozen=True, slots=True)
class Detected:
    """A server found. `context` is in tokens, 0 where not told; `software` is `unknown` outside the table."""

    url: str
    software: str
    version: str
    models: tuple[str, ...]
    context: int

    def to_json(self) -> dict[str, object]:
        return {
            "url": self.url,
            "software": self.software,
            "version": self.version,
            "models": list(self.models),
            "context": self.context,
        }


async def detect(ports: Iterable[int] = (), host: str = _LOOPBACK) -> list[Detected]:
    """Servers of this machine that give a list of models, at the usual ports and at `ports`; by port."""
    asked = sorted({row.port for row in SOFTWARE} | set(ports))
    found = await asyncio.gather(*(_at(host, port) for port in asked))
    return [one for one in found if one is not None]


async def _at(host: str, port: int) -> Detected | None:
    listed = _value(await _json(host, port, "/v1/models"), "data")
    if not isinstance(listed, list):
        return None
    url, models = f"http://{host}:{port}/v1", tuple(str(_value(row, "id")) for row in listed if _value(row, "id"))
    owners = {_value(row, "owned_by") for row in listed}
    for row in SOFTWARE:
        facts = await _facts(host, port, row)
        if facts is not None or (row.owner and row.owner in owners):
            path, name = row.rows
            more = _value(await _json(host, port, path), name) if path else _value(facts, "data")
            rows = [*listed, *(more if isinstance(more, list) else ())]
            version = _value(facts, row.version)
            return Detected(url, row.name, str(version or ""), models, _context(row, [facts, *rows]))
    return Detected(url, "unknown", "", models, 0)


async def _facts(host: str, port: int, row: Software) -> object:
    """What the server says of itself; None where it is no server of this kind, or wants a key first."""
    for path in row.facts:
        facts = await _json(host, port, path)
        if _value(facts, row.mark) is not None:
            return facts
    return None


def _context(row: Software, places: Sequence[object]) -> int:
    """The longest context told: by the server, or of its models."""
    for path in row.context:
        told = [value for place in places if isinstance(value := _value(place, path), int)]
        if told:
            return max(told)
    return 0


def _value(value: object, path: str) -> object:
    """What stands at a dotted path of a JSON value; None where there is no such place."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


async def _json(host: str, port: int, path: str) -> object:
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: identity\r\nUser-Agent: selat\r\n"
    try:
        fetched = await fetch(f"port {port}", Address(host, port), head.encode("ascii"), _LIMIT_S)
        value: object = msgspec.json.decode(fetched.body) if fetched.status == 200 else None
    except (EngineError, msgspec.DecodeError, UnicodeDecodeError):
        return None  # whatever listens there, it is no engine we could use
    return value
