"""`POST /v1/guard/scan` tells kinds and places, repeats no words, and holds up nobody."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx2 as httpx
import pytest
from doors_kit import Running

from selat.core.errors import BadRequest
from selat.core.finding import CLEAN, Scan
from selat.gateway.scan import scan_body

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


def test_a_large_scan_holds_up_nobody(selat: Running) -> None:
    """Of some tries one: who is held up by a scan is so each time, who is by the machine now and then."""
    assert any(held_up_nobody(selat) for _ in range(8))


def held_up_nobody(selat: Running) -> bool:
    large = threading.Thread(target=post, args=(selat, {"text": (TEXT + "\n") * 60_000}))
    large.start()
    slowest, asked, started = 0.0, 0, time.monotonic()
    while large.is_alive():
        began = time.monotonic()
        assert httpx.get(f"{selat.address}/healthz", timeout=60).status_code == 200
        slowest, asked = max(slowest, time.monotonic() - began), asked + 1
    return asked > 3 and slowest < (time.monotonic() - started) / 2


def test_a_failed_scan_is_said_to_have_failed() -> None:
    assert json.loads(scan_body(lambda text: Scan(ok=False), b'{"text":"hai"}'))["ok"] is False
    with pytest.raises(BadRequest):
        scan_body(lambda text: CLEAN, b"nil")
