"""Reads personal names in Tamil script: after an honorific or `பெயர்`, before `என்பவர்`, or known as names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard.gazetteer import words

_NAMES = (
    "முத்து|முத்துக்குமார்|முத்துசாமி|குமார்|குமரன்|லட்சுமி|லக்ஷ்மி|ராமன்|ராமசாமி|ரமேஷ்|ராஜேஷ்|ராஜன்|ராஜா|சிவா|சிவகுமார்|சிவராமன்|சரவணன்|முருகன்|முருகேசன்|கணேசன்"
    "|கணேஷ்|கவிதா|பிரியா|தேவி|மாலா|மீனா|மீனாட்சி|சரஸ்வதி|பார்வதி|கமலா|விமலா|வசந்தி|சாந்தி|ஜெயந்தி|ராணி|செல்வம்|செல்வி|செல்வராஜ்|சுப்ரமணியம்|சுப்பையா|சுரேஷ்|மகேஷ்"
    "|தினேஷ்|விக்னேஷ்|விஜய்|விஜயா|அருண்|அனந்தன்|ஆறுமுகம்|பழனி|பெருமாள்|கோபால்|கோவிந்தன்|கிருஷ்ணன்|நாராயணன்|வேலு|வேலன்|மணி|மணியம்|மாரிமுத்து|கருப்பையா|தமிழ்ச்செல்வி"
    "|திவ்யா|தீபா|நந்தினி|உமா|ராதா|கீதா|சுமதி|ரேவதி|அம்பிகா|பாலன்|பாலகிருஷ்ணன்|சந்திரன்|இந்திரன்|நாதன்|லோகநாதன்|சுந்தரம்|ரவி|ரவிச்சந்திரன்|அன்வார்|மகாதீர்|அப்துல்லா|அகமது"
)
_NOT_ALONE = words(
    """
    முருகன் ராஜா ராணி மணி தேவி செல்வி மாலா செல்வம் பழனி சாந்தி சிவா லட்சுமி சரஸ்வதி பார்வதி மீனாட்சி
    விநாயகர் கணேஷ் கிருஷ்ணன்
    """
)
_STOPS = words(
    """
    அவர்கள் அவர்களின் அவர்களுக்கு அவர்களை அவர் இன்று நாளை நேற்று என்பவர் என்பவரை எண் மற்றும் என்று ஆகும்
    உங்கள் என் அவரது பெயர் முகவரி தொலைபேசி இல்லை என்ன எழுதவும் குறிப்பிடவும் வேண்டும் உள்ளிடவும் பதிவு
    மருந்து நிறுவனத்தின் நிறுவனம் சொன்னார் கூறினார் வந்தார் தெரிவித்தார் பட்டியல் மாற்றம்
    """
)
_TITLES = "திரு|திருமதி|செல்வி|டாக்டர்|ஸ்ரீமதி|ஆசிரியர்|ஐயா|பேராசிரியர்|டத்தோ|டான் ஸ்ரீ|அண்ணன்|அக்கா|மாமா"
TRIGGERS = (rf"(?:{_TITLES})\.? ", r"பெயர்(?: ?: ?|：|)", "என்பவ", rf"(?:{_NAMES})")

_ROLES = "நோயாளி|மாணவர்|மாணவி|வாடிக்கையாளர்|மனைவி|கணவர்|மகன்|மகள்|தோழி|நண்பர்|தாயார்|தந்தை|சகோதரி|சகோதரர்|மருத்துவர்|அமைச்சர்"
"""Before a word known as a name; it is a person's then, be it a goddess's too."""
_T = "[\u0b80-\u0bff]"
_TITLED = re.compile(rf"(?<!{_T})(?:{_TITLES})\.? ({_T}\.? ?)?({_T}+)(?: ({_T}+))?")
_LABELLED = re.compile(rf"பெயர்\s?[:：]?\s?({_T}+)(?: ({_T}+))?")
_CALLED = re.compile(rf"({_T}+(?: {_T}+)?) என்பவ")
_KNOWN = re.compile(
    rf"(?<!{_T})(?:{_NAMES})(?:வின்|யின்|இன்|னின்|க்கு|வுக்கு|வை|ஐ|உடன்|வுடன்)?(?!{_T})(?: (?:{_NAMES})(?!{_T}))?"
)
_ROLED = re.compile(rf"(?<!{_T})(?:{_ROLES}) ((?:{_NAMES})(?!{_T}))")
_NAME = re.compile(_NAMES)
_AFTER = re.compile(r" (?:கோவில்|ஆலய|சாலை|தெரு|பள்ளி|நிறுவன|மருத்துவமனை|பல்கலை|தோட்ட)")


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        if end <= done:
            continue
        span = _span(text, max(done, end - 48), end)
        if span and not _AFTER.match(text, span[1]):
            done = max(span[1], end)
            yield Finding(*span, "NAME", 0.8)


def _span(text: str, floor: int, end: int) -> tuple[int, int] | None:
    ceiling = min(len(text), end + 64)
    for pattern in (_TITLED, _LABELLED):
        for match in pattern.finditer(text, floor, ceiling):
            first, second = match.re.groups - 1, match.re.groups
            if match.start() <= end <= match.end() and match[first] not in _STOPS:
                more = match[second] and _NAME.match(match[second])
                return match.start(first), match.end(second if more else first)
    for match in _ROLED.finditer(text, floor, ceiling):
        if match.start(1) < end <= match.end():
            return match.span(1)
    for match in _CALLED.finditer(text, floor, ceiling):
        if match.end() >= end:
            words = match[1].split()
            start = match.start(1) if len(words) == 1 or _NAME.match(words[0]) else match.end(1) - len(words[1])
            return start, match.end(1)
    for match in _KNOWN.finditer(text, max(0, floor), ceiling):
        if match.start() < end <= match.end() and match[0] not in _NOT_ALONE:
            return match.span()
    return None
