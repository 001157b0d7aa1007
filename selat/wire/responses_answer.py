"""OpenAI's Responses, the answering side: a chat completion becomes a response, or its events in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selat.wire.shaper import Event, Shaping, framed
from selat.wire.turn import REFUSAL, TEXT, THINKING, TOOL, Block

Object = dict[str, object]

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# The request's own fields that a response repeats, with the value of one that was not given.
_REPEATED: Object = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


class ResponsesShaper(Shaping):
    """One response. `asked` is the request's document, whose fields the response repeats."""

    def __init__(self, asked: Object, stream: bool) -> None:
        super().__init__(stream)
        self._asked = asked
        self._number = 0

    def begin(self) -> Iterator[Event]:
        yield self._tell("response.created", response=self._response("in_progress"))
        yield self._tell("response.in_progress", response=self._response("in_progress"))

    def opened(self, block: Block) -> Iterator[Event]:
        at = {"output_index": block.index}
        yield self._tell("response.output_item.added", **at, item=self._item(block, "in_progress", bare=True))
        if block.kind != TOOL:
            yield self._tell("response.content_part.added", **self._place(block), part=_part(block, bare=True))

    def grew(self, block: Block, text: str, logprobs: list[Object]) -> Iterator[Event]:
        if block.kind == TOOL:
            yield self._tell("response.function_call_arguments.delta", **self._item_place(block), delta=text)
        else:
            more: Object = {"logprobs": logprobs} if block.kind == TEXT else {}
            yield self._tell(f"{_NAMES[block.kind]}.delta", **self._place(block), delta=text, **more)

    def annotated(self, block: Block, annotation: Object) -> Iterator[Event]:
        at = {**self._place(block), "annotation_index": len(block.annotations) - 1}
        yield self._tell("response.output_text.annotation.added", **at, annotation=_annotation(annotation))

    def shut(self, block: Block) -> Iterator[Event]:
        if block.kind == TOOL:
            said: Object = {"arguments": block.text, "name": block.name}
            yield self._tell("response.function_call_arguments.done", **self._item_place(block), **said)
        else:
            said = {"refusal" if block.kind == REFUSAL else "text": block.text}
            if block.kind == TEXT:
                said["logprobs"] = block.logprobs
            yield self._tell(f"{_NAMES[block.kind]}.done", **self._place(block), **said)
            yield self._tell("response.content_part.done", **self._place(block), part=_part(block))
        item = self._item(block, "completed")
        yield self._tell("response.output_item.done", output_index=block.index, item=item)

    def ended(self) -> Iterable[Event]:
        response = self.document()
        return [self._tell(f"response.{response['status']}", response=response)]

    def fail(self, status: int, error: Object) -> bytes:
        code, message = str(error.get("code")), str(error.get("message"))
        events = [self._tell("error", code=code, message=message, param=error.get("param"))]
        if self._begun:
            failed = {**self._response("failed"), "error": {"code": "server_error", "message": message}}
            events.append(self._tell("response.failed", response=failed))
        return framed(events)

    def document(self) -> Object:
        # Without a finish the engine broke off, and what it said is not called complete.
        cut = _INCOMPLETE.get(self.turn.finish or "")
        status = "incomplete" if cut or self.turn.finish is None else "completed"
        output = [self._item(block, "completed") for block in self.turn.blocks]
        response = {**self._response(status), "output": output}
        if cut:
            response["incomplete_details"] = {"reason": cut}
        if self.turn.grounding is not None:
            response["selat"] = self.turn.grounding
        usage = self.turn.usage
        if usage is not None:
            response["usage"] = {
                "input_tokens": usage.prompt_tokens,
                "input_tokens_details": {"cached_tokens": usage.cached},
                "output_tokens": usage.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": usage.reasoned},
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            }
        return response

    def refused(self, status: int, error: Object) -> Object:
        return {"error": error}

    @property
    def _tail(self) -> str:
        return self.turn.id.removeprefix("chatcmpl-") or "0"

    def _response(self, status: str) -> Object:
        repeated = {
            name: default if self._asked.get(name) is None else self._asked[name]
            for name, default in _REPEATED.items()
        }
        return {
            "id": f"resp_{self._tail}",
            "object": "response",
            "created_at": self.turn.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.turn.model,
            "output": [],
            "previous_response_id": None,
            "store": False,
            "usage": None,
            **repeated,
        }

    def _tell(self, kind: str, /, **fields: object) -> Event:
        self._number += 1
        return {"type": kind, "sequence_number": self._number - 1, **fields}

    def _id(self, block: Block) -> str:
        prefix = {TOOL: "fc", THINKING: "rs"}.get(block.kind, "msg")
        return f"{prefix}_{self._tail}_{block.index}"

    def _item_place(self, block: Block) -> Object:
        return {"item_id": self._id(block), "output_index": block.index}

    def _place(self, block: Block) -> Object:
        return {**self._item_place(block), "content_index": 0}

    def _item(self, block: Block, status: str, *, bare: bool = False) -> Object:
        """The output item of a block; `bare` as it is before anything has been said in it."""
        head: Object = {"id": self._id(block), "status": status}
        if block.kind == TOOL:
            arguments = "" if bare else block.text
            call = {"call_id": block.call_id, "name": block.name, "arguments": arguments}
            return {**head, "type": "function_call", **call}
        content = [] if bare else [_part(block)]
        if block.kind == THINKING:
            return {**head, "type": "reasoning", "summary": [], "content": content}
        return {**head, "type": "message", "role": "assistant", "content": content}


_NAMES = {
    TEXT: "response.output_text",
    REFUSAL: "response.refusal",
    THINKING: "response.reasoning_text",
}


def _part(block: Block, *, bare: bool = False) -> Object:
    said = "" if bare else block.text
    if block.kind == REFUSAL:
        return {"type": "refusal", "refusal": said}
    if block.kind == THINKING:
        return {"type": "reasoning_text", "text": said}
    annotations = [] if bare else [_annotation(annotation) for annotation in block.annotations]
    return {
        "type": "output_text",
        "text": said,
        "annotations": annotations,
        "logprobs": [] if bare else block.logprobs,
    }


def _annotation(annotation: Object) -> Object:
    """A chat completion's annotation, whose url_citation is an object inside; a response's has it flat."""
    inner = annotation.get("url_citation")
    rest = {name: value for name, value in annotation.items() if name != "url_citation"}
    return {**rest, **inner} if isinstance(inner, dict) else rest
