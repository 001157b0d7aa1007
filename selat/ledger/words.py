"""Searches kept content for words: bodies of requests and answers, whole or as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Iterator


def holds(content: bytes, words: str) -> bool:
    """Whether kept content has these words, also where a stream broke them into pieces; capitals count."""
    text = content.decode("utf-8", "replace")
    return words in text or any(words in one for one in _texts(text))


def _texts(text: str) -> list[str]:
    """The strings of a JSON document; of a stream, those at one place in its events joined in order."""
    found: dict[str, list[str]] = {}
    for line in [text, *(line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:"))]:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for place, piece in _strings(document):
            found.setdefault(place, []).append(piece)
    return ["".join(pieces) for pieces in found.values()]


def _strings(document: object) -> Iterator[tuple[str, str]]:
    """Each string with the path to it; not by recursion, since the document is a caller's."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, dict):
            waiting += [(f"{place}/{name}", item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{place}/{number}", item) for number, item in enumerate(value)]
