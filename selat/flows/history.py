"""history: an answer's label comes back with it, when the answer is sent again as part of a conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

from selat.core.errors import HomeBroken, Unavailable
from selat.core.label import Label
from selat.flows.chat import Streamed, Whole
from selat.policy.recall import Recall
from selat.wire import Ask, Events, read_answer

log = logging.getLogger("selat.history")

Answer = Callable[[Ask], Awaitable[Whole | Streamed]]
_EARLIER = ("assistant", "tool", "function")
_EVENTS = "text/event-stream"


def remembering(answer: Answer, recall: Recall) -> Answer:
    """Around every ask: labels of earlier answers join the prompt's, and a strict answer's label is kept.

    The label is kept before the last of the answer goes out, so that the next turn finds it on any worker.
    """

    async def ask_with_history(ask: Ask) -> Whole | Streamed:
        earlier = list(earlier_texts(ask.document))
        if earlier:
            label = ask.label.join(recall.label_of(ask.caller.tenant, earlier))
            ask = ask if label == ask.label else ask._replace(label=label)
        reply = await answer(ask)
        # What the scan found in the words comes back with them, in the same conversation, and is found again.
        usual = ask.caller.prompt_label.with_personal(reply.opening.scan.personal)
        if stricter(reply.label, usual):
            if isinstance(reply, Streamed):
                return Remembered(reply, recall, ask.caller.tenant)
            if reply.status == 200:
                # A thread, since it writes to the database: nobody else's answer waits for that.
                await asyncio.to_thread(recall.keep, ask.caller.tenant, texts_of(reply), reply.label)
        return reply

    return ask_with_history


def stricter(label: Label, usual: Label) -> bool:
    """Whether a label says more than a prompt without one would: only then is it worth keeping."""
    return label is not usual and label.join(usual) != usual


def earlier_texts(document: dict[str, object]) -> Iterator[str]:
    """What a conversation says was answered before, by the model or by its tools."""
    messages = document.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") not in _EARLIER:
            continue
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, dict) and isinstance(text := part.get("text"), str):
                    yield text


def texts_of(reply: Whole) -> list[str]:
    """What a whole answer says, also where it is written as events."""
    if not reply.content_type.startswith(_EVENTS):
        return list(read_answer(reply.body, reply.opening.engine).texts)
    heard = _Heard(reply.opening.engine)
    heard.feed(reply.body)
    return heard.texts()


class _Heard:
    """The texts of a stream, one for each channel."""

    def __init__(self, engine: str) -> None:
        self._said: dict[str, list[str]] = {}
        self._events = Events(engine, lambda channel, text: self._said.setdefault(channel, []).append(text))

    def feed(self, chunk: bytes) -> None:
        self._events.feed(chunk)

    @property
    def done(self) -> bool:
        return self._events.done

    def texts(self) -> list[str]:
        self._events.tell()
        return ["".join(pieces) for pieces in self._said.values()]


class Remembered(Streamed):
    """A stream whose text is kept with its label when it ends, also for a caller who hangs up half-way."""

    def __init__(self, inner: Streamed, recall: Recall, tenant: str) -> None:
        self._inner = inner
        self._recall, self._tenant = recall, tenant
        self._heard = _Heard(inner.opening.engine)
        self._kept = False
        self.answer, self.opening, self.label = inner.answer, inner.opening, inner.label

    def feed(self, chunk: bytes) -> bytes:
        out = self._inner.feed(chunk)
        self._heard.feed(out)
        if self._heard.done:
            self._keep()  # before the event that tells the caller it was the last
        return out

    def finish(self) -> bytes:
        out = self._inner.finish()
        self._heard.feed(out)
        self._keep()
        return out

    def end(self, outcome: str, status: int) -> None:
        self._inner.end(outcome, status)

    def close(self) -> None:
        try:
            self._keep()
        except (Unavailable, HomeBroken) as error:
            log.error("the label of %s is not remembered: %s", self.opening.id, error)
        finally:
            self._inner.close()

    def _keep(self) -> None:
        """Remember what was said so far. Raises: Unavailable."""
        if not self._kept:
            self._kept = True
            self._recall.keep(self._tenant, self._heard.texts(), self.label)
