"""Where the texts that the protocol knows stand in an event's choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from selat.wire.shapes import Choice

JSON_FIELDS = ("function_call",)
PLAIN_FIELDS = ("content", "reasoning_content", "reasoning", "refusal")


def unsaid(field: str, said: Any) -> object:
    """A field of a delta without what `said_in` finds in it."""
    if field == "function_call" and type(said) is dict:
        return {**said, "arguments": None}
    if field == "tool_calls" and type(said) is list:
        return [
            {**call, "function": unsaid("function_call", call.get("function"))} if type(call) is dict else call
            for call in said
        ]
    return said


def said_in(choice: Choice) -> Iterator[tuple[str, str]]:
    """The texts of a choice that the protocol knows, each with the name of its channel."""
    delta = choice.delta
    if choice.text:
        yield "text", choice.text
    if delta is None:
        return
    if delta.content:
        yield "content", delta.content
    for field in PLAIN_FIELDS[1:]:
        if text := getattr(delta, field):
            yield field, text
    for call in delta.tool_calls or ():
        if call.function and call.function.arguments:
            yield f"tool_calls.{call.index}", call.function.arguments
    if delta.function_call and delta.function_call.arguments:
        yield "function_call", delta.function_call.arguments


def places_in(holder: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Where texts stand in a delta: the object, its key there, the channel's name. Empty ones begin nothing."""
    for field in (*PLAIN_FIELDS, "text"):
        if holder.get(field) and isinstance(holder[field], str):
            yield holder, field, field
    functions = [(f"tool_calls.{call.get('index', 0)}", call) for call in holder.get("tool_calls") or ()]
    for channel, call in (*functions, ("function_call", {"function": holder.get("function_call")})):
        function = call.get("function")
        if isinstance(function, dict) and function.get("arguments"):
            yield function, "arguments", channel
