"""OpenAI's Responses, the stateless part of it: a request becomes the chat completion that asks the same."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from selat.wire.fields import refuse
from selat.wire.parts import Part, Thread, content_of, image_part, text_part
from selat.wire.responses_answer import ResponsesShaper
from selat.wire.shapes import Known

Object = dict[str, object]

NOT_KEPT = "nothing is kept between requests here; send the whole conversation in `input`"
_STATEFUL = ("previous_response_id", "conversation", "prompt")
# What is turned into something else, or means nothing to an engine; every other field goes to it as it is.
_TAKEN = frozenset(
    {
        *("input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens"),
        *("include", "store", "background", "truncation", "metadata", "stream_options", "n", "max_tool_calls"),
        *("top_logprobs", "context_management", *_STATEFUL),
    }
)


class Responses(Known, kw_only=True):
    """The known fields of POST /v1/responses."""

    input: str | list[Object]
    instructions: str | None = None
    tools: list[Object] | None = None
    tool_choice: str | Object | None = None
    text: Object | None = None
    reasoning: Object | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    store: bool | None = None
    background: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: dict[str, str] | None = None


def to_chat(document: Object, known: Known) -> tuple[Object, ResponsesShaper]:
    """The chat completion's document, and the shaper of its answer. Raises: BadRequest, naming the field."""
    asked = cast(Responses, known)
    _refuse_state(document, asked)
    thread = Thread()
    if asked.instructions:
        thread.say("system", asked.instructions)
    if isinstance(asked.input, str):
        thread.say("user", asked.input)
    else:
        for number, item in enumerate(asked.input):
            _item(thread, item, f"input[{number}]")
    if not thread.messages:
        raise refuse("input", "at least one item is needed")
    chat: Object = {name: value for name, value in document.items() if name not in _TAKEN}
    chat["messages"] = thread.messages
    if asked.max_output_tokens is not None:
        chat["max_tokens"] = asked.max_output_tokens
    if asked.tools:
        chat["tools"] = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(asked.tools)]
    if asked.tool_choice is not None:
        chat["tool_choice"] = _tool_choice(asked.tool_choice)
    if asked.reasoning and asked.reasoning.get("effort"):
        chat["reasoning_effort"] = asked.reasoning["effort"]
    if asked.top_logprobs is not None or "message.output_text.logprobs" in (asked.include or ()):
        chat |= {"logprobs": True, "top_logprobs": asked.top_logprobs or 0}
    chat |= _format(asked.text or {})
    if asked.stream:
        chat["stream_options"] = {"include_usage": True}
    return chat, ResponsesShaper(document, bool(asked.stream))


def _refuse_state(document: Object, asked: Responses) -> None:
    for name in _STATEFUL:
        if document.get(name) is not None:
            raise refuse(name, NOT_KEPT)
    if asked.store:
        raise refuse("store", f"true is not offered; {NOT_KEPT}")
    if asked.background:
        raise refuse("background", "true is not offered; stream the answer, or wait for it")
    if asked.truncation == "auto":
        raise refuse("truncation", "'auto' is not offered; shorten `input` yourself")


def _item(thread: Thread, item: Object, at: str) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        _message(thread, item, at)
    elif kind == "function_call":
        thread.call(_text(item, "call_id", at), _text(item, "name", at), _text(item, "arguments", at))
    elif kind == "function_call_output":
        output = item.get("output")
        thread.answer(_text(item, "call_id", at), _parts(output, f"{at}.output"))
    elif kind == "item_reference":
        raise refuse(f"{at}.type", NOT_KEPT)
    elif kind != "reasoning":  # an engine takes no earlier thoughts back
        raise refuse(f"{at}.type", "not offered; known: message, function_call, function_call_output, reasoning")


def _message(thread: Thread, item: Object, at: str) -> None:
    role = item.get("role")
    if role not in ("user", "assistant", "system", "developer"):
        raise refuse(f"{at}.role", "one of user, assistant, system, developer")
    parts = _parts(item.get("content"), f"{at}.content")
    # Open models' chat templates know no developer.
    said_by = "system" if role == "developer" else str(role)
    thread.say(said_by, content_of(parts, "" if role == "assistant" else "\n"))


def _parts(content: object, at: str) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)]
    if not isinstance(content, list):
        raise refuse(at, "must be text or a list of parts")
    return [_part(part, f"{at}[{number}]") for number, part in enumerate(content)]


def _part(part: object, at: str) -> Part:
    if not isinstance(part, dict):
        raise refuse(at, "must be an object")
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return text_part(_text(part, "text", at))
    if kind == "refusal":
        return text_part(_text(part, "refusal", at))
    if kind == "input_image":
        if part.get("image_url") is None:
            raise refuse(f"{at}.image_url", "files are not kept here; give the image as a data: URL")
        return image_part(_text(part, "image_url", at), part.get("detail"))
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    if kind == "input_file":
        if part.get("file_data") is None:
            raise refuse(f"{at}.file_data", "files are not kept or fetched here; give the data itself")
        file = {name: part[name] for name in ("filename", "file_data") if part.get(name) is not None}
        return {"type": "file", "file": file}
    raise refuse(f"{at}.type", "not offered; known: input_text, input_image, input_audio, input_file, output_text")


def _tool(tool: Object, at: str) -> Object:
    if tool.get("type") != "function":
        raise refuse(f"{at}.type", "only functions are offered; a hosted tool would go past this gateway")
    names = ("name", "description", "parameters", "strict")
    _text(tool, "name", at)
    return {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}


def _tool_choice(choice: str | Object) -> object:
    if isinstance(choice, str):
        return choice
    if choice.get("type") == "function":
        return {"type": "function", "function": {"name": _text(choice, "name", "tool_choice")}}
    raise refuse("tool_choice.type", "only 'function' is offered, or one of 'auto', 'none', 'required'")


def _format(text: Object) -> Object:
    chat: Object = {}
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    format_ = text.get("format")
    if not isinstance(format_, dict) or format_.get("type") == "text":
        return chat
    if format_.get("type") == "json_schema":
        schema = {name: value for name, value in format_.items() if name != "type"}
        return chat | {"response_format": {"type": "json_schema", "json_schema": schema}}
    if format_.get("type") == "json_object":
        return chat | {"response_format": {"type": "json_object"}}
    raise refuse("text.format.type", "one of text, json_object, json_schema")


def _text(value: Object, name: str, at: str) -> str:
    found = value.get(name)
    if name == "arguments" and isinstance(found, dict):
        return msgspec.json.encode(found).decode()
    if not isinstance(found, str):
        raise refuse(f"{at}.{name}", "must be text")
    return found
