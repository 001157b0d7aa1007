"""Reads runs of digits: MyKad, phone, card, bank account and company numbers, the best reading first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, repeat
from typing import NamedTuple

from selat.core.finding import Finding
from selat.guard import facts
from selat.guard.labels import Label, label_after, label_before

# Nine digits with at most three separators between them; the run's start is what the first byte pins down.
TRIGGERS = (r"(?:^|[^0-9])[0-9](?:[ .\-()/_*]{0,3}[0-9]){8}",)

_GAP = r"(?:[ .\-()/_*]{1,3}|\s?(?:dash|sengkang|strip|hyphen|titik|dot)\s?)"
_GROUPS, _LONGEST = 40, 600
_RUN = re.compile(rf"[0-9]+(?:{_GAP}[0-9]+){{0,{_GROUPS}}}")
_DIGITS = re.compile(r"[0-9]+")
_DATE_HEAD = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d|(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}")
_BEHIND = 48


class Run(NamedTuple):
    """Digits and where each stands. `cuts[k]` tells whether something stands between digits k-1 and k."""

    text: str
    digits: str
    places: list[int]
    cuts: list[bool]

    def span(self, first: int, count: int) -> tuple[int, int]:
        return self.places[first], self.places[first + count - 1] + 1

    def whole(self, first: int, count: int) -> bool:
        """Whether `count` digits from `first` end where a group of digits ends."""
        return first + count <= len(self.digits) and self.cuts[first + count]

    def groups(self, first: int, count: int) -> tuple[int, ...]:
        """Lengths of the groups that `count` digits from `first` are written in."""
        cuts = self.cuts
        starts = [k for k in range(first, first + count) if cuts[k]]
        return tuple(b - a for a, b in pairwise((*starts, first + count)))

    def gaps(self, first: int, count: int) -> set[str]:
        """What stands between the groups, spaces stripped unless there is nothing else."""
        text, places, cuts = self.text, self.places, self.cuts
        return {
            text[places[k - 1] + 1 : places[k]].strip() or " " for k in range(first + 1, first + count) if cuts[k]
        }


def find(text: str, ends: list[int]) -> Iterator[Finding]:
    """Findings in the runs that contain the places where triggers ended (ascending)."""
    done = 0
    for end in ends:
        if end <= done:
            continue
        match = _run_over(text, max(done, end - _BEHIND), end)
        if match is None:
            continue
        done = match.end()
        if done - match.start() > _LONGEST:  # no number of a person's is this long, nor a list of them so dense
            continue
        findings = list(_read(_run(text, match.start(), done)))
        yield from findings
        if match[0].count(" ") >= _GROUPS and findings:  # the list goes on: read on behind what was found
            done = findings[-1].end


def _run_over(text: str, floor: int, end: int) -> re.Match[str] | None:
    """The run of digits that the place just before `end` lies in, from `floor` on."""
    if floor and text[floor - 1].isdigit():  # not from the middle of a number
        while floor < end and text[floor].isdigit():
            floor += 1
        floor = min(floor, end - 1)
    while (match := _RUN.search(text, floor)) is not None and match.end() < end:
        floor = match.end()
    return match


def _run(text: str, start: int, end: int) -> Run:
    places: list[int] = []
    cuts: list[bool] = []
    digits = ""
    for group in _DIGITS.finditer(text, start, end):
        places += range(group.start(), group.end())
        cuts += (True, *repeat(False, len(group[0]) - 1))
        digits += group[0]
    return Run(text, digits, places, [*cuts, True])


def _read(run: Run) -> Iterator[Finding]:
    first, size = 0, len(run.digits)
    while first <= size - 7:
        if not run.cuts[first]:
            first += 1
            continue
        finding, count = _best(run, first)
        if finding:
            yield finding
        first += count


def _best(run: Run, first: int) -> tuple[Finding | None, int]:
    """The first reading that holds, most specific first, and how many digits it used."""
    start = run.places[first]
    if start and run.text[start - 1].isalpha() and run.text[start - 1].isascii():
        label = _glued(run.text, start)
    else:
        label = label_before(run.text, _field_start(run.text, start))
    for reading in _READINGS:
        count, confidence, kind = reading(run, first, label)
        if count:
            begin, end = run.span(first, count)
            if kind == "PHONE":
                begin = _phone_start(run.text, begin)
            return (Finding(begin, end, kind, confidence) if confidence else None), count
    return None, 1


def _field_start(text: str, start: int) -> int:
    """Where the number begins with its sign and opening bracket."""
    return _phone_start(text, start)


def _glued(text: str, start: int) -> Label:
    """The label of a number that letters run into: `IC900101145678` is one, `INV24010110` is a reference."""
    label = label_before(text, start)
    return label if label.tight else Label("REF", True)


def _phone_start(text: str, start: int) -> int:
    while start and text[start - 1] in "+(":
        start -= 1
    return start


Reading = tuple[int, float, str]
_NOTHING: Reading = (0, 0.0, "")


def _mykad(run: Run, first: int, label: Label) -> Reading:
    if not run.whole(first, 12):
        return _NOTHING
    digits = run.digits[first : first + 12]
    if not facts.is_mykad(digits):
        return _NOTHING
    if run.text[max(0, run.places[first] - 1)] == "+" or (label.tight and label.name == "BANK"):
        return _NOTHING
    parted = run.cuts[first + 6] and run.cuts[first + 8]
    start, end = run.span(first, 12)
    if parted:
        coded = start > 0 and run.text[start - 1] in "/_" and label.name == "REF"
        if coded or (label.tight and label.name in ("REF", "SSM", "HOTLINE")):
            return 12, 0.0, ""
        return 12, 0.98 if label.name == "IC" else 0.9, "MYKAD"
    if label.name == "IC" or (label.name != "REF" and label_after(run.text, end) == "IC"):
        return 12, 0.95, "MYKAD"
    return _NOTHING


def _card(run: Run, first: int, label: Label) -> Reading:
    for count in (16, 15, 14, 19, 18, 17):
        if run.whole(first, count) and facts.is_card(run.digits[first : first + count]):
            groups = run.groups(first, count)
            if label.tight and label.name in ("REF", "BANK", "IC"):
                continue
            if count == 14 and groups not in ((14,), (4, 6, 4)):
                continue
            if groups == (count,) and count in (14, 17, 18) and label.name != "CARD":
                continue
            return count, 0.95, "CARD"
    return _NOTHING


def _ssm(run: Run, first: int, label: Label) -> Reading:
    if not run.whole(first, 12) or run.groups(first, 12) != (12,):
        return _NOTHING
    if not facts.is_ssm(run.digits[first : first + 12]):
        return _NOTHING
    end = run.span(first, 12)[1]
    if label.name == "SSM" or re.match(r"\s?\([A-Z0-9]{1,9}-[A-Z]\)", run.text[end : end + 14]):
        return 12, 0.9, "SSM"
    return _NOTHING


_LOCAL_LAYOUTS = frozenset(
    {(1,), (2, 2), (2, 3), (3, 2), (3, 3), (2, 1), (3, 1), (6, 1), (7, 1), (4, 1), (5, 1), (2, 4), (3, 4)}
)


def _phone(run: Run, first: int, label: Label) -> Reading:
    digits, start = run.digits, run.places[first]
    plus = start > 0 and "+" in run.text[_phone_start(run.text, start) : start]
    if digits.startswith("0060", first):
        trunk, country = 4, True
    elif digits.startswith("60", first):
        trunk, country = 2, True
    elif plus:
        return _foreign(run, first)
    elif digits[first] == "0":
        trunk, country = 1, False
    elif digits[first] == "1" and label.name == "PHONE" and label.tight:
        trunk, country = 0, False
    else:
        return _NOTHING
    if country and digits[first + trunk : first + trunk + 1] == "0":
        trunk += 1
    for length in facts.national_lengths(digits[first + trunk : first + trunk + 2])[::-1]:
        if run.whole(first, trunk + length):
            break
    else:
        return _NOTHING
    count, mobile = trunk + length, digits[first + trunk] == "1"
    confidence = _phone_confidence(run, (first, count), label, (mobile, plus or digits[first] == "0"))
    return (count, confidence, "PHONE") if confidence is not None else _NOTHING


def _phone_confidence(run: Run, span: tuple[int, int], label: Label, form: tuple[bool, bool]) -> float | None:
    """None where the layout is no phone's; 0 where it is one, but not a person's."""
    (first, count), (mobile, marked) = span, form
    groups, gaps = run.groups(first, count), run.gaps(first, count)
    if (
        (len(groups) > 6 or (groups[0] == 1 and groups[1:2] != (2,)))
        and set(groups) != {1}
        and "(" not in gaps
        and not _signed(run, first)
    ):
        return None
    if _DATE_HEAD.match(run.text, run.places[first]) or (len(groups) > 1 and groups[-1] == 2):
        return None
    if gaps & {"/", "_", "*"} and label.name not in ("PHONE", "IC"):
        return None
    if not mobile and (label.name == "HOTLINE" or _beside_hotline(run.text, run.places[first])):
        return 0.0
    if label.tight and label.name in ("REF", "BANK", "SSM", "TIN", "CARD"):
        return None
    bare = len(groups) == 1
    if bare and label.name in ("REF", "BANK", "TIN", "IC") and not mobile:
        return None
    if not marked and not mobile and label.name != "PHONE":
        return None
    if bare and not mobile and count < 10 and label.name != "PHONE":
        return None
    return 0.95 if label.name == "PHONE" or not bare else 0.8


_HOTLINE = re.compile(r"(?<!\d)1[- ]?[38]00[- ]\d\d|hot ?line|careline|khidmat pelanggan|customer service", re.I)


def _beside_hotline(text: str, start: int) -> bool:
    """Whether a hotline stands before a landline in the same sentence: then it is the same house's."""
    before = text[max(0, start - 64) : start]
    return _HOTLINE.search(before, max(before.rfind("\n"), before.rfind(". ")) + 1) is not None


def _signed(run: Run, first: int) -> bool:
    """Whether `+60` or a bracket before it says that this is a telephone number."""
    return run.text[max(0, run.places[first] - 1)] in "+("


def _foreign(run: Run, first: int) -> Reading:
    """A number in another country: `+`, then 8 to 15 digits. Source: ITU-T E.164 section 6."""
    if run.digits[first] == "0":
        return _NOTHING
    for count in range(15, 7, -1):
        if run.whole(first, count) and len(run.groups(first, count)) <= 5:
            return count, 0.85, "PHONE"
    return _NOTHING


def _bank(run: Run, first: int, label: Label) -> Reading:
    after = label.name not in ("REF", "PHONE") and label_after(run.text, run.places[-1] + 1) == "BANK"
    if label.name != "BANK" and not after:
        return _NOTHING
    fits = [n for n in range(17, 6, -1) if run.whole(first, n) and len(run.groups(first, n)) <= 5]
    if not fits or (run.gaps(first, fits[0]) - {" ", "-"}):
        return _NOTHING
    start = run.places[first]
    before = run.text[max(0, start - 56) : run.places[-1] + (24 if after else 0)].lower()
    lengths = {n for name, sizes in facts.BANK_LENGTHS.items() if name in before for n in sizes}
    for count in fits:
        if count in lengths:
            return count, 0.95, "BANK_ACCOUNT"
    if re.search(r"a/c|acc|akaun|户口|账|帐|戶口|帳|கணக்கு", before):
        return fits[0], 0.8, "BANK_ACCOUNT"
    return _NOTHING


_READINGS = (_mykad, _card, _ssm, _phone, _bank)
"""The most specific first."""
