"""Which language an ask is in, coarsely and in a microsecond or two: what usage is counted by, and no more."""

from __future__ import annotations

import re

WINDOW = 80
"""Characters looked at: the last of what was said last, since a question comes after what it is about."""
LANGUAGES = ("ms", "en", "zh", "ta")
_HAN_OR_TAMIL = re.compile("[\u0b80-\u0bff\u3400-\u4dbf\u4e00-\u9fff]+")
_FIRST_HAN = "\u3400"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MALAY = _words(
    """
    yang dan di ke dari daripada untuk dengan pada adalah ialah ini itu tidak boleh akan telah oleh
    dalam bagi atau sebagai kepada ada apa apakah siapa bila bilakah mana berapa berapakah bagaimana
    mengapa kenapa adakah saya kami kita anda mereka dia juga serta setiap semua hendaklah perlu jika
    kerana tentang nak tak dah lah kat je dapat yg utk dgn mcm macam kalau tolong sila bolehkah
    """
)
_ENGLISH = _words(
    """
    a an the of in on at to for from by with and or is are was were be been has have had do does did
    will would can could should may must not no what when where which who whose why how much many this
    that these those it its they their there if than then as about into your you my me our we he she his
    her i please
    """
)


def language_of(document: dict[str, object], last: str | None = None) -> str:
    """`ms`, `en`, `zh` or `ta`; "" where the words are too few, mixed evenly, or of another language.

    By script and small words alone: Indonesian counts as `ms`. Source of the small words: `knowledge/data`.
    `last`, where it is known, is the last thing a user says in `document`.
    """
    text = (_said_last(document) if last is None else last)[-WINDOW:]
    if not text.isascii() and (runs := _HAN_OR_TAMIL.findall(text)):
        chinese = runs[-1] >= _FIRST_HAN
        weight = 3 if chinese else 1  # a Han character says about as much as three letters
        if sum(map(len, runs)) * weight * 4 > len(text):
            return "zh" if chinese else "ta"
    words = text.lower().split()
    malay, english = len(_MALAY.intersection(words)), len(_ENGLISH.intersection(words))
    return "ms" if malay > english else "en" if english > malay else ""


def _said_last(document: dict[str, object]) -> str:
    """The last text of a user's message, of a prompt, an input or a query; "" where there is none."""
    messages = document.get("messages")
    if type(messages) is list:
        for message in reversed(messages):
            if type(message) is dict and message.get("role") == "user":
                return _last_text(message.get("content"))
        return ""
    return _last_text(document.get("prompt") or document.get("input") or document.get("query"))


def _last_text(content: object) -> str:
    """The text itself, or the last one of a list of texts or of parts that hold one."""
    if type(content) is str:
        return content
    for part in reversed(content) if type(content) is list else ():
        text = part.get("text") if type(part) is dict else part
        if type(text) is str:
            return text
    return ""
