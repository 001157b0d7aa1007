"""Reads keys, tokens, private keys and passwords: by their issuer's prefix, or by the word before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding

_PHRASE = r"pass(?:word|wd|phrase)|pwd|pass (?:dia|tu|ni|wifi|aku|saya)|kata ?laluan(?:nya)?|p/w|api[_\- ]?(?:key|token|secret)|secret[_\- ]?(?:access[_\- ]?)?key|kunci api"
_WORD = (
    rf"{_PHRASE}|pw|pass(?:code)?|access[_\- ]?key|secret|client[_\- ]?secret|auth[_\- ]?token|access[_\- ]?token"
    r"|refresh[_\- ]?token|token|otp|tac|pin(?: number| kad)?|kod pin|no\.? pin(?: kad)?|passcode"
    r"|(?:verification|security|one[\- ]time) (?:code|pin)|kod (?:pengesahan|keselamatan|tac|otp)"
)
TRIGGERS = (
    r"(?:sk|pk|rk)[\-_][A-Za-z0-9_\-]{16}",
    r"gh[pousr]_[A-Za-z0-9]{20}",
    r"github_pat_[A-Za-z0-9_]{20}",
    r"glpat-[A-Za-z0-9_\-]{16}",
    r"xox[abeprs]-[A-Za-z0-9\-]{10}",
    r"A(?:KI|SI)A[0-9A-Z]{16}",
    r"AIza[0-9A-Za-z_\-]{30}",
    r"ya29\.[0-9A-Za-z_\-]{16}",
    r"hf_[A-Za-z0-9]{24}",
    r"(?:npm_|pypi-|dop_v1_|shpat_|sqp_|lin_api_|r8_)[A-Za-z0-9_\-]{16}",
    r"SG\.[A-Za-z0-9_\-]{16,24}\.",
    r"-----BEGIN [A-Z ]{0,24}PRIVATE KEY-----",
    r"eyJ[A-Za-z0-9_\-]{8,300}\.eyJ",
    r"(?i)(?:bearer|basic) [a-z0-9._\-]{16}",
    r"://[^\s/:@]{0,64}:[^\s/@]{3,64}@",
    rf"(?i)(?:^|[^a-z])(?:{_WORD})[\"'`]?(?: [a-z]{{1,12}}){{0,2}}"
    r" ?(?:[:=]|=>| is | ialah | adalah | tu | ni |\xef\xbc\x9a)",
    rf"(?i)(?:^|[^a-z])(?:{_PHRASE})[ ,:=\"'_]",
    "(?:密码|密碼|口令|验证码|驗證碼|கடவுச்சொல்)",
    r"(?i)(?:^|[^a-z])(?:log ?in|credentials?|creds) ?[:=]",
    r"(?i)(?:^|[^a-z])(?:otp|tac)(?: code| kod)? [0-9]{5}",
    r"(?i)[0-9]{4} (?:is your|ialah|adalah) (?:[a-z]{1,12} ){0,2}(?:otp|tac|verification|password)",
)

_ISSUED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk)[-_][A-Za-z0-9_\-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_\-]{16,}|xox[abeprs]-[A-Za-z0-9\-]{10,}|A(?:KI|SI)A[0-9A-Z]{16}|AIza[0-9A-Za-z_\-]{30,}"
    r"|ya29\.[0-9A-Za-z_\-]{16,}|hf_[A-Za-z0-9]{24,}|(?:npm_|pypi-|dop_v1_|shpat_|sqp_|lin_api_|r8_)[A-Za-z0-9_\-]{16,}"
    r"|SG\.[A-Za-z0-9_\-]{16,24}\.[A-Za-z0-9_\-]{20,}|eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?)"
)
_HEAD = re.compile(
    r"(?<![A-Za-z0-9])(?:[spr]k[-_]|gh[pousr]_|github_pat_|glpat-|xox|AKI|ASI|AIza|ya29|hf_|npm_|pypi-|dop_v1_|shpat_|sqp_|lin_api_|r8_"
    r"|SG\.|eyJ)"
)
_PEM = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(?:.{0,8000}?-----END \1PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)", re.S
)
_BEARER = re.compile(r"(?:bearer|basic) (?=[^\s]*\d)([A-Za-z0-9._\-+/=]{16,})", re.I)
_URL = re.compile(r"://[^\s/:@]{0,64}:([^\s/@]{3,64})@")
_NAMED = re.compile(
    rf"(?<![A-Za-z])(?P<word>{_WORD}|密码|密碼|口令|验证码|驗證碼|கடவுச்சொல்)[\"'`]?"
    r"(?: (?!is\b|ialah|adalah|tu\b|ni\b)[a-z]{1,12}){0,3}?"
    r"\s?(?P<link>[:=：]|=>|is\b|ialah\b|adalah\b|tu\b|ni\b|是|为|(?<=[码碼令்]) )[:=]?\s?(?P<quote>[\"'`]|\\\")?"
    r"(?P<value>[^\s\"'`,;，。]{4,200})",
    re.I,
)
# A word with a digit and a sign or mixed case, in the same sentence as a word for password: `password S3lat!2024`.
_LOOSE = re.compile(
    rf"(?<![A-Za-z])(?i:{_PHRASE})(?![A-Za-z])[^.\n\d]{{0,32}}?[ :=\"'](?P<value>(?=[^\s]*\d)(?=[^\s]*[a-z])(?=[^\s]*(?:[A-Z]|[!@#$%^&*?~+]))"
    r"[A-Za-z0-9!@#$%^&*?~+_.\-]{6,64})",
)
_ONCE = re.compile(
    r"(?<![A-Za-z])(?:otp|tac)(?: code| kod)? (\d{5,8})(?!\d)"
    r"|(?<![\d.,-])(\d{4,8}) (?:is your|ialah|adalah) (?:[a-z]{1,12} ){0,2}(?:otp|tac|verification|password)",
    re.I,
)
"""A word for one use, with nothing but a space or a sentence between it and its number."""
_EMPTY = re.compile(
    r"[<\[{$%*(x.]|(?:your|my|insert|enter|replace)[_-]|(?:null|none|true|false|undefined|required|wajib|your|anda|process\.|os\.|env|example|redacted"
    r"|hidden|changeme|placeholder|string|secret|password|passwd|pwd|pw|token|salah|tidak|perlu|mesti|baru|lama|yang|untuk|the|not)\b",
    re.I,
)


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = tried = 0  # prefixes of issued keys are tried once, however many triggers stand behind them
    for end in ends:
        if end <= done:
            continue
        span = _span(text, (max(done, end - 72), max(done, tried, end - 330)), end)
        tried = end
        if span:
            start, stop, confidence = span
            if confidence and start >= done and stop > start:
                yield Finding(start, stop, "SECRET", confidence)
            done = max(done, stop)


def _span(text: str, floors: tuple[int, int], end: int) -> tuple[int, int, float] | None:
    """Start, end and confidence; confidence 0 for what has been read and is none."""
    near, floor = floors
    pem = text.rfind("-----BEGIN", near, end)
    if pem >= 0 and (match := _PEM.match(text, pem)):
        return match.start(), match.end(), 1.0
    for head in _HEAD.finditer(text, floor, end):
        match = _ISSUED.match(text, head.start(), min(len(text), end + 2000))
        if match and match.end() >= end - 4:
            return match.start(), match.end(), 0.98 if any(char.isdigit() for char in match[0]) else 0.0
    for pattern, confidence in ((_BEARER, 0.95), (_URL, 0.9)):
        if (found := pattern.search(text, near, min(len(text), end + 400))) and found.end() >= end:
            return found.start(1), found.end(1), confidence
    for match in _NAMED.finditer(text, near, min(len(text), end + 120)):
        if match.end() >= end and _is_value(match):
            return match.start("value"), _trim(match), 0.85
    login = _LOGIN.search(text, near, min(len(text), end + 110))
    if login and login.end() >= end:
        return *login.span(1), 0.7
    once = _ONCE.search(text, near, min(len(text), end + 8))
    if once and once.end() >= end:
        return *once.span(once.lastindex or 1), 0.8
    loose = _LOOSE.search(text, near, min(len(text), end + 100))
    if loose and loose.end() >= end:
        return loose.start("value"), _trim(loose), 0.7
    return None


def _trim(match: re.Match[str]) -> int:
    value = match["value"]
    return match.start("value") + len(value.rstrip(".!?)]}\\>"))


_CALL = re.compile(r"[A-Za-z_][\w.]*[(\[]")
"""Code that asks for a password holds none."""
_DIGITS_ONLY = re.compile(r"otp|tac|pin|kod |no|(?:verification|security|one[- ]time) |验证码|驗證碼")
_LOGIN = re.compile(
    r"(?<![A-Za-z])(?:log ?in|credentials?|creds) ?[:=] ?[^\s/]{1,40} ?/ ?(?=\S*\d)(?=\S*[A-Za-z])(\S{6,64})", re.I
)


def _is_value(match: re.Match[str]) -> bool:
    """A word in a sentence is no password: without `:` or `=` it needs a digit or a sign inside."""
    value, link, word = match["value"].rstrip(".!?)]}\\>"), match["link"], match["word"].lower()
    if len(value) < 4 or _EMPTY.match(value) or value.endswith(("…", "..")):
        return False
    if not match["quote"] and _CALL.match(value):
        return False
    mixed = any(char.isdigit() for char in value) or any(char in "!@#$%^&*_+~-" for char in value[1:-1])
    if _DIGITS_ONLY.match(word):
        return value.isdigit() and 4 <= len(value) <= 8
    if word in ("token", "pass", "secret", "passcode") or link not in "=:：":
        return mixed and any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    if match["quote"] or link == "=":
        return len(value) >= 6 or mixed
    return mixed
