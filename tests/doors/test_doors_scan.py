"""`POST /v1/guard/scan` tells kinds and places, repeats no words, and holds up nobody."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import Any, cast

import httpx2 as httpx
import pytest
from doors_kit import Running
from waiting import CEILING_S

from selat.core.errors import BadRequest
from selat.core.finding import CLEAN, Scan
from selat.gateway.door import Door
from selat.gateway.http import Request
from selat.gateway.scan import THREADED_BYTES, scan, scan_body

TEXT = "😀 ic saya 900101-14-5678, emel siti@contoh.my"


def post(selat: Running, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {selat.key}"} | headers
    return httpx.post(f"{selat.address}/v1/guard/scan", content=content, headers=headers, timeout=60)


def test_kinds_and_places_come_back_without_words(selat: Running) -> None:
    answer = post(selat, {"text": TEXT})
    assert answer.status_code == 200
    found = answer.json()
    told = [(f["kind"], TEXT[f["start"] : f["end"]]) for f in found["findings"]]
    assert told == [("MYKAD", "900101-14-5678"), ("EMAIL", "siti@contoh.my")]
    assert (found["ok"], found["personal"]) == (True, "personal")
    assert "900101" not in answer.text


def test_many_texts_come_back_in_their_order(selat: Running) -> None:
    results = post(selat, {"texts": ["hai", TEXT, ""]}).json()["results"]
    assert [len(result["findings"]) for result in results] == [0, 2, 0]


def test_without_a_key_nothing_is_scanned(selat: Running) -> None:
    assert post(selat, {"text": TEXT}, Authorization="").status_code == 401


def test_nothing_is_booked_for_a_scan(selat: Running) -> None:
    before = booked(selat)
    post(selat, {"text": TEXT})
    after = booked(selat)
    between = {leaf["id"] for leaf in selat.leaves() if before < leaf["id"] < after}
    assert between == set()  # ids rise with time, so what earlier tests still had to book is not taken for it


def booked(selat: Running) -> str:
    """The id of an ask that was made and sealed just now."""
    with selat.client() as client:
        said = [{"role": "user", "content": "hai"}]
        answer = client.chat.completions.with_raw_response.create(model="echo", messages=said)
    receipt = answer.headers["selat-receipt"]
    selat.leaves_of(receipt, "closed")
    return receipt


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"text": 5}', b'{"texts": "900101-14-5678"}', b"{}", b'{"text": "a", "texts": []}',
     b'{"text": "\xff"}', b'{"text": "\\ud800"}x', b"[" * 100_000, b'{"text":' + b"[" * 100_000],
)  # fmt: skip
def test_a_bad_body_is_told_so_and_not_repeated(selat: Running, body: bytes) -> None:
    answer = post(selat, body)
    assert answer.status_code == 400
    assert "900101" not in answer.text


def test_a_body_over_the_limit_is_refused(selat: Running) -> None:
    assert post(selat, {"text": "a" * 9_000_000}).status_code == 413


def test_a_large_text_is_scanned_to_its_end(selat: Running) -> None:
    assert len(post(selat, {"text": (TEXT + "\n") * 60_000}).json()["findings"]) == 120_000


@pytest.mark.parametrize(("characters", "is_slow"), [(THREADED_BYTES, False), (2, True)])
def test_a_scan_that_takes_long_holds_up_nobody(characters: int, is_slow: bool) -> None:
    """It waits for what the loop does meanwhile. On the loop it would never be done."""
    begun, worked_on = threading.Event(), threading.Event()
    told: list[bytes] = []

    def looks(text: str) -> Scan:
        begun.set()
        return Scan(ok=worked_on.wait(CEILING_S))

    async def body(limit_bytes: int, timeout_s: float) -> bytes:
        return json.dumps({"text": "a" * characters}).encode()

    async def respond(status: int, answer: bytes, kind: str) -> None:
        told.append(answer)

    async def story() -> None:
        limits = SimpleNamespace(body_bytes=1, body_s=1)
        door = SimpleNamespace(identify=str, scan=looks, scan_is_slow=is_slow, limits=limits)
        request = SimpleNamespace(header=lambda name: "Bearer x", body=body, respond=respond)
        asked = asyncio.ensure_future(scan(cast(Door, door), cast(Request, request)))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        worked_on.set()
        await asked

    asyncio.run(story())
    assert json.loads(told[0])["ok"] is True


def test_a_failed_scan_is_said_to_have_failed() -> None:
    assert json.loads(scan_body(lambda text: Scan(ok=False), b'{"text":"hai"}'))["ok"] is False
    with pytest.raises(BadRequest):
        scan_body(lambda text: CLEAN, b"nil")
