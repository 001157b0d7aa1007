"""The endpoints that reach a model: wire in, flow, wire out."""

from __future__ import annotations

import time
from typing import NamedTuple

from selat.core.caller import Caller
from selat.core.errors import BadRequest, SelatError, Unauthenticated
from selat.core.label import Label, parse_label
from selat.core.timing import Trace
from selat.flows.chat import Reply, Streamed, Whole
from selat.gateway.door import Door
from selat.gateway.errors import error_event, error_object, forget, inner
from selat.gateway.http import Request
from selat.identity import NOT_ACCEPTED, Presented
from selat.wire import APIS, Ask, read_ask

BEARER = "bearer "
DEFAULT_PURPOSE = "chat"
BACKGROUND = "background"
PRIORITIES = ("normal", BACKGROUND)


class Wish(NamedTuple):
    """What a head says of an ask: by which key, for what, and what it says of the prompt, if anything."""

    secret: Presented
    purpose: str
    label: Label | None
    background: bool


Who = tuple[Caller, Label, Wish]
"""Who asks, what the prompt is said to be before it is scanned, and the rest of its head."""


def who_asks(door: Door, request: Request) -> Who:
    """What there is to know before the body is looked at. Raises: Unauthenticated, BadRequest.

    Of a head that came before, what it says is known; whether its key still counts is asked each time.
    """
    kept = request.head_kept
    wish = None if kept is None else kept.noted
    if isinstance(wish, Wish):
        caller = door.identify(wish.secret)
    else:
        secret = secret_of(request)
        caller = door.identify(secret)
        wish = wish_of(request, secret)
        if kept is not None:
            kept.noted = wish
    label = caller.prompt_label
    if wish.label is not None:
        label = label.join(wish.label)  # a header can raise the label, never lower it
    return caller, label, wish


def caller_of(door: Door, request: Request) -> Caller:
    """Who asks. Raises: Unauthenticated, which says nothing else."""
    return door.identify(secret_of(request))


def secret_of(request: Request) -> Presented:
    """The key that a request brings. Raises: Unauthenticated."""
    header = request.header(b"authorization")
    if header[: len(BEARER)].lower() == BEARER:
        return Presented(header[len(BEARER) :].strip())
    if key := request.header(b"x-api-key"):  # Anthropic's clients
        return Presented(key.strip())
    raise Unauthenticated(NOT_ACCEPTED)


def wish_of(request: Request, secret: Presented) -> Wish:
    """What the head says beside who asks. Raises: BadRequest."""
    label, priority = request.header(b"selat-label"), request.header(b"selat-priority")
    return Wish(
        secret,
        request.header(b"selat-purpose") or DEFAULT_PURPOSE,
        parse_label(label) if label else None,
        is_background(priority) if priority else False,
    )


async def ask(door: Door, request: Request) -> None:
    """POST to each endpoint of `APIS`."""
    if door.spans is None:
        await _ask(door, request, None)
    else:
        with door.spans.request(request) as trace:
            await _ask(door, request, trace)


async def _ask(door: Door, request: Request, trace: Trace | None) -> None:
    limits, who = door.limits, who_asks(door, request)
    asked = read(request, who, await request.body(limits.body_bytes, limits.body_s))
    asked.timing.trace = trace
    await tell(door, request, await door.answer(asked))


def read(request: Request, who: Who, body: bytes) -> Ask:
    """What is asked. Raises: BadRequest."""
    caller, label, wish = who
    asked = read_ask(APIS[request.path], caller, body, wish.purpose, label)
    if wish.background:
        asked = asked._replace(background=True)
    request.asked = asked
    timing = asked.timing
    timing.arrived, timing.read = request.arrived, time.monotonic()
    return asked


async def rest(door: Door, request: Request, reply: Reply) -> None:
    """What is left to do when an ask on the short way came to this. Raises: what it failed with."""
    if isinstance(reply, BaseException):
        raise reply
    await tell(door, request, reply if isinstance(reply, Whole | Streamed) else await reply)


async def tell(door: Door, request: Request, reply: Whole | Streamed) -> None:
    """Answer with a reply; a stream until its end."""
    if isinstance(reply, Whole):
        tell_whole(request, reply)
        return
    try:
        begin_stream(request, reply)
        await reply.pour(request.pass_on)
        await request.write(b"")
    except SelatError as error:
        await break_off(door, request, reply, error)
    finally:
        # A plain call: a caller who hung up cancels this task, and an awaited write would be cancelled too.
        reply.close()


def begin_stream(request: Request, reply: Streamed) -> None:
    """The head of the answer to a reply that streams; its events go to `request.pass_on`."""
    request.receipt = reply.opening.id
    request.start(reply.status, reply.content_type, _headers(reply) + "cache-control: no-cache\r\n")


async def break_off(door: Door, request: Request, reply: Streamed, error: Exception) -> None:
    """Tell the caller of a stream what broke it off. Raises: `error`, where it is none of ours."""
    assert request.asked is not None
    try:
        if not isinstance(error, SelatError):
            raise error
        door.access.failed(error)
        shaper = request.asked.shaper
        event = error_event(error) if shaper is None else shaper.fail(error.status, inner(error_object(error)))
        await request.write(event)
        forget(error)
    finally:
        reply.close()


def tell_whole(request: Request, reply: Whole) -> None:
    """Answer with a reply that is whole."""
    request.receipt = reply.opening.id
    headers = _headers(reply)
    if reply.retry_after:
        headers += f"retry-after: {reply.retry_after}\r\n"
    request.answer(reply.status, reply.body, reply.content_type, headers)


def is_background(priority: str) -> bool:
    """What `selat-priority` says. It can only make room for others. Raises: BadRequest."""
    if priority not in PRIORITIES:
        raise BadRequest(f"selat-priority: write {' or '.join(PRIORITIES)}", param="selat-priority")
    return priority == BACKGROUND


def _headers(reply: Whole | Streamed) -> str:
    """The lines that say what was booked, and under which id."""
    opening = reply.opening
    effect = opening.about.decision.effect
    return f"selat-receipt: {opening.id}\r\nselat-label: {reply.label.text}\r\nselat-decision: {effect}\r\n"
