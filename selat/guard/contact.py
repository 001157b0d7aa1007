"""Reads e-mail addresses, also those written so that machines should not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding

TRIGGERS = (
    r"[A-Za-z0-9_%+\-] ?@ ?[A-Za-z0-9]",
    r"(?i)[\[({<] ?(?:at|di|alias|@) ?[\])}>]",
    r"(?i)[a-z0-9][ \[({]{1,2}(?:dot|titik)[ \])}]{1,2}[a-z]",
)

_LOCAL = re.compile(r"[A-Za-z0-9._%+\-']{1,64}\Z")
_AT = re.compile(r" ?(?:[\[({<] ?(?:at|di|alias|@) ?[\])}>]|@| (?:at|alias) (?=\S)) ?", re.I)
_DOT = r"(?:\.| ?[\[({<] ?(?:dot|titik|\.) ?[\])}>] ?| (?:dot|titik) | \. ?(?=[a-z]{2,3}\b))"
_DOMAIN = re.compile(rf"(?:[A-Za-z0-9\-]{{1,63}}{_DOT}){{1,4}}[A-Za-z]{{2,18}}(?![A-Za-z0-9@])", re.I)
_LOCAL_SPELLED = re.compile(rf"[A-Za-z0-9_%+\-]{{1,40}}(?:{_DOT}[A-Za-z0-9_%+\-]{{1,40}}){{0,3}}\Z", re.I)
_NOBODY = re.compile(r"(?:git|no-?reply|do-?not-?reply|mailer-daemon|postmaster)\Z", re.I)
_FILES = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|js|css)\Z", re.I)


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        near = 4 if "@" in text[max(0, end - 3) : end] else 60  # a spelled dot stands behind its at
        for at in _AT.finditer(text, max(done, end - near), min(len(text), end + 1)):
            finding = _address(text, done, at)
            if finding:
                done = finding.end
                yield finding
                break


def _address(text: str, floor: int, at: re.Match[str]) -> Finding | None:
    domain = _DOMAIN.match(text, at.end(), at.end() + 160)
    if domain is None:
        return None
    spelled = at[0] != "@"
    local = (_LOCAL_SPELLED if spelled else _LOCAL).search(text, max(floor, at.start() - 64), at.start())
    if local is None:
        return None
    start = local.start() + len(local[0]) - len(local[0].lstrip(".'-"))
    if start and text[start - 1] == "\\" and text[start] in "ntr":  # the tail of an escape in JSON
        start += 1
    if text.startswith("://", start - 3) and start > 2:  # an account and its host in an address of a server
        return None
    if start >= at.start() or _NOBODY.match(text[start : at.start()]) or _FILES.search(domain[0]):
        return None
    return Finding(start, domain.end(), "EMAIL", 0.8 if spelled else 0.99)
