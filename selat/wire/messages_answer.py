"""Anthropic's Messages, the answering side: a chat completion becomes a message, or its events in their order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from selat.wire.shaper import Event, Shaping, framed
from selat.wire.turn import TEXT, THINKING, TOOL, Block

Object = dict[str, object]

STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class MessagesShaper(Shaping):
    """One message. `thinking`: the caller asked to see the model's thoughts."""

    def __init__(self, stream: bool, thinking: bool) -> None:
        super().__init__(stream)
        self._thinking = thinking

    def wants(self, kind: str) -> bool:
        return self._thinking or kind != THINKING

    def begin(self) -> Iterator[Event]:
        yield {"type": "message_start", "message": {**self._message(), "usage": self._usage()}}

    def opened(self, block: Block) -> Iterator[Event]:
        fresh = _content(Block(block.kind, block.index, block.call_id, block.name))
        yield {"type": "content_block_start", "index": block.index, "content_block": fresh}

    def grew(self, block: Block, text: str, logprobs: list[Object]) -> Iterator[Event]:
        if block.kind == TOOL:
            delta = {"type": "input_json_delta", "partial_json": text}
        elif block.kind == THINKING:
            delta = {"type": "thinking_delta", "thinking": text}
        else:
            delta = {"type": "text_delta", "text": text}
        yield {"type": "content_block_delta", "index": block.index, "delta": delta}

    def annotated(self, block: Block, annotation: Object) -> Iterator[Event]:
        if block.kind == TEXT and (citation := _citation(annotation)) is not None:
            delta = {"type": "citations_delta", "citation": citation}
            yield {"type": "content_block_delta", "index": block.index, "delta": delta}

    def shut(self, block: Block) -> Iterator[Event]:
        yield {"type": "content_block_stop", "index": block.index}

    def ended(self) -> Iterator[Event]:
        yield {"type": "message_delta", "delta": self._stop(), "usage": self._usage()}
        yield {"type": "message_stop"}

    def fail(self, status: int, error: Object) -> bytes:
        return framed([messages_error(status, error)])

    def document(self) -> Object:
        content = [_content(block) for block in self.turn.blocks]
        document = {**self._message(), "content": content, **self._stop(), "usage": self._usage()}
        return document if self.turn.grounding is None else {**document, "selat": self.turn.grounding}

    def refused(self, status: int, error: Object) -> Object:
        return messages_error(status, error)

    def _message(self) -> Object:
        return {
            "id": f"msg_{self.turn.id.removeprefix('chatcmpl-') or '0'}",
            "type": "message",
            "role": "assistant",
            "model": self.turn.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    def _stop(self) -> Object:
        turn = self.turn
        if turn.finish == "stop" and turn.stopped_by:
            return {"stop_reason": "stop_sequence", "stop_sequence": turn.stopped_by}
        # Without a finish the engine broke off, and no reason is made up.
        reason = None if turn.finish is None else STOPS.get(turn.finish, "end_turn")
        return {"stop_reason": reason, "stop_sequence": None}

    def _usage(self) -> Object:
        usage = self.turn.usage
        if usage is None:
            return {"input_tokens": 0, "output_tokens": 0}
        return {
            # Anthropic counts what came from a cache apart from the rest of the input.
            "input_tokens": usage.prompt_tokens - usage.cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": usage.cached,
            "output_tokens": usage.completion_tokens,
        }


def messages_error(status: int, error: Object) -> Object:
    """Anthropic's error from OpenAI's error object; our code, rules and receipt stay beside its message."""
    kind = ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    ours = {name: error[name] for name in ("code", "rules", "receipt") if error.get(name) is not None}
    return {"type": "error", "error": {"type": kind, "message": str(error.get("message")), **ours}}


def _content(block: Block) -> Object:
    if block.kind == TOOL:
        return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": _input(block.text)}
    if block.kind == THINKING:
        return {"type": "thinking", "thinking": block.text, "signature": ""}
    content: Object = {"type": "text", "text": block.text}
    if citations := [cited for cited in map(_citation, block.annotations) if cited is not None]:
        content["citations"] = citations
    return content


def _input(arguments: str) -> Object:
    """A tool call's arguments as an object; those that are none stay readable under `arguments`."""
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": arguments}


def _citation(annotation: Object) -> Object | None:
    """A citation of ours as Anthropic's place in a text document; None for annotations of another kind."""
    cited = annotation.get("selat_citation")
    if not isinstance(cited, dict):
        return None
    marker = cited.get("marker")
    return {
        "type": "char_location",
        "cited_text": cited.get("quote"),
        "document_index": marker - 1 if isinstance(marker, int) else 0,
        "document_title": cited.get("title"),
        "start_char_index": cited.get("start"),
        "end_char_index": cited.get("end"),
        "selat_citation": cited,
    }
