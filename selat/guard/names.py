"""Reads personal names in the Latin script, by the patterns in which Malaysians write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard import gazetteer as gaz
from selat.guard.name_patterns import (
    ASSERTS,
    GIVEN,
    INTRODUCES,
    LEADERS,
    LINKS,
    LOWER,
    LOWER_TITLED,
    NAME,
    NEVER_LOWER,
    NOT_LOWER,
    PART,
    SERI,
    TITLE_SET,
    TITLE_WORDS,
    TITLED,
    UNSURE,
)


def find_linked(text: str, ends: list[int]) -> Iterator[Finding]:
    """`X bin Y`, `X a/p Y`, `X anak Y`."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        start = _back(text, max(done, text.rfind(" ", 0, end - 1) + 1), done, freely=True)
        match = NAME.match(text, start) if start is not None else None
        words = match[0].split() if match and match.end() >= end else []
        where = next((k for k, word in enumerate(words) if word in LINKS), 0)
        if match and where and _is_linked(words, where):
            finding = _trimmed(text, match, 0.95)
            if finding:
                done = finding.end
                yield finding
                continue
        finding = _lower_linked(text, end, done)
        if finding:
            done = finding.end
            yield finding


def _is_linked(words: list[str], where: int) -> bool:
    link, before, after = words[where].lower().strip("."), words[where - 1].lower(), words[where + 1].lower()
    if link == "anak":
        return (
            before not in gaz.STOPS
            and after not in gaz.STOPS
            and after not in ("yatim", "bulan", "syarikat", "sungai")
        )
    if link in ("bt", "b", "bte"):
        return before.strip(".") in gaz.KNOWN
    return before.strip(".") not in gaz.STOPS or words[0].isupper()


_LOWER_LINKED = re.compile(
    r"(?<![A-Za-z])(?:[a-z][a-z'-]+ ){1,4}(?:bin(?:ti)?|bte?|a/l|a/p|s/o|d/o) [a-z][a-z'-]+(?: [a-z][a-z'-]+){0,2}"
)


def _lower_linked(text: str, end: int, done: int) -> Finding | None:
    """`siti nurhaliza binti ahmad`: all in lower case, so only words known as names are taken."""
    match = _LOWER_LINKED.search(text, max(done, end - 48), min(len(text), end + 48))
    if match is None or match.end() < end:
        return None
    words = [(part[0], match.start() + part.start()) for part in PART.finditer(match[0])]
    link = next(k for k, (word, _) in enumerate(words) if word in LINKS)
    first = link
    while first and words[first - 1][0] in gaz.KNOWN:
        first -= 1
    last = link
    while last + 1 < len(words) and words[last + 1][0] in gaz.KNOWN:
        last += 1
    if first == link or last == link:
        return None
    return Finding(words[first][1], words[last][1] + len(words[last][0]), "NAME", 0.85)


def find_titled(text: str, ends: list[int]) -> Iterator[Finding]:
    """`Puan Rohani`, `Dato' Sri Ahmad Faizal`, `kak yati`: the title is left out of the name."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        start = end - 1
        title, at = _title_before(text, start)
        if not title or TITLED.match(text, start):  # where more titles follow, the name is theirs
            continue
        match = NAME.match(text, start)
        if match:
            sure = not UNSURE.fullmatch(title)
            word = match[0].split()[0].lower().strip(".")
            if word in gaz.STOPS and not (sure and word in gaz.SURNAMES):
                continue
            if not sure and word not in gaz.KNOWN and not _chinese(match[0].split()):
                continue
            finding = _trimmed(text, match, 0.9)
        else:
            lower = LOWER.match(text, start)
            if lower is None or lower[0].split()[0] not in LOWER_TITLED:
                continue
            finding = _lower_name(lower, titled=True)
        if finding and not _placed(text, at):
            done = finding.end
            yield finding


def _title_before(text: str, start: int) -> tuple[str, int]:
    """The title of one or two words that ends right before `start`, and where it begins."""
    before = text[max(0, start - 26) : start].rstrip(" ,.")
    parts = before.replace("\n", " ").rsplit(" ", 2)
    for size in (2, 1):
        words = [part.lstrip("\"'([{<*_>").lower() for part in parts[-size:]]
        title = " ".join(words).replace(".", "")
        if len(words) == size and title in TITLE_SET:
            return title, max(0, start - 26) + len(before) - len(" ".join(parts[-size:]))
    return "", start


def find_labelled(text: str, ends: list[int]) -> Iterator[Finding]:
    """`Nama: Siti`, `my name is Jeremy Foo`, `Yang benar,` and the signature, `"full_name": "…"`."""
    done = 0
    for end in ends:
        start = end - 1
        if start < done:
            continue
        match = NAME.match(text, start)
        introduces = INTRODUCES.search(text, max(0, start - 12), start) is not None
        asserts = ASSERTS.search(text, max(0, start - 28), start) is not None
        if match:
            words = match[0].split()
            plain = [word.lower().strip(".") for word in words]
            if plain[0] in gaz.STOPS and plain[0] not in gaz.SURNAMES:
                continue
            signed = "\n" in text[max(0, start - 3) : start] and len(words) > 1
            if not (asserts or words[-1] in LINKS) and not _likely(plain, signed, introduces):
                continue
            finding = _trimmed(text, match, 0.85)
        elif asserts and (lower := LOWER.match(text, start)) and lower[0].split()[0] not in NOT_LOWER:
            finding = _lower_name(lower, titled=False)
        elif (lower := LOWER.match(text, start)) and lower[0].split()[0] in gaz.LOCAL:
            finding = _lower_name(lower, titled=True)
        else:
            continue
        if finding and not _placed(text, finding.start):
            done = finding.end
            yield finding


def _likely(words: list[str], signed: bool, introduces: bool) -> bool:
    """After a word like `kepada` that also stands before other things."""
    if any(word in gaz.STRONG for word in words) or _chinese(words):
        return True
    known = sum(word in gaz.KNOWN for word in words)
    return (known >= 1 and (introduces or len(words) >= 2)) or (
        signed and not any(word in gaz.STOPS for word in words)
    )


def _lower_name(match: re.Match[str], *, titled: bool) -> Finding | None:
    """As many words as are known to be names; after `nama saya` the first word is one, whatever it is."""
    stop = 0
    for k, part in enumerate(PART.finditer(match[0])):
        word = part[0]
        linked = word in LINKS
        if not linked and word in NEVER_LOWER and word not in gaz.SURNAMES:
            break
        if (
            linked
            or word in gaz.KNOWN
            or (k == 0 and not titled)
            or (k and word in gaz.SYLLABLES and len(word) > 2)
        ):
            stop = part.end()
        else:
            break
    return Finding(match.start(), match.start() + stop, "NAME", 0.7) if stop else None


def find_listed(text: str, ends: list[int]) -> Iterator[Finding]:
    """Names known as such, and Chinese names by surname and syllables, wherever they stand."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        seed = _word_start(text, end)
        if seed is None:
            continue
        start = _back(text, seed, done)
        if start is None:
            continue
        match = NAME.match(text, start)
        if match is None:
            finding = _lower_listed(text, seed)
        elif _judge(match[0].split()):
            finding = _trimmed(text, match, 0.75)
        else:
            continue
        if finding and match and not _judge(text[finding.start : finding.end].split()):
            continue  # what made it a name was cut off
        if finding:
            done = finding.end
            yield finding


def _word_start(text: str, end: int) -> int | None:
    """Where the word of a literal that ended at `end` begins; None in the middle of a longer word."""
    last = text[end - 1]
    if last in " -" or (last.islower() and end > 1 and text[end - 2] == " "):
        stop = text.rfind(last, 0, end) if last in " -" else end - 2
    elif end < len(text) and text[end].isascii() and text[end].isalpha():
        return None
    else:
        stop = end
    start = stop
    while start and text[start - 1].isascii() and text[start - 1].isalpha():
        start -= 1
    return start


def _judge(words: list[str]) -> bool:
    plain = [word.lower().strip(".") for word in words]
    if plain[0] in LEADERS and len(plain) > 1 and plain[1] not in gaz.STOPS:
        return plain[1] in gaz.MALAY_ANY or (len(plain) > 2 and plain[0] in ("nur", "nor", "noor", "siti"))
    return any(word in gaz.STRONG for word in plain[:3]) or _chinese(plain)


def _lower_listed(text: str, seed: int) -> Finding | None:
    """Two or more words in lower case, all names: `ahmad faizal`."""
    lower = LOWER.match(text, seed)
    if lower is None:
        return None
    words = lower[0].split()
    if len(words) < 2 or words[0] not in gaz.STRONG:
        return None
    if words[1] not in gaz.LOCAL and not (words[1] in gaz.MALAY_ANY and set(words[2:3]) & gaz.LOCAL):
        return None
    if _placed(text, seed):
        return None
    return _lower_name(lower, titled=True)


def _chinese(words: list[str]) -> bool:
    """Surname and two syllables; an English name and a surname; `Ah Beng`, `Siew Ling`."""
    parts = [part for word in words for part in word.lower().strip(".").split("-")]
    for k in range(len(parts) - 1):
        first, second = parts[k], parts[k + 1]
        third = parts[k + 2] if k + 2 < len(parts) else ""
        if first in gaz.SURNAMES and second in gaz.SYLLABLES and (third in gaz.SYLLABLES or second in GIVEN):
            return True
        if first in gaz.ENGLISH_ANY and second in gaz.SURNAMES | gaz.FAMILY:
            return True
        if first in GIVEN and second in gaz.SYLLABLES and len(second) > 1 and (len(parts) == 2 or first == "ah"):
            return True
    return False


_OPENER = re.compile(r".*[\"'(\[{<*_:,;|>=\t\n](?=[A-Za-z])", re.S)
"""Up to the last sign within a token that a name can follow: `{"nama":"Jeffri`."""


def _back(text: str, seed: int, floor: int, *, freely: bool = False) -> int | None:
    """Where a name that holds the word at `seed` begins; `freely` takes any capitalised words before it."""
    start = seed
    for _ in range(4):
        if start - 2 < floor or text[start - 1] != " ":
            break
        stop = start - 1
        while freely and stop > max(floor, start - 3) and text[stop - 1] == " ":
            stop -= 1  # forms read by machine have wide spaces
        at = text.rfind(" ", floor, stop) + 1 or floor
        token = text[at:stop]
        if not token.isalpha() and (opener := _OPENER.search(token)):
            at += opener.end()
        word = text[at:stop]
        plain = word.lower().strip(".")
        if not word[:1].isupper() and word not in LINKS:
            break
        if plain in TITLE_WORDS or (plain in ("sri", "seri") and SERI.search(text, max(0, at - 8), at)):
            break
        if plain in gaz.STOPS and plain not in gaz.SURNAMES:
            break
        known = plain in gaz.KNOWN or word in LINKS or re.fullmatch(r"[A-Z]\.?", word)
        opening = at == 0 or text[at - 1] == "\n" or text[max(0, at - 2)] in ".!?:"
        if not (known or freely or not opening) or not re.fullmatch(r"[A-Za-z.'/-]+", word):
            break
        start = at
    return start


def _trimmed(text: str, match: re.Match[str], confidence: float) -> Finding | None:
    """The name without words that are none at its end, or nothing if it names a place or a body."""
    stop, unknown, kept = match.start(), 0, 0
    words = list(PART.finditer(match[0]))
    leading = 0
    while leading < len(words) - 1 and _is_title(words[leading][0], text, match.start() + words[leading].start()):
        leading += 1
    for k, part in enumerate(words[leading:]):
        plain = part[0].lower().strip(".")
        linked = part[0] in LINKS
        chinese = plain in gaz.SYLLABLES
        if plain in gaz.STOPS and not chinese and (k or plain not in gaz.SURNAMES):
            break
        if k and plain in gaz.BODY_WORDS:
            return None
        known = chinese or linked or plain in gaz.KNOWN
        unknown = 0 if known else unknown + 1
        if unknown > 2:
            break
        stop = match.start() + part.end()
        kept += 1
    start = match.start() + words[leading].start()
    name = text[start:stop]
    if name and name.rsplit(" ", 1)[-1] in LINKS:
        stop = start + len(name.rsplit(" ", 1)[0].rstrip(" "))
    if not kept or stop - start < 2 or _placed(text, start) or _embodied(text, stop):
        return None
    return Finding(start, stop - (text[stop - 1] in ".'" and stop - start > 3), "NAME", confidence)


def _is_title(word: str, text: str, at: int) -> bool:
    plain = word.lower().strip(".")
    if plain in ("sri", "seri"):
        return SERI.search(text, max(0, at - 8), at) is not None
    return plain in TITLE_WORDS or plain == "madya"


def _placed(text: str, start: int) -> bool:
    """Whether the words before make it the name of a street, a mosque, a school.

    Words are walked one by one: an expression of all places costs ten times as much at each name.
    """
    for word in text[max(0, start - 56) : start].split(" ")[-2:-7:-1]:
        if word.rstrip(".").lower() in gaz.PLACE_WORDS:
            return True
        if not word[:1].isupper() or word[-1:] in ",;:!?)":
            return False
    return False


_LETTERS = re.compile(r"[A-Za-z]+")


def _embodied(text: str, stop: int) -> bool:
    """Whether the words after make it the name of a company, a road, an institution."""
    after = text[stop : stop + 48]
    if after[:2] == "'s":
        after = after[2:]
    if after[:1] != " ":
        return False
    for word in after.split(" ")[1:4]:
        letters = _LETTERS.match(word)
        if letters and letters[0].lower() in gaz.BODY_WORDS:
            return True
        if not (word[:1].isupper() or word in ("&", "and")) or word[-1:] in ",;:.!?":
            return False
    return False
