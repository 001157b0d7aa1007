"""Reads personal names in the Latin script, by the patterns in which Malaysians write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selat.core.finding import Finding
from selat.guard import gazetteer as gaz
from selat.guard.name_patterns import (
    ASSERTS,
    CODES,
    GIVEN,
    INTRODUCES,
    LEADERS,
    LINKS,
    LOWER,
    LOWER_KNOWN,
    LOWER_TITLED,
    NAME,
    NEVER_LOWER,
    NOT_LOWER,
    PART,
    SERI,
    TITLE_SET,
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
            finding = _trimmed(text, match, _plain(match[0]), 0.95)
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
        if not title or _titled(text, start):  # where more titles follow, the name is theirs
            continue
        match = NAME.match(text, start)
        if match:
            sure = title not in UNSURE and not (title in CODES and _in_passing(text, at, match))
            plain = _plain(match[0])
            if plain[0] in gaz.STOPS and not (sure and plain[0] in gaz.SURNAMES):
                continue
            if not sure and plain[0] not in gaz.KNOWN and not _chinese(plain):
                continue
            finding = _trimmed(text, match, plain, 0.9)
        else:
            lower = LOWER.match(text, start)
            if lower is None or lower[0].split()[0] not in LOWER_TITLED or text[at - 2 : at - 1].isdigit():
                continue
            finding = _lower_name(lower, titled=True)
        if finding and not _placed(text, at):
            done = finding.end
            yield finding


def _in_passing(text: str, at: int, match: re.Match[str]) -> bool:
    """Whether a short title at `at` may be none: the unit in `6 ms`, the end of a sentence, one of a list of codes."""
    word = match[0]
    return text[at].islower() or text[match.start() - 2] == "," or (len(word) < 6 and word.isupper())


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


def _titled(text: str, start: int) -> bool:
    """Whether a title and a space stand at `start`."""
    parts = text[start : start + 24].split(" ", 2)
    for size in range(1, len(parts)):
        if " ".join(parts[:size]).lower().removesuffix(",").removesuffix(".") in TITLE_SET:
            return True
    return False


def find_labelled(text: str, ends: list[int]) -> Iterator[Finding]:
    """`Nama: Siti`, `my name is Jeremy Foo`, `Yang benar,` and the signature, `"full_name": "…"`."""
    done = 0
    for end in ends:
        start = end - 1
        if start < done:
            continue
        match = NAME.match(text, start)
        if match:
            plain = _plain(match[0])
            if plain[0] in gaz.STOPS and plain[0] not in gaz.SURNAMES:
                continue
            if (
                match[0].rsplit(" ", 1)[-1] not in LINKS
                and not _likely(text, start, plain)
                and (_asserted(text, start) or "key") == "key"
            ):
                continue
            finding = _trimmed(text, match, plain, 0.85)
        else:
            lower = LOWER.match(text, start)
            if lower is None:
                continue
            first, how = lower[0].split()[0], _asserted(text, start)
            said = how == "says" and first not in NOT_LOWER
            if not said and first not in (LOWER_KNOWN if how else gaz.LOCAL):
                continue
            finding = _lower_name(lower, titled=not said)
        if finding and not _placed(text, finding.start):
            done = finding.end
            yield finding


def _asserted(text: str, start: int) -> str:
    """How what stands right before says that a name comes: `says`, `field`, `key`, or not at all."""
    match = ASSERTS.search(text, max(0, start - 28), start)
    return (match.lastgroup or "") if match else ""


def _likely(text: str, start: int, words: list[str]) -> bool:
    """After a word like `kepada` that also stands before other things."""
    if not gaz.STRONG.isdisjoint(words) or _chinese(words):
        return True
    if not gaz.KNOWN.isdisjoint(words):
        return len(words) >= 2 or INTRODUCES.search(text, max(0, start - 12), start) is not None
    signed = len(words) > 1 and "\n" in text[max(0, start - 3) : start]
    return signed and gaz.STOPS.isdisjoint(words)


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
        else:
            plain = _plain(match[0])
            finding = _trimmed(text, match, plain, 0.75) if _judge(plain) else None
            if finding and finding[:2] != match.span() and not _judge(_plain(text[finding.start : finding.end])):
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


def _plain(name: str) -> list[str]:
    """The words of a name in lower case, without the points of initials and abbreviations."""
    return [word.strip(".") for word in name.lower().split()]


def _judge(plain: list[str]) -> bool:
    if plain[0] in LEADERS and len(plain) > 1 and plain[1] not in gaz.STOPS:
        return plain[1] in gaz.MALAY_ANY or (len(plain) > 2 and plain[0] in ("nur", "nor", "noor", "siti"))
    return not gaz.STRONG.isdisjoint(plain[:3]) or _chinese(plain)


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
    """Surname and two syllables; an English name and a surname; `Ah Beng`, `Siew Ling`. Words in lower case."""
    parts = words
    if "-" in " ".join(words):
        parts = "-".join(words).split("-")
    for k in range(len(parts) - 1):
        first, second = parts[k], parts[k + 1]
        if second in gaz.SYLLABLES:
            if first in gaz.SURNAMES and (
                second in GIVEN or (parts[k + 2 : k + 3] and parts[k + 2] in gaz.SYLLABLES)
            ):
                return True
            if first in GIVEN and len(second) > 1 and (len(parts) == 2 or first == "ah"):
                return True
        if second in gaz.LAST and first in gaz.ENGLISH_ANY:
            return True
        if (
            first in gaz.PLAIN_SURNAMES
            and k + 3 == len(parts)
            and parts[k + 2] in gaz.SYLLABLES
            and _syllable(second)
        ):
            return True
    return False


def _syllable(word: str) -> bool:
    """Whether a word not known as a syllable may be one: `Wong Mew Choo`."""
    return 2 <= len(word) <= 5 and word not in gaz.CUTTING and word not in gaz.KNOWN


_OPENER = re.compile(r".*[\"'(\[{<*_:,;|>=\t\n](?=[A-Za-z])", re.S)
"""Up to the last sign within a token that a name can follow: `{"nama":"Jeffri`."""


_WORD, _INITIAL = re.compile(r"[A-Za-z.'/-]+"), re.compile(r"[A-Z]\.?")


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
        if plain in gaz.TITLE_WORDS or (plain in ("sri", "seri") and SERI.search(text, max(0, at - 8), at)):
            break
        if plain in gaz.STOPS and plain not in gaz.SURNAMES:
            break
        if not (word.isascii() and word.isalpha()) and not _WORD.fullmatch(word):
            break
        known = freely or plain in gaz.KNOWN or word in LINKS or _INITIAL.fullmatch(word)
        if not known and (at == 0 or text[at - 1] == "\n" or text[max(0, at - 2)] in ".!?:"):
            break  # any word that opens a sentence has a capital
        start = at
    return start


def _trimmed(text: str, match: re.Match[str], plain: list[str], confidence: float) -> Finding | None:
    """The name without words that are none at its end, or nothing if it names a place or a body."""
    start, stop = match.span()
    if not gaz.CUTTING.isdisjoint(plain) or len([word for word in plain if word not in gaz.PARTS]) > 2:
        start, stop = _cut(text, start, stop)
    if (
        "@" in plain
        and (alias := text.find(" @ ", start, stop)) > 0
        and _plain(text[alias + 3 : stop])[0] not in gaz.PARTS
    ):
        stop = alias  # no other name of hers, but a place or a firm
    name = text[start:stop]
    if name and name.rsplit(" ", 1)[-1] in LINKS:
        stop = start + len(name.rsplit(" ", 1)[0].rstrip(" "))
    if stop - start < 2 or _placed(text, start) or _embodied(text, stop):
        return None
    return Finding(start, stop - (text[stop - 1] in ".'" and stop - start > 3), "NAME", confidence)


def _cut(text: str, start: int, stop: int) -> tuple[int, int]:
    """From the first word that is no title to the last before one that is no name's; of no length where none is."""
    words = list(PART.finditer(text, start, stop))
    leading = 0
    while leading < len(words) - 1 and _is_title(words[leading][0], text, words[leading].start()):
        leading += 1
    stop = start = words[leading].start()
    unknown = 0
    for part in words[leading:]:
        word = part[0]
        plain = word.lower().strip(".")
        chinese = plain in gaz.SYLLABLES
        if plain in gaz.STOPS and not chinese and (stop > start or plain not in gaz.SURNAMES):
            break
        if stop > start and plain in gaz.BODY_WORDS:
            return start, start
        unknown = 0 if chinese or plain in gaz.KNOWN or word in LINKS else unknown + 1
        if unknown > 2:
            break
        stop = part.end()
    return start, stop


def _is_title(word: str, text: str, at: int) -> bool:
    plain = word.lower().strip(".")
    if plain in ("sri", "seri"):
        return SERI.search(text, max(0, at - 8), at) is not None
    return plain in gaz.TITLE_WORDS or plain == "madya"


def _placed(text: str, start: int) -> bool:
    """Whether the words before make it the name of a street, a mosque, a school.

    Words are walked one by one: an expression of all places costs ten times as much at each name.
    """
    before = text[max(0, start - 56) : start]
    for word in before.rsplit(" ", 6)[-2:-7:-1]:
        if word.rstrip(".").lower() in gaz.PLACE_WORDS:
            return not before.lower().endswith("ketua kampung ")
        if not word[:1].isupper() or word[-1:] in ",;:!?)":
            return False
    return False


_LETTERS = re.compile(r"[A-Za-z]+")


def _embodied(text: str, stop: int) -> bool:
    """Whether the words after make it the name of a company, a road, an institution."""
    if text.startswith("'s", stop):
        stop += 2
    if text[stop : stop + 1] != " ":
        return False
    after = text[stop : stop + 48]
    for word in after.split(" ", 4)[1:4]:
        letters = _LETTERS.match(word)
        if letters and letters[0].lower() in gaz.BODY_WORDS:
            return True
        if not (word[:1].isupper() or word in ("&", "and")) or word[-1:] in ",;:.!?":
            return False
    return False
