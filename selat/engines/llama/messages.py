"""What the host and those who use its models say to each other: one JSON object a line, on a loopback port.

A client says `Want` and gets `Grant` or `Refusal`; from then on it may call the model until it is told `Drain`,
and says `Drained` when its last call has ended, or until it is told `Gone`. A `handle` is the client's own
number for a model.
"""

from __future__ import annotations

import msgspec

from selat.engines.llama.spec import LlamaSpec

MAX_LINE_BYTES = 256 * 1024


class Hello(msgspec.Struct, tag=True, frozen=True):
    """The first line of a client: the secret that only the home's owner can read."""

    secret: str


class Want(msgspec.Struct, tag=True, frozen=True):
    handle: int
    name: str
    spec: LlamaSpec


class Drained(msgspec.Struct, tag=True, frozen=True):
    handle: int


class Used(msgspec.Struct, tag=True, frozen=True):
    """The model was called; said at most once a second."""

    handle: int


class Forget(msgspec.Struct, tag=True, frozen=True):
    """The model is no longer configured: it may go, pinned or not."""

    handle: int


class Ask(msgspec.Struct, tag=True, frozen=True):
    """What is loaded? Answered with a `State`."""


class Grant(msgspec.Struct, tag=True, frozen=True):
    handle: int
    port: int
    secret: str


class Refusal(msgspec.Struct, tag=True, frozen=True):
    handle: int
    reason: str


class Drain(msgspec.Struct, tag=True, frozen=True):
    handle: int


class Gone(msgspec.Struct, tag=True, frozen=True):
    handle: int


class Loaded(msgspec.Struct, frozen=True):
    """A model in memory: what it was expected to need and what its process holds, in bytes."""

    name: str
    gguf: str
    state: str
    need: int
    rss: int
    pinned: bool

    def to_json(self) -> dict[str, object]:
        return msgspec.structs.asdict(self)


class State(msgspec.Struct, tag=True, frozen=True):
    models: list[Loaded]
    budget: int


FromClient = Hello | Want | Drained | Used | Forget | Ask
FromHost = Grant | Refusal | Drain | Gone | State
read_from_client = msgspec.json.Decoder(FromClient).decode
read_from_host = msgspec.json.Decoder(FromHost).decode
_encode = msgspec.json.Encoder().encode


def line(message: FromClient | FromHost) -> bytes:
    return _encode(message) + b"\n"
