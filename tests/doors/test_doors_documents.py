"""A citation's address opens the exact place, for those who may see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from doors_kit import Running


def get(selat: Running, path: str) -> dict[str, Any]:
    request = urllib.request.Request(selat.address + path, headers={"authorization": f"Bearer {selat.key}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.load(response)
    return found


def test_a_citation_opens_the_place_it_quotes(selat: Running) -> None:
    asked: Any = [{"role": "user", "content": "Berapa lama masa untuk lapor kebocoran data peribadi?"}]
    answer = selat.client().chat.completions.create(model="docs", messages=asked)
    annotation = answer.choices[0].message.annotations[0].model_dump()  # type: ignore[index]
    place = get(selat, annotation["url_citation"]["url"])
    assert annotation["selat_citation"]["quote"] in place["text"]
    assert (place["document"], place["passage"]) == (
        annotation["selat_citation"]["document"],
        annotation["selat_citation"]["passage"],
    )


@pytest.mark.parametrize("path", ["nothing/passages/1", "nothing", "nothing/passages/x", "nothing/passages/0"])
def test_no_such_place_is_404(selat: Running, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(selat, f"/v1/documents/{path}")
    assert refused.value.code == 404
    refused.value.close()
