"""Reads postal addresses: parts that belong together, such as a number and a street, a street and a postcode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from selat.core.finding import Finding
from selat.guard.gazetteer import words
from selat.guard.postcodes import STATES, TOWNS, agrees, state_of
from selat.guard.spellings import written

_STREET = r"jalan|jln|jl|lorong|lrg|lebuhraya|lebuh|persiaran|psrn|pesiaran|lingkaran|solok|leboh|lintang|laluan|hala|halaman|cangkat|changkat|gat"
_AREA = (
    r"taman|tmn|tman|kampung|kampong|kg|bandar|bdr|seksyen|section|desa|pangsapuri|apartmen|apartment|apt|kondominium|kondo|condo(?:minium)?"
    r"|flat|rumah pangsa|felda|felcra|ppr|residensi|residence|residency|villa|vista|ladang|perumahan|pinggir|puncak|mukim|batu|parit|sungai"
    r"|sg|teluk|usj|pju|pjs|ss|kuarters|kem|rpr|rkt|menara|wisma|plaza|kompleks|precint|presint|bukit|pusat bandar|pekan|medan|dataran|pusat"
    r"|rumah panjang|kawasan perindustrian|sri|seri|garden|subang|damansara|sunway"
)
TRIGGERS = (
    rf"(?i)\b(?:{_STREET})\.? [a-z0-9]",
    r"(?i)\b(?:no|lot|unit|blok|block|blk|pt)\.? ?:? ?[a-z]{0,2}-?[0-9][0-9a-z/\-]{0,12},? {0,2}\n?[a-z]",
    r"[^0-9][0-9]{5}[, \n]{1,2}[A-Za-z]",
)

_NUM = r"\d{1,5}[A-Za-z]?(?:[-/.]\d{1,4}[A-Za-z]?){0,3}"
_UNIT = re.compile(
    rf"(?:(?:rumah )?(?:no|nombor|number)\.? ?[:#]? ?(?:[A-Za-z]{{1,2}}-)?{_NUM}"
    rf"|(?:lot|unit|blok|block|blk|tingkat|aras|level|lvl|pt|suite?|plot|tower|batu|km|pintu)\.? ?[:#]? ?"
    rf"(?:[A-Za-z]{{1,3}}-?)?(?:{_NUM})?(?<! )|[A-Za-z]{{1,2}}-\d[\dA-Za-z]*(?:[-/]\d{{1,4}}[A-Za-z]?){{0,2}}|(?:#)?{_NUM}"
    r"|(?:ground|first|second|third|\d(?:st|nd|rd|th)) floor|blo(?:k|ck) [A-Za-z](?=[ ,]))(?![A-Za-z\d])",
    re.I,
)
_NAMED = re.compile(rf"(?:(?P<street>{_STREET})|(?P<area>{_AREA}))\b\.? ?", re.I)
_TOKEN = re.compile(
    r"(?:[A-Za-z][\w'./()&-]*|\d{1,4}[A-Za-z]?(?:[/.-]\d{1,4}[A-Za-z]?){0,3}(?!\d))(?=[ ,;.\n]|$|[^\w])"
)
_POST = re.compile(r"(?:poskod:? ?)?(?P<code>\d{5})(?!\d)", re.I)
_GAP = re.compile(r"(?: ?[,;] ?\n?|,? ?\n ?| - | )")
_START = re.compile(
    rf"(?<![A-Za-z0-9/-])(?:(?:rumah )?(?:no|nombor|number|lot|unit|blok|block|blk|pt|tingkat|aras|level|suite?)\.? ?[:#]? ?[A-Za-z]{{0,2}}-?\d"
    rf"|blo(?:k|ck) [a-z]|(?:[A-Za-z]{{1,2}}-)?{_NUM},? (?=[A-Za-z])|(?:{_STREET}|{_AREA})\b\.? ?[A-Za-z0-9])",
    re.I,
)
# What an address can begin with, by the first word alone: most words of a sentence are then passed by at once.
_HEAD = re.compile(r"(?<![A-Za-z0-9/-])(?:[A-Za-z]{0,2}-?\d|[A-Za-z]+)")
_LETTERS = re.compile(r"[A-Za-z]+")
_NAMED_HEADS = frozenset(word.split()[0] for word in written(f"{_STREET}|{_AREA}"))
_UNIT_HEADS = tuple(
    written(
        "rumah|nombor|number|lot|unit|blok|block|blk|tingkat|aras|level|lvl|suit|plot|tower|batu|pintu|ground|first|second|third"
    )
)
_HEADS = _NAMED_HEADS | {"no", "pt", "suite", *_UNIT_HEADS}
_END_WORDS = words(
    """
    yang dan dari di ke untuk dengan pada oleh ini itu akan telah sudah belum tidak ada adalah ialah dekat ya ye yer sila mohon
    pos hantar tq thanks the and or is are was at to for from with by can cannot fix have has had lah la lor ah wor ok
    kena jadi sebab kerana lepas nanti esok tadi sesak ditutup close open near opposite depan belakang sebelah tel hp no
    nama ic kp telefon phone email emel poskod alamat saya aku i we he she they but ni tu kat
    milik bersama semalam pagi petang malam hari ketika apabila berhampiran bernilai
    """
)
# What is said before someone's home, and before the house of a body. Tables: expressions cost ten times as much here.
_HOME = tuple(
    sorted(
        written(
            "alamat|address|tinggal|duduk|menetap|stay|live|living|resid|rumah|hantar|poskan|pos ke|ship|deliver|courier|send"
            "|kediaman|住|地址|寄|முகவரி|penghuni|house|home|umah|收"
        )
    )
)
_BODY = tuple(
    written(
        "hospital|universiti|university|kementerian|jabatan|pejabat|bank|sdn|bhd|berhad|perbadanan|majlis|suruhanjaya|lembaga"
        "|hotel|masjid|sekolah|klinik|balai|mahkamah|stesen|kompleks|pusat|cawangan|branch|headquarters|hq|office|kaunter"
        "|muzium|stadium|mall|restoran"
    )
)
_BEHIND = 72
_FOLLOWING = re.compile(r" (\d{1,3}[A-Za-z]?(?:/\d{1,4}[A-Za-z]?)*)(?=[ ,\n.]|$)")
_BUILDING = re.compile(r"[A-Z][\w'-]*(?: [A-Z0-9][\w'-]*){0,3}(?=,| ?\n|,? \d{5})")
_PLACE_HEADS = frozenset(head[0] for place in (*TOWNS, *STATES) if (head := _LETTERS.match(place)))
_PLACE_WORD = re.compile(r"[A-Za-z.'][\w.'-]*(?= |,|\.|\n|$|[^\w ])")
_DIGIT = re.compile(r"\d")
_BLOCK = re.compile(r"blo(?:k|ck) [a-z]", re.I)


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    done = tried = 0  # each place is tried once, however many triggers stand behind it
    chains: list[tuple[int, int, str]] = []
    for end in ends:
        if end <= done:
            continue
        chains = [chain for chain in chains if chain[0] >= max(done, end - _BEHIND)]
        past = 0
        for head in _HEAD.finditer(text, max(done, tried, end - _BEHIND), end):
            start = head.start()
            if start < past or (head[0].isalpha() and head[0].lower() not in _HEADS):
                continue
            begun = _START.match(text, start, end)
            if begun is None:
                continue
            past = begun.end()
            parts, stop = _chain(text, start)
            tried = start + 1
            if _enough(text, start, parts):
                chains.append((start, stop, parts))
        for first, stop, parts in chains:
            if stop >= end - 1 and first >= done:
                done = stop
                yield Finding(first, stop, "ADDRESS", 0.9 if "P" in parts else 0.75)
                break


def _chain(text: str, start: int) -> tuple[str, int]:
    """The parts that follow one another from `start`: Unit, Street, Area, Postcode, Town, other words (w)."""
    parts, at, stop = "", start, start
    while len(parts) < 12:
        kind, end = _part(text, at, parts)
        if not kind:
            break
        parts += kind
        if kind != "w":  # words that nothing comes after are not the address's
            stop = end
        gap = _GAP.match(text, end)
        if gap is None:
            break
        at = gap.end()
    return parts, stop


def _part(text: str, at: int, before: str) -> tuple[str, int]:
    char = text[at : at + 1]
    if char.isdigit() or char in "pP":
        post = _POST.match(text, at)
        if post and state_of(post["code"]) and before.strip("w"):
            return _post(text, post)
    head = _LETTERS.match(text, at)
    word = head[0].lower() if head else ""
    if word in _NAMED_HEADS and (named := _NAMED.match(text, at)):
        end = _name_end(text, named.end())
        if end > named.end():
            return ("S" if named["street"] else "A"), end
    if (len(word) < 3 or word.startswith(_UNIT_HEADS)) and (unit := _UNIT.match(text, at)):
        if _DIGIT.search(unit[0]) and before.count("U") < 3 and "P" not in before:
            return "U", unit.end()
        if _BLOCK.match(unit[0]):
            return "U", unit.end()
    if before and word in _PLACE_HEADS and (place := _place(text, at)):
        return "T", place
    return _between(text, at, before)


def _post(text: str, post: re.Match[str]) -> tuple[str, int]:
    gap = _GAP.match(text, post.end())
    if gap is None:
        return "P", post.end()
    place = _place(text, gap.end())
    if place:
        if agrees(post["code"], text[gap.end() : place].lower().rstrip(".")) is False:
            return "", post.start()
        return "PT", place
    return "P", post.end()


def _place(text: str, at: int) -> int:
    """The end of a town or state at `at`, the longest of up to four words; 0 where none stands."""
    near = text[at : at + 48]
    ends = [match.end() for match in islice(_PLACE_WORD.finditer(near), 4)]
    near = near.lower()
    for end in reversed(ends):
        name = near[:end]
        if name in TOWNS or name in STATES:
            return at + end
        if name[-1] == "." and ((plain := name.rstrip(".")) in TOWNS or plain in STATES):
            return at + end - 1
    return 0


def _name_end(text: str, at: int) -> int:
    """The end of a street's or area's name: capitalised words and numbers; in lower case, up to a number."""
    end, lower, count = at, False, 0
    while count < 5:
        token = _TOKEN.match(text, at)
        if token is None:
            break
        word = token[0]
        plain = word.lower().rstrip(".")
        if plain in _END_WORDS or (count and _begins_another(word)):
            break
        lower = lower or word[0].islower()
        if count and word[0].islower() and not lower:
            break
        if (
            count
            and word[0].islower() != (text[end - 1].islower() and lower)
            and not word[0].isdigit()
            and not lower
        ):
            break
        if len(word) == 5 and word.isdigit():
            break
        end = token.end() - (word.endswith(".") and len(word) > 3)
        count += 1
        if end >= len(text) or text[token.end() : token.end() + 1] != " " or word[0].isdigit():
            follow = _FOLLOWING.match(text, end)
            if follow and not word[0].isdigit() and len(follow[1]) < 5:
                end = follow.end()
            break
        at = token.end() + 1
    return end


def _begins_another(word: str) -> bool:
    """Whether the next part of the address begins with this word."""
    letters = _LETTERS.match(word)
    if letters and letters[0].lower() in _NAMED_HEADS and _NAMED.match(word + " "):
        return True
    return _POST.match(word) is not None


def _between(text: str, at: int, before: str) -> tuple[str, int]:
    """The name of a building or quarter with no word to tell it by: after a unit, before a comma."""
    if not before or before[-1] not in "USA" or "P" in before:
        return "", at
    match = _BUILDING.match(text, at)
    if match is None or match[0].lower() in _END_WORDS:
        return "", at
    return "w", match.end()


def _enough(text: str, start: int, parts: str) -> bool:
    kinds = frozenset(parts)
    if "U" in kinds:
        if "P" in kinds:
            return "S" in kinds or "A" in kinds or _home(text, start)
        if "S" in kinds:
            return "T" in kinds or "A" in kinds or not text[start].isdigit() or _home(text, start)
        return "A" in kinds and ("T" in kinds or _home(text, start))
    named = "S" in kinds or "A" in kinds
    if "P" in kinds:
        return named and (_home(text, start) or not _body(text, start))
    whole = ("S" in kinds and ("A" in kinds or "T" in kinds)) or ("A" in kinds and "T" in kinds and len(parts) > 2)
    return whole and _home(text, start)


def _home(text: str, start: int) -> bool:
    """Whether someone's home is spoken of before."""
    before = text[max(0, start - 48) : start].lower()
    return any(map(before.__contains__, _HOME)) or before.endswith(("of ", "of, "))


def _body(text: str, start: int) -> bool:
    """Whether an institution or a company is spoken of before."""
    return any(map(text[max(0, start - 40) : start].lower().__contains__, _BODY))
