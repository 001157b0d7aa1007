"""Anthropic's Messages: a request becomes the chat completion that asks the same."""

from __future__ import annotations

from typing import Literal, cast

import msgspec

from selat.wire.fields import refuse
from selat.wire.messages_answer import MessagesShaper
from selat.wire.parts import Part, Thread, content_of, image_part, joined, text_part
from selat.wire.shapes import Known

Object = dict[str, object]

# What is turned into something else, or means nothing to an engine; every other field goes to it as it is.
_TAKEN = frozenset(
    {
        *("system", "messages", "tools", "tool_choice", "stop_sequences", "thinking", "metadata", "n"),
        *("output_config", "output_format", "service_tier", "context_management", "betas", "stream_options"),
        *("container", "mcp_servers", "inference_geo", "cache_control"),
    }
)
_HOSTED = ("container", "mcp_servers")


class _Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Object]


class Messages(Known, kw_only=True):
    """The known fields of POST /v1/messages."""

    max_tokens: int
    messages: list[_Message]
    system: str | list[Object] | None = None
    tools: list[Object] | None = None
    tool_choice: Object | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: Object | None = None
    metadata: Object | None = None
    output_config: Object | None = None
    output_format: Object | None = None


def to_chat(document: Object, known: Known) -> tuple[Object, MessagesShaper]:
    """The chat completion's document, and the shaper of its answer. Raises: BadRequest, naming the field."""
    asked = cast(Messages, known)
    for name in _HOSTED:
        if document.get(name):
            raise refuse(name, "not offered; what it reaches would go past this gateway")
    thread = Thread()
    if asked.system:
        thread.say("system", content_of(_parts(asked.system, "system")))
    for number, message in enumerate(asked.messages):
        _message(thread, message, f"messages[{number}].content")
    if not asked.messages:
        raise refuse("messages", "at least one message is needed")
    chat: Object = {name: value for name, value in document.items() if name not in _TAKEN}
    chat["messages"] = thread.messages
    if asked.stop_sequences:
        chat["stop"] = asked.stop_sequences
    if asked.tools:
        chat["tools"] = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(asked.tools)]
    chat |= _tool_choice(asked.tool_choice or {})
    chat |= _format(asked)
    if asked.metadata and asked.metadata.get("user_id") is not None:
        chat["user"] = asked.metadata["user_id"]
    if asked.stream:
        chat["stream_options"] = {"include_usage": True}
    thinking = bool(asked.thinking) and (asked.thinking or {}).get("type") != "disabled"
    return chat, MessagesShaper(bool(asked.stream), thinking)


def _message(thread: Thread, message: _Message, at: str) -> None:
    """Tool results come first, since they must follow their calls at once; then the rest of what was said."""
    if isinstance(message.content, str):
        return thread.say(message.role, message.content)
    said: list[Part] = []
    calls: list[tuple[str, str, str]] = []
    for number, block in enumerate(message.content):
        where = f"{at}[{number}]"
        kind = block.get("type")
        if kind == "tool_result":
            thread.answer(_text(block, "tool_use_id", where), _parts(block.get("content") or "", where))
        elif kind == "tool_use":
            arguments = msgspec.json.encode(block.get("input") or {}).decode()
            calls.append((_text(block, "id", where), _text(block, "name", where), arguments))
        elif kind not in ("thinking", "redacted_thinking"):  # an engine takes no earlier thoughts back
            said.append(_part(block, where))
    if said:
        thread.say(message.role, content_of(said, "" if message.role == "assistant" else "\n"))
    elif calls:
        thread.say("assistant", None)
    for call in calls:
        thread.call(*call)


def _parts(content: object, at: str) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)]
    if not isinstance(content, list):
        raise refuse(at, "must be text or a list of blocks")
    return [_part(block, f"{at}[{number}]") for number, block in enumerate(content)]


def _part(block: object, at: str) -> Part:
    if not isinstance(block, dict):
        raise refuse(at, "must be an object")
    kind = block.get("type")
    if kind == "text":
        return text_part(_text(block, "text", at))
    if kind == "search_result":
        text = _plain(block.get("content"), f"{at}.content")
        return text_part(f"{block.get('title') or ''}\n{block.get('source') or ''}\n{text}")
    if kind not in ("image", "document"):
        raise refuse(
            f"{at}.type", "not offered; known: text, image, document, search_result, tool_use, tool_result"
        )
    source = block.get("source")
    if not isinstance(source, dict):
        raise refuse(f"{at}.source", "must be an object")
    if kind == "image":
        return image_part(_url(source, f"{at}.source"))
    return _document(block, source, f"{at}.source")


def _plain(content: object, at: str) -> str:
    parts = _parts(content, at)
    if any(part["type"] != "text" for part in parts):
        raise refuse(at, "only text is offered inside a document; give images beside it")
    return joined(parts)


def _document(block: Object, source: Object, at: str) -> Part:
    title = block.get("title")
    if source.get("type") == "text":
        text = _text(source, "data", at)
        return text_part(f"{title}\n{text}" if title else text)
    if source.get("type") == "content":
        return text_part(_plain(source.get("content"), f"{at}.content"))
    if source.get("type") != "base64":
        raise refuse(f"{at}.type", "files are not kept or fetched here; give the data itself")
    return {"type": "file", "file": {"filename": title or "document.pdf", "file_data": _url(source, at)}}


def _url(source: Object, at: str) -> str:
    if source.get("type") == "base64":
        return f"data:{_text(source, 'media_type', at)};base64,{_text(source, 'data', at)}"
    if source.get("type") == "url":
        return _text(source, "url", at)
    raise refuse(f"{at}.type", "files are not kept here; known: base64, url")


def _tool(tool: Object, at: str) -> Object:
    if tool.get("type") not in (None, "custom"):
        raise refuse(f"{at}.type", "only your own tools are offered; a hosted tool would go past this gateway")
    function: Object = {"name": _text(tool, "name", at), "parameters": tool.get("input_schema") or {}}
    for name in ("description", "strict"):
        if tool.get(name) is not None:
            function[name] = tool[name]
    return {"type": "function", "function": function}


def _tool_choice(choice: Object) -> Object:
    if not choice:
        return {}
    chat: Object = {}
    kind = choice.get("type")
    if kind == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": _text(choice, "name", "tool_choice")}}
    elif kind in ("auto", "any", "none"):
        chat["tool_choice"] = "required" if kind == "any" else kind
    else:
        raise refuse("tool_choice.type", "one of auto, any, tool, none")
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    return chat


def _format(asked: Messages) -> Object:
    chat: Object = {}
    config = asked.output_config or {}
    if config.get("effort") is not None:
        chat["reasoning_effort"] = config["effort"]
    format_ = asked.output_format or config.get("format")
    if isinstance(format_, dict):
        if format_.get("type") != "json_schema":
            raise refuse("output_config.format.type", "only json_schema is offered")
        schema = {"name": "output", "schema": format_.get("schema"), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return chat


def _text(value: Object, name: str, at: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise refuse(f"{at}.{name}", "must be text")
    return found
