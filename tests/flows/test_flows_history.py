"""A label comes back with the answer that bears it, for its own tenant, and keeps the conversation at home."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_kit import CALLER, Office, chunks, written

from selat.core.caller import Site
from selat.core.errors import Forbidden
from selat.core.label import LOWEST, Label, parse_label
from selat.database import Database
from selat.flows.chat import Reply, Streamed, Whole, chat, start
from selat.flows.history import Answer, remembering, starting
from selat.guard import Guard
from selat.policy import Recall
from selat.testing import EchoEngine
from selat.wire import Ask

TERHAD = parse_label("terhad/internal/none/MY")
SAID = "Pelan kawasan akan diumumkan pada bulan hadapan"


@pytest.fixture
def recall(database: str) -> Iterator[Recall]:
    place = Database(database)
    yield Recall(place, b"k" * 32)
    place.close()


@pytest.fixture
def office(tmp_path: Path, guard: Guard) -> Iterator[Office]:
    abroad = EchoEngine("luar", Site("SG"), ("far",))
    office = Office(tmp_path, guard, EchoEngine(), abroad)
    yield office
    office.journal.close()


Make = Callable[[Office, Recall], Answer]


@pytest.fixture(params=["awaited", "short"])
def answering(request: pytest.FixtureRequest) -> Make:
    """Both ways in."""
    return by_short_way if request.param == "short" else by_awaited_way


def by_awaited_way(office: Office, recall: Recall) -> Answer:
    async def answer(ask: Ask) -> Whole | Streamed:
        return await chat(office.desk, ask)

    return remembering(answer, recall)


def by_short_way(office: Office, recall: Recall) -> Answer:
    """As a gateway takes it: what is told once, and awaited where it is still on its way."""
    begin = starting(lambda ask, told: start(office.desk, ask, told), recall)

    async def answer(ask: Ask) -> Whole | Streamed:
        told: asyncio.Queue[Reply] = asyncio.Queue()
        assert begin(ask, told.put_nowait) is not None
        reply = await told.get()
        assert told.empty()
        if isinstance(reply, BaseException):
            raise reply
        return reply if isinstance(reply, Whole | Streamed) else await reply

    return answer


def follow_up(office: Office, answer: str, model: str = "far", **more: Any) -> Ask:
    messages = [
        {"role": "user", "content": SAID},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "terjemahkan"},
    ]
    return office.ask("x", model=model, messages=messages)._replace(**more)


async def body_of(reply: Whole | Streamed) -> bytes:
    if isinstance(reply, Whole):
        return reply.body
    try:
        return b"".join([chunk async for chunk in chunks(reply)])
    finally:
        reply.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_labelled_answer_sent_again_stays_at_home(
    office: Office, recall: Recall, stream: bool, answering: Make
) -> None:
    ask = answering(office, recall)

    async def talk() -> Label:
        first = await ask(office.ask(SAID, stream=stream, label=TERHAD))
        body = await body_of(first)
        said = "".join(written(body)) if stream else f"Echo: {SAID}"
        assert said == f"Echo: {SAID}"
        with pytest.raises(Forbidden) as caught:
            await ask(follow_up(office, said))
        assert caught.value.rules == ("above-terbuka-stays-in-malaysia",)
        at_home = await ask(follow_up(office, f"  {said}\n", "echo"))
        await body_of(at_home)
        return at_home.label

    assert asyncio.run(talk()) == TERHAD


def test_a_label_that_the_way_in_adds_comes_back_too(office: Office, recall: Recall, answering: Make) -> None:
    async def documents(ask: Ask) -> Whole | Streamed:
        return await chat(office.desk, ask._replace(label=TERHAD))

    ask = remembering(documents, recall)

    async def talk() -> None:
        await body_of(await ask(office.ask(SAID)))
        with pytest.raises(Forbidden):
            await answering(office, recall)(follow_up(office, f"Echo: {SAID}"))

    asyncio.run(talk())


def test_what_nobody_labelled_goes_where_it_may(office: Office, recall: Recall, answering: Make) -> None:
    ask = answering(office, recall)

    async def talk() -> Label:
        await body_of(await ask(office.ask(SAID)))
        reply = await ask(follow_up(office, f"Echo: {SAID}"))
        await body_of(reply)
        return reply.label

    assert asyncio.run(talk()) == LOWEST


def test_a_caller_who_hangs_up_takes_the_label_along(office: Office, recall: Recall, answering: Make) -> None:
    ask = answering(office, recall)

    async def talk() -> str:
        reply = await ask(office.ask(SAID, stream=True, label=TERHAD))
        assert isinstance(reply, Streamed)
        seen = b""
        async for chunk in chunks(reply):
            seen += chunk
            if len("".join(written(seen))) >= 30:
                break
        reply.close()
        return "".join(written(seen))

    said = asyncio.run(talk())
    assert 24 <= len(said) < len(f"Echo: {SAID}") + 1
    assert recall.label_of("default", [said]) == TERHAD
    assert office.leaves()[-1]["kind"] == "closed"


def test_labels_are_a_tenants_own_and_join(recall: Recall) -> None:
    recall.keep("default", [SAID, SAID], TERHAD)
    recall.keep("default", [SAID], parse_label("terbuka/restricted/none/SG"))
    assert recall.label_of("default", [SAID]) == parse_label("terhad/restricted/none/MY+SG")
    assert recall.label_of("jiran", [SAID]) == LOWEST
    assert recall.label_of("default", ["another text, long enough to count"]) == LOWEST
    assert recall.label_of("default", []) == LOWEST
    recall.keep("default", ["Terima kasih"], TERHAD)
    assert recall.label_of("default", ["Terima kasih"]) == LOWEST, "short texts are everyone's"
    assert recall.label_of("default", [SAID + str(number) for number in range(1200)] + [SAID]) != LOWEST


def test_a_long_text_is_known_again_by_every_process_and_by_no_other_tenant(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selat.policy.recall.DIGESTS_LIMIT", 3)
    place = Database(database)
    one, other = Recall(place, b"k" * 32), Recall(place, b"k" * 32)
    long = [f"{number} {SAID}" * 100 for number in range(5)]
    one.keep("default", long[:2], TERHAD)
    for recall in (one, other):
        for _ in range(3):  # also by its tag, and when the tags were too many and are forgotten
            assert [recall.label_of("default", [text]) for text in long] == [TERHAD] * 2 + [LOWEST] * 3
            assert [recall.label_of("lain", [text]) for text in long] == [LOWEST] * 5
            assert recall.label_of("default", [long[0] + "."]) == LOWEST
            assert len(recall._digest_by_tag) <= 3
    place.close()


def test_the_text_is_kept_nowhere_and_labels_age(tmp_path: Path) -> None:
    days = [0.0]
    place = Database(tmp_path / "x.db")
    recall = Recall(place, b"k" * 32, lambda: days[0] * 86_400)
    recall.keep("default", [SAID], TERHAD)
    days[0] = 91.0
    recall.keep("default", [SAID + " juga"], TERHAD)
    assert recall.label_of("default", [SAID]) == LOWEST
    place.close()
    assert all(b"Pelan" not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_label_of_parts_and_tools_counts_too(office: Office, recall: Recall, answering: Make) -> None:
    recall.keep("default", [SAID], TERHAD)
    ask = answering(office, recall)
    message: dict[str, Callable[[], dict[str, Any]]] = {
        "parts": lambda: {"role": "assistant", "content": [{"type": "text", "text": SAID}]},
        "tool": lambda: {"role": "tool", "tool_call_id": "1", "content": SAID},
    }
    for make in message.values():
        messages = [{"role": "user", "content": "apa"}, make(), {"role": "user", "content": "teruskan"}]
        with pytest.raises(Forbidden):
            asyncio.run(body_of(asyncio.run(ask(office.ask("x", model="far", messages=messages)))))
    assert CALLER.prompt_label == LOWEST
