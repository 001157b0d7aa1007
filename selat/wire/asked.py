"""A request to a model, as a value. It stands apart as the shapes do: msgspec makes this class itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from selat.core.caller import Caller
from selat.core.label import Label
from selat.core.timing import Timing
from selat.wire.shaper import Shaper
from selat.wire.shapes import Known


@dataclass(frozen=True, slots=True)
class Api:
    """One endpoint: its name in entries, the engine's path, and the shape of its body.

    `to_chat`, of an endpoint of another protocol, makes a body's document one of a chat completion, and gives
    the shaper of the answer.
    """

    name: str
    path: str
    shape: type[Known]
    to_chat: Callable[[dict[str, object], Known], tuple[dict[str, object], Shaper]] | None = None


class Ask(msgspec.Struct, frozen=True):
    """A request to a model: who asks, what for, about what, and the body both as bytes and decoded.

    `label` is what the prompt is said to be, before scanning. `body` are the caller's own bytes, which the
    ledger commits to; `document` is their decoded JSON object, which is scanned and goes to the engine. Of
    another protocol `document` is the chat completion made of it, and `shaper` makes the caller's answer of
    the engine's. `background` lets people's asks go first at a busy engine. `timing` is told when each step was
    done. `said` are all the texts of `document` where it is a plain chat that `body` holds, so that nobody need
    look for them, else None; `last` is the last of them where a user said it. `verbatim`: whoever reads `body`
    reads what `document` says, so it may go on as it came.
    """

    caller: Caller
    api: Api
    model: str
    purpose: str
    label: Label
    body: bytes
    document: dict[str, object]
    stream: bool
    timing: Timing
    said: list[str] | None = None
    last: str | None = None
    verbatim: bool = False
    shaper: Shaper | None = None
    background: bool = False

    def _replace(self, **changes: Any) -> Ask:
        """The same with some fields changed, as of a named tuple. Of another document nothing is known yet."""
        if "document" in changes or "body" in changes:
            changes = {"said": None, "last": None, "verbatim": False, **changes}
        return msgspec.structs.replace(self, **changes)
