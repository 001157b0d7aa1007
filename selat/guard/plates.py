"""Reads vehicle plates: letters and digits as JPJ issues them, and only where a vehicle is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard.gazetteer import words

_VEHICLE = (
    r"plate?|kereta|kenderaan|motosikal|motor(?:cycle|bike)?|vehicle|lori|lorry|taxi|teksi|car|van|bas|road ?tax"
    r"|myvi|axia|bezza|alza|saga|persona|proton|perodua|honda|toyota|nissan|yamaha|hilux|vios|waja|wira|viva|kancil"
    r"|bmw|mercedes|mazda|hyundai|kia|mitsubishi|ford|parking|parkir|jpj|saman|jpn_?plat|reg(?:istration)? no|superbike"
    r"|ativa|aruz|x50|x70|iriz|exora|city|civic|almera|ranger|isuzu|suzuki|kawasaki|modenas|wheels?"
)
TRIGGERS = (
    rf"(?i)(?:^|[^a-z])(?:{_VEHICLE}|no\.? pendaftaran)(?:[^a-z]|$)",
    "(?:车牌|車牌|车号|车子|轿车|汽车|摩托|罗里|வாகன|வண்டி|லாரி|கார் எண்|பதிவு எண்|மோட்டார்)",
)

_PLATE = re.compile(
    r"(?<![A-Za-z0-9])(?P<head>[A-Za-z]{1,3}|(?i:PUTRAJAYA|PATRIOT|MALAYSIA|PERDANA|SATRIA|WAJA|PERFECT|PRIME|LOTUS|RIMAU|SUKOM|NAAM|NBOS|ASEAN"
    r"|UNIMAS|UITM|1M4U|G1M|K1M|T1M|V1M)) ?(?P<digits>[1-9]\d{0,3})(?: ?(?P<tail>[A-Za-z]))?(?![A-Za-z0-9]|[-./:]\d)"
)
_LABEL = re.compile(
    r"(?:plate?|no\.? ?pendaftaran|pendaftaran kenderaan|reg(?:istration)?\.? (?:no|number)|roadtax(?: for)?|road tax"
    r"|车牌(?:号码|号)?|車牌|车号|(?:வாகன|வண்டி|லாரி)(?: பதிவு)? எண்|பதிவு எண்|கார் எண்|berdaftar)",
    re.I,
)
_NOT_HEADS = words(
    """
    RM USD SGD MYR KM CM MM KG CC HP MPH KMH KPH AM PM NO BIL LOT UNIT BLOK TEL FAX ACT SS PJU PJS USJ BMW
    KIA GTI GT GTR GLC GLA CRV HRV BRV XC EX LC RON ISO MH AK OD FY SQ GA D7 TR QZ RAV CX EV LED HDD SUV MPV
    AND THE FOR DAN DI KE IS AT IN ON TO BY MY NEW HAS PER FOR GOT ALL TWO ONE SIX TEN DAY JAN FEB MAR APR
    MEI MAY JUN JUL OGO AUG SEP OKT OCT NOV DIS DEC JAM PKL SEK SMK SK TH YR HB ENV USB MB GB TB KB VOL BAB
    BAS VAN CAR SEC MIN HR HRS EU UN NAK ADA DAH YG BUY WE MRT LRT ETS KTM TGB SEJ MAX TOP ERA OR OF AS AN
    IT IF SO UP ABOUT PUKUL LAGI A4
    """
)
_PREFIX = re.compile(
    r"(?:[ABCDFJKMNPRTVW][A-HJ-NP-Y]{0,2}|Q[A-Z]{1,2}|S[A-Z]{1,2}|KV|EV|L[A-Z]{0,2}|H[A-Z]{1,2}|Z[A-Z]{0,2})\Z"
)
_AHEAD, _BACK = 48, 26


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = 0
    for end in ends:
        for match in _PLATE.finditer(text, max(done, end - _BACK), min(len(text), end + _AHEAD)):
            label = _LABEL.search(text, max(0, match.start() - 32), match.start())
            if match.start() >= done and _is_plate(match, label is not None):
                done = match.end()
                yield Finding(match.start(), _end(match), "PLATE", 0.9 if label else 0.7)
                break


def _end(match: re.Match[str]) -> int:
    """Without a lone letter that is only the next word: `WXY 1234 a`."""
    tail = match["tail"]
    return match.end("digits") if tail and tail.islower() and match["head"].isupper() else match.end()


def _is_plate(match: re.Match[str], labelled: bool) -> bool:
    head, digits = match["head"], match["digits"]
    if head.upper() in _NOT_HEADS or (len(head) < 4 and not _PREFIX.match(head.upper())):
        return False
    if labelled:
        if len(head) > 3:  # a series of its own, such as those sold for a cause
            return True
        return head.isupper() or (len(digits) >= 2 and head.islower())
    return head.isupper() and len(head) < 4 and len(head) + len(digits) >= 4 and len(digits) >= 2
