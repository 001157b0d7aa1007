"""Puts placeholders in the place of findings, and the words back, whole or as they stream by."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache

from selat.core.finding import Finding

# How a model may write `<MYKAD_1>`: other case, spaces, brackets escaped for HTML, JSON or Markdown, or none.
# Brackets go in pairs: a backslash that stood before a value must not be taken for the placeholder's own.
_BRACKETS = (
    ("<", ">"),
    ("&lt;", "&gt;"),
    ("\\u003c", "\\u003e"),
    ("\\\\<", "\\\\>"),  # Markdown in a JSON string, as in the arguments of a tool call
    ("\\<", "\\>"),
    ("＜", "＞"),
    ("〈", "〉"),
    ("‹", "›"),
)
_OPENERS = tuple(opener for opener, _ in _BRACKETS)
_JOINTS = ("_", "\\_", "\\\\_", "-", " ")
# A bare one is a word of its own; in JSON, the `n` of `\n` before it is none of its letters.
_FREE = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))"
_LONGEST = 48
"""No spelling of a placeholder is longer, so a stream never holds back more than this."""


class Mask:
    """The placeholders of one conversation turn: one for each value, and the way back. For one caller only."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[tuple[str, int], str] = {}

    def __repr__(self) -> str:
        return f"<Mask of {len(self._values)} values>"

    @property
    def empty(self) -> bool:
        return not self._values

    def redact(self, text: str, findings: Sequence[Finding]) -> str:
        """`text` with each finding replaced by `<KIND_n>`; the same value gets the same placeholder."""
        pieces, at = [], 0
        for finding in sorted(findings):
            if finding.start < at:  # overlapping: the first of them already covers these words
                if finding.end <= at:
                    continue
                finding = Finding(at, finding.end, finding.kind, finding.confidence)
            pieces.append(text[at : finding.start])
            pieces.append(self._placeholder(finding.kind, text[finding.start : finding.end], text))
            at = finding.end
        pieces.append(text[at:])
        return "".join(pieces)

    def restore(self, text: str, *, json_string: bool = False) -> str:
        """`text` with placeholders of this mask turned back, however a model has respelled them.

        `json_string`: the text stands between the quotes of a JSON string, so values are escaped for it.
        """
        return self.restore_from(text, 0, json_string=json_string)

    def restore_from(self, text: str, start: int, *, json_string: bool) -> str:
        """`text[start:]` restored; what stands before `start` is seen, but not part of any placeholder."""
        if not self._values:
            return text[start:]
        pieces: list[str] = []
        at = start
        for match in _pattern(self.kinds).finditer(text, start):
            pieces += text[at : match.start()], self._value(match, json_string)
            at = match.end()
        return "".join(pieces) + text[at:]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of which there are values, sorted."""
        return tuple(sorted({kind for kind, _ in self._values}))

    def _value(self, match: re.Match[str], json_string: bool) -> str:
        spelled, number = (group for group in match.groups() if group is not None)
        value = self._values.get((spelled.upper().replace("\\", "").replace(" ", "_"), int(number)))
        if value is None:
            return match[0]
        return json.dumps(value, ensure_ascii=False)[1:-1] if json_string else value

    def _placeholder(self, kind: str, value: str, text: str) -> str:
        known = self._placeholders.get((kind, value))
        if known is None:
            n = 1 + sum(1 for other, _ in self._values if other == kind)
            while (
                kind,
                n,
            ) in self._values or f"{kind}_{n}" in text:  # the caller wrote such a word themselves
                n += 1
            known = f"<{kind}_{n}>"
            self._placeholders[kind, value] = known
            self._values[kind, n] = value
        return known


class Restorer:
    """Restores a stream: text goes on at once, save an ending that may be the start of a placeholder."""

    def __init__(self, mask: Mask, *, json_string: bool = False) -> None:
        self._mask, self._json_string = mask, json_string
        self._held = self._before = ""

    def feed(self, chunk: str) -> str:
        """What may go on to the caller now."""
        if self._mask.empty or not chunk:
            return chunk
        text = self._held + chunk
        keep = _partial_start(self._mask.kinds, self._before, text)
        self._held = text[keep:]
        return self._release(text[:keep])

    def close(self) -> str:
        """What was still held back."""
        held, self._held = self._held, ""
        return self._release(held)

    def _release(self, text: str) -> str:
        if not text:
            return ""
        # The characters before stay in sight, so that `X` + `NAME_1` is no placeholder, as in the whole text.
        seen = self._before + text
        restored = self._mask.restore_from(seen, len(self._before), json_string=self._json_string)
        self._before = seen[-2:]
        return restored


@lru_cache(maxsize=64)
def _pattern(kinds: tuple[str, ...]) -> re.Pattern[str]:
    kind = "|".join(name.replace("_", r"(?:\\{0,2}_|[ ])") for name in kinds)
    bracketed = "|".join(
        rf"{re.escape(opener)}\s?({kind}){_either(_JOINTS)}([0-9]{{1,6}})\s?{re.escape(closer)}"
        for opener, closer in _BRACKETS
    )
    bare = rf"{_FREE}({kind})\\{{0,2}}_([0-9]{{1,6}})(?![A-Za-z0-9_])"
    return re.compile(f"{bracketed}|{bare}", re.IGNORECASE | re.ASCII)


_begins = re.compile(_FREE).match


def _either(words: Sequence[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in words) + ")"


def _partial_start(kinds: tuple[str, ...], before: str, text: str) -> int:
    """Where an ending begins that more characters could make a placeholder; the text's length if none does."""
    seen = before + text
    for at in range(max(0, len(text) - _LONGEST), len(text)):
        char = text[at]
        word = char.isalpha() and _begins(seen, len(before) + at) is not None
        if (char in "<&\\＜〈‹" or word) and _may_grow(kinds, text[at:]):
            return at
    return len(text)


def _may_grow(kinds: tuple[str, ...], tail: str) -> bool:
    if any(opener.startswith(tail.lower()) for opener in _OPENERS):
        return True
    opener = next((opener for opener in _OPENERS if tail.lower().startswith(opener)), "")
    rest = tail[len(opener) :]
    if opener and rest[:1].isspace():
        rest = rest[1:]
    plain = rest.replace("\\", "").upper().replace(" ", "_").replace("-", "_")
    for kind in kinds:
        if f"{kind}_".startswith(plain):
            return True
        digits = re.match(rf"{kind}_([0-9]{{1,6}})", plain)
        if digits is None:
            continue
        ending = plain[digits.end() :]
        if not ending or (opener and ending.isspace()):
            return True
        closer = dict(_BRACKETS).get(opener, "").replace("\\", "")
        rest_of_it = ending.lstrip("_ \t\n").lower()
        if opener and closer.startswith(rest_of_it) and closer != rest_of_it:
            return True
    return False
