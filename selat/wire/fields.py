"""The known fields of a body have their types, or it is refused with the field's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from selat.core.errors import BadRequest
from selat.wire.shapes import Known

K = TypeVar("K", bound=Known)

_WRITING = (
    "model stream stream_options temperature top_p n max_tokens user stop seed logit_bias logprobs"
    " presence_penalty frequency_penalty"
)
_CHAT = (
    "messages audio function_call functions max_completion_tokens metadata modalities parallel_tool_calls"
    " prediction prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier"
    " service_tier store tool_choice tools top_logprobs verbosity web_search_options"
)
_FIELDS = {
    "/chat/completions": frozenset(f"{_WRITING} {_CHAT}".split()),
    "/completions": frozenset(f"{_WRITING} prompt best_of echo suffix".split()),
    "/embeddings": frozenset(("model", "input", "dimensions", "encoding_format", "user")),
    "/rerank": frozenset(("model", "query", "documents", "top_n", "return_documents", "user")),
}
"""The protocol's fields, by the engine's path. Source: OpenAI's API reference; of reranking, Jina's."""


def has_others(document: Mapping[str, object], path: str) -> bool:
    """Whether what goes to `path` has fields beside the protocol's: an engine's own, or a word misspelt."""
    return not document.keys() <= _FIELDS[path]


def known_fields(document: Mapping[str, object], shape: type[K]) -> K:
    """The known fields of `document`. Raises: BadRequest, with the field in `param`."""
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        param = path.rstrip("`").lstrip(".") or _missing(what)
        raise BadRequest(f"{param or 'body'}: {_safe(what)}", param=param or None) from None


def refuse(param: str, why: str) -> BadRequest:
    return BadRequest(f"{param}: {why}", param=param)


def _missing(what: str) -> str:
    return what.split("`")[1] if "missing required field" in what else ""


def _safe(what: str) -> str:
    # "Invalid enum value 'the caller's words'" is the one message that repeats the value.
    return "not one of the allowed values" if what.startswith("Invalid enum value") else what
