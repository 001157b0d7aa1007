"""The endpoints that reach a model: wire in, flow, wire out."""

from __future__ import annotations

from selat.core.caller import Caller
from selat.core.errors import SelatError, Unauthenticated
from selat.core.label import Label, parse_label
from selat.flows.chat import Streamed, Whole
from selat.gateway.door import Door
from selat.gateway.errors import error_event
from selat.gateway.http import Request
from selat.wire import APIS, read_ask

BEARER = "bearer "
DEFAULT_PURPOSE = "chat"


def caller_of(door: Door, request: Request) -> Caller:
    """Who asks. Raises: Unauthenticated, which says nothing else."""
    header = request.header(b"authorization")
    if header[: len(BEARER)].lower() != BEARER:
        raise Unauthenticated("missing or wrong API key")
    return door.identify(header[len(BEARER) :].strip())


async def ask(door: Door, request: Request) -> None:
    """POST /v1/chat/completions, /v1/completions, /v1/embeddings."""
    caller = caller_of(door, request)
    purpose = request.header(b"selat-purpose") or DEFAULT_PURPOSE
    label = prompt_label(caller, request)
    body = await request.body(door.limits.body_bytes, door.limits.body_s)
    reply = await door.answer(read_ask(APIS[request.path], caller, body, purpose, label))
    if isinstance(reply, Whole):
        await request.respond(reply.status, reply.body, reply.content_type.encode(), _headers(reply))
    else:
        await _stream(request, reply)


def prompt_label(caller: Caller, request: Request) -> Label:
    """What the prompt is said to be: the `selat-label` header, joined to the tenant's label for prompts.

    A header can raise the label, never lower it.
    """
    header = request.header(b"selat-label")
    return caller.prompt_label.join(parse_label(header)) if header else caller.prompt_label


async def _stream(request: Request, reply: Streamed) -> None:
    try:
        await request.start(
            reply.status, reply.content_type.encode(), (*_headers(reply), (b"cache-control", b"no-cache"))
        )
        async for chunk in reply.chunks():
            await request.write(chunk, more=True)
        await request.write(b"")
    except SelatError as error:
        await request.write(error_event(error))
    finally:
        # A plain call: a caller who hung up cancels this task, and an awaited write would be cancelled too.
        reply.close()


def _headers(reply: Whole | Streamed) -> tuple[tuple[bytes, bytes], ...]:
    opening = reply.opening
    return (
        (b"selat-receipt", opening.id.encode()),
        (b"selat-label", str(reply.label).encode()),
        (b"selat-decision", opening.decision.effect.encode()),
    )
