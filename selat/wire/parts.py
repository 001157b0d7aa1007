"""Messages of a chat completion, put together from the items and blocks of other protocols."""

from __future__ import annotations

from collections.abc import Iterable

Message = dict[str, object]
Part = dict[str, object]


class Thread:
    """The messages so far. Tool calls join the assistant's last message; tools answer one message each."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def say(self, role: str, content: object) -> None:
        self.messages.append({"role": role, "content": content})

    def call(self, call_id: str, name: str, arguments: str) -> None:
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        calls = self.messages[-1].setdefault("tool_calls", [])
        assert isinstance(calls, list)
        calls.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})

    def answer(self, call_id: str, parts: list[Part]) -> None:
        """What a tool gave. Its media follow as the user's, since a tool's message holds text alone."""
        text = joined(part for part in parts if part["type"] == "text")
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        if media := [part for part in parts if part["type"] != "text"]:
            self.say("user", media)


def content_of(parts: list[Part], between: str = "\n") -> object:
    """Parts as one text where all of them are: engines that know no parts then understand it too."""
    if all(part["type"] == "text" for part in parts):
        return joined(parts, between)
    return parts


def joined(parts: Iterable[Part], between: str = "\n") -> str:
    return between.join(str(part["text"]) for part in parts)


def text_part(text: object) -> Part:
    return {"type": "text", "text": text}


def image_part(url: object, detail: object = None) -> Part:
    image = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image}
