"""Reads which option a reply chose, or that it chose none: a wrong reading is worse than none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from selat.evals.item import LETTERS

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_DRESS = re.compile(r"[*_`$#\"'“”‘’]|\\(?:boxed|text|mathrm)|\\[()\[\]]")
_MARK = (
    r"jawapan(?:nya|ku| saya)?(?: yang)?(?: (?:akhir|betul|tepat|benar|paling sesuai|terbaik))*|jawaban(?:nya)?"
    r"|pilihan(?:nya)?(?: (?:saya|yang))*(?: (?:betul|tepat|jawapan))*|(?:final |correct |best |my )*answer"
    r"|(?:correct|best|right) (?:option|choice)|(?:i|we) (?:choose|pick|would choose)|saya (?:pilih|memilih)"
    r"|答案|正确答案|正確答案|选择|選擇|我选|我選|விடை|பதில்"
)
_LINK = r"(?:\s*(?:ialah|adalah|is|would be|yaitu|iaitu|是|为|為|option|pilihan|huruf|letter|选项|：|:|=|-|—))*\s*"
_LETTER = r"[(\[{<]?\s*([A-J])\s*[)\]}>]?(?![A-Za-z0-9])"
_MARKED = re.compile(rf"(?:{_MARK}){_LINK}{_LETTER}", re.IGNORECASE)
_ALSO = re.compile(r"\s*(?:atau|or|dan|and|/|,|或|和|、)\s*[(\[]?([A-J])[)\]]?(?![A-Za-z0-9])")
_BARE = re.compile(r"\s*[(\[]?([A-Ja-j])[)\]]?\s*[.。:：]?\s*\Z")
_LED = re.compile(r"\s*[(\[]?([A-J])(?:[)\].:：]|\s*[-—]\s|\s*\n|项|項|选项)")
_ALONE = re.compile(r"(?<![A-Za-z0-9'’.])[(\[]?([A-J])[)\]]?(?![A-Za-z0-9'’])")
# "A" is also an English article and "I" a pronoun: alone in a sentence they choose nothing.
_ALSO_WORDS = frozenset("AI")


def read_choice(text: str, choices: Sequence[str]) -> str:
    """The letter that a reply chose of `choices`; "" where it chose none, several, or one that is not there.

    In this order: an answer that is said to be one ("Jawapan: B", the last such); a letter alone; a letter that
    leads ("B. kunci"); the text of exactly one option; exactly one letter standing by itself in the text.
    """
    allowed = LETTERS[: len(choices)]
    plain = _plain(_THINKING.sub("", text))
    if marked := list(_MARKED.finditer(plain)):
        last = marked[-1]
        letter = last[1].upper()
        other = _ALSO.match(plain, last.end())
        if other and other[1] != letter:
            return ""
        # "the answer a ..." is an article, not a choice.
        if not (last[1] == "a" and re.match(r"\s+[a-z]", plain[last.end() :])):
            return letter if letter in allowed else ""
    for pattern in (_BARE, _LED):
        if found := pattern.match(plain):
            led = found[1].upper()
            if pattern is _LED and len(_letters_leading(plain)) > 1:
                break  # the options were copied out; none was chosen
            return led if led in allowed else ""
    if chosen := _by_text(plain, choices):
        return chosen
    alone = {found[1] for found in _ALONE.finditer(plain)} - _ALSO_WORDS
    return alone.pop() if len(alone) == 1 and alone <= set(allowed) else ""


def _plain(text: str) -> str:
    return _DRESS.sub("", unicodedata.normalize("NFKC", text)).replace("{", "(").replace("}", ")").strip()


def _words(text: str) -> str:
    return " " + " ".join(re.findall(r"\w+", text.casefold())) + " "


def _letters_leading(text: str) -> set[str]:
    return {found[1] for line in text.splitlines() if (found := _LED.match(line + "\n"))}


def _by_text(text: str, choices: Sequence[str]) -> str:
    """The option whose text a reply says, if it says just one; an option inside a longer one gives way."""
    said = _words(text)
    keys = zip(LETTERS, map(_words, map(_plain, choices)), strict=False)
    found = [(letter, key) for letter, key in keys if key.strip() and key in said]
    longest = [pair for pair in found if not any(pair[1] in other[1] and pair is not other for other in found)]
    return longest[0][0] if len(longest) == 1 else ""
