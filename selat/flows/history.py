"""history: an answer's label comes back with it, when the answer is sent again as part of a conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from operator import itemgetter
from typing import Any, Final

from selat.core.errors import HomeBroken, Unavailable
from selat.flows.chat import Leave, Reply, Start, Streamed, Told, Whole
from selat.policy.recall import Recall
from selat.wire import ASIDE, Ask, Events, read_answer

log = logging.getLogger("selat.history")

Answer = Callable[[Ask], Awaitable[Whole | Streamed]]
_EARLIER: Final = frozenset({"assistant", "tool", "function"})
_role: Final[Callable[[Any], object]] = itemgetter("role")
_EVENTS = "text/event-stream"
_ANSWERS = (Whole, Streamed)


def remembering(answer: Answer, recall: Recall) -> Answer:
    """Around every ask: labels of earlier answers join the prompt's, and a strict answer's label is kept.

    The label is kept before the last of the answer goes out, so that the next turn finds it on any worker.
    """

    async def ask_with_history(ask: Ask) -> Whole | Streamed:
        ask = recalled(recall, ask)
        return await _kept(recall, ask, answer(ask))

    return ask_with_history


def starting(start: Start, recall: Recall) -> Start:
    """`remembering` around the short way."""

    def start_with_history(ask: Ask, told: Told) -> Leave | None:
        ask = recalled(recall, ask)

        def tell(reply: Reply) -> None:
            try:
                if isinstance(reply, _ANSWERS):
                    if not usual(ask, reply):
                        reply = _keep(recall, ask, reply)
                elif not isinstance(reply, BaseException):
                    reply = _kept(recall, ask, reply)
            except Exception as error:  # noqa: BLE001 - nobody but `told` would hear of it
                reply = error
            told(reply)

        return start(ask, tell)

    return start_with_history


def recalled(recall: Recall, ask: Ask) -> Ask:
    """The ask, with the labels of the earlier answers in it. Raises: Unavailable."""
    earlier = earlier_texts(ask.document)
    if not earlier:
        return ask
    label = ask.label.join(recall.label_of(ask.caller.tenant, earlier))
    return ask if label == ask.label else ask._replace(label=label)


def usual(ask: Ask, reply: Whole | Streamed) -> bool:
    """Whether an answer's label says no more than its prompt would say without one: then it need not be kept."""
    # What the scan found in the words comes back with them, in the same conversation, and is found again. What the
    # opening says does not tell: an ask of documents is opened with the label of passages, which nobody repeats.
    unsaid = ask.caller.prompt_label.with_personal(reply.opening.about.scan.personal)
    return reply.label is unsaid or reply.label.join(unsaid) == unsaid


async def _kept(recall: Recall, ask: Ask, answer: Awaitable[Whole | Streamed]) -> Whole | Streamed:
    reply = await answer
    return reply if usual(ask, reply) else await _keep(recall, ask, reply)


async def _keep(recall: Recall, ask: Ask, reply: Whole | Streamed) -> Whole | Streamed:
    """The reply once its label is kept; a stream keeps it with what it says."""
    if isinstance(reply, Streamed):
        reply.ear = _Remembering(reply, recall, ask.caller.tenant)
        return reply
    if reply.status == 200:
        # A thread, since it writes to the database: nobody else's answer waits for that.
        await asyncio.to_thread(recall.keep, ask.caller.tenant, texts_of(reply), reply.label)
    return reply


def earlier_texts(document: dict[str, object]) -> list[str]:
    """What a conversation says was answered before, by the model or by its tools."""
    messages = document.get("messages")
    if not isinstance(messages, list):
        return []
    try:
        # One call for all: most conversations have only begun.
        if _EARLIER.isdisjoint(map(_role, messages)):
            return []
    except (KeyError, TypeError):
        pass  # not messages as any protocol has them: looked at one by one
    found: list[str] = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _EARLIER:
            continue
        content = message.get("content")
        if isinstance(content, str):
            found.append(content)
        elif isinstance(content, list):
            texts = [part.get("text") for part in content if isinstance(part, dict)]
            found += [text for text in texts if isinstance(text, str)]
    return found


def texts_of(reply: Whole) -> list[str]:
    """What a whole answer says, also where it is written as events."""
    if not reply.content_type.startswith(_EVENTS):
        return list(read_answer(reply.body, reply.opening.about.engine).texts)
    heard = _Heard(reply.opening.about.engine)
    heard.feed(reply.body)
    return heard.texts()


class _Heard:
    """The texts of a stream, one for each channel."""

    def __init__(self, engine: str) -> None:
        self._said: dict[str, list[str]] = {}
        self._events = Events(engine, self._hear)

    def feed(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    def _hear(self, channel: str, text: str) -> None:
        if not channel.startswith(ASIDE):
            self._said.setdefault(channel, []).append(text)

    @property
    def done(self) -> bool:
        return self._events.done

    def texts(self) -> list[str]:
        self._events.tell()
        return ["".join(pieces) for pieces in self._said.values()]


class _Remembering:
    """Hears a stream, and keeps its text with its label when it ends, also for a caller who hangs up half-way."""

    def __init__(self, reply: Streamed, recall: Recall, tenant: str) -> None:
        self._opening, self._label = reply.opening, reply.label
        self._recall, self._tenant = recall, tenant
        self._heard = _Heard(reply.opening.about.engine)
        self._kept = False

    def hear(self, out: bytes) -> None:
        self._heard.feed(out)
        if self._heard.done:
            self.end()  # before the event that tells the caller it was the last

    def end(self) -> None:
        """Remember what was said so far. Raises: Unavailable, HomeBroken."""
        if not self._kept:
            self._kept = True
            self._recall.keep(self._tenant, self._heard.texts(), self._label)

    def close(self) -> None:
        try:
            self.end()
        except (Unavailable, HomeBroken) as error:
            log.error("the label of %s is not remembered: %s", self._opening.id, error)
