"""Reads runs of digits: MyKad, phone, card, bank account and company numbers, the best reading first."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from operator import sub

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


class Run:
    """The digits from `start` to `end` of a text: `cuts[k]` tells how many stand before group k, the last one how many
    there are."""

    __slots__ = ("_starts", "cuts", "digits", "end", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        groups = _DIGITS.findall(text, start, end)
        self.text, self.start, self.end = text, start, end
        self.digits = "".join(groups)
        self.cuts = [0, *accumulate(map(len, groups))]
        self._starts: list[int] = []

    @property
    def starts(self) -> list[int]:
        """Where each group begins; asked for only where a run holds more than one number."""
        if not self._starts:
            self._starts = [group.start() for group in _DIGITS.finditer(self.text, self.start, self.end)]
        return self._starts

    def place(self, k: int) -> int:
        """Where digit `k` stands in the text."""
        if k == 0:
            return self.start
        group = bisect_right(self.cuts, k) - 1
        return self.starts[group] + k - self.cuts[group]

    def stop(self, k: int) -> int:
        """Where the first `k` digits end."""
        return self.end if k == len(self.digits) else self.place(k - 1) + 1

    def groups(self, first: int, count: int) -> tuple[int, ...]:
        """Lengths of the groups that `count` digits from `first`, the start of a group, are written in."""
        last = first + count
        inner = [first, *[cut for cut in self.cuts if first < cut < last], last]
        return tuple(map(sub, inner[1:], inner))

    def gaps(self, first: int, count: int) -> set[str]:
        """What stands between the groups, spaces stripped unless there is nothing else."""
        if len(self.cuts) == 2:
            return set()
        text, starts, cuts = self.text, self.starts, self.cuts
        return {
            text[starts[k - 1] + cuts[k] - cuts[k - 1] : starts[k]].strip() or " "
            for k in range(1, len(starts))
            if first < cuts[k] < first + count
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
        start, done = match.span()
        if done - start > _LONGEST:  # no number of a person's is this long, nor a list of them so dense
            continue
        findings = _read(Run(text, start, done))
        yield from findings
        if done - start > _GROUPS and match[0].count(" ") >= _GROUPS and findings:
            done = findings[-1].end  # the list goes on: read on behind what was found


def _run_over(text: str, floor: int, end: int) -> re.Match[str] | None:
    """The run of digits that the place just before `end` lies in, from `floor` on."""
    if floor and text[floor - 1].isdigit():  # not from the middle of a number
        while floor < end and text[floor].isdigit():
            floor += 1
        floor = min(floor, end - 1)
    while (match := _RUN.search(text, floor)) is not None and match.end() < end:
        floor = match.end()
    return match


def _read(run: Run) -> list[Finding]:
    findings: list[Finding] = []
    last, done = len(run.digits) - 7, 0
    for first in run.cuts:
        if first > last:
            break
        if first < done:
            continue
        finding, count = _best(run, first)
        if finding:
            findings.append(finding)
        done = first + count
    return findings


def _best(run: Run, first: int) -> tuple[Finding | None, int]:
    """The first reading that holds, most specific first, and how many digits it used."""
    text, start = run.text, run.place(first)
    before = text[start - 1] if start else ""
    begin = start
    if before == "+" or before == "(":
        begin = _phone_start(text, start)
    label = label_before(text, begin)
    if before.isalpha() and before.isascii() and not label.tight:
        label = _GLUED
    left = len(run.digits) - first
    for least, reading in _READINGS:
        if left < least:
            continue
        count, confidence, kind = reading(run, first, label)
        if count:
            if not confidence:
                return None, count
            return Finding(begin if kind == "PHONE" else start, run.stop(first + count), kind, confidence), count
    return None, 1


_GLUED = Label("REF", True)
"""Of a number that letters run into: `IC900101145678` has its label, `INV24010110` is a reference."""


def _phone_start(text: str, start: int) -> int:
    """Where the number begins with its sign and opening bracket."""
    while start and text[start - 1] in "+(":
        start -= 1
    return start


Reading = tuple[int, float, str]
_NOTHING: Reading = (0, 0.0, "")


_MYKAD_GROUPS = frozenset(
    {(6, 2, 4), (1,) * 12, (2, 2, 2, 2, 4), (2, 2, 2, 2, 1, 1, 1, 1), (6, 2, 2, 2), (6, 2, 3, 1)}
)
"""Without a word for it; in other groups twelve digits are as likely bytes or decimals."""


def _mykad(run: Run, first: int, label: Label) -> Reading:
    cuts = run.cuts
    if first + 12 not in cuts:
        return _NOTHING
    digits = run.digits[first : first + 12]
    if not facts.is_mykad(digits):
        return _NOTHING
    start = run.place(first)
    if run.text[start - 1 : start] == "+" or (label.tight and label.name == "BANK"):
        return _NOTHING
    if first + 6 in cuts and first + 8 in cuts and (label.name == "IC" or run.groups(first, 12) in _MYKAD_GROUPS):
        coded = start > 0 and run.text[start - 1] in "/_" and label.name == "REF"
        if coded or (label.tight and label.name in ("REF", "SSM", "HOTLINE")):
            return 12, 0.0, ""
        return 12, 0.98 if label.name == "IC" else 0.9, "MYKAD"
    if label.name == "IC" or (label.name != "REF" and label_after(run.text, run.stop(first + 12)) == "IC"):
        return 12, 0.95, "MYKAD"
    return _NOTHING


def _card(run: Run, first: int, label: Label) -> Reading:
    if run.digits[first] not in "234568":  # no card's number begins so: cheaper than its ranges
        return _NOTHING
    for count in (16, 15, 14, 19, 18, 17):
        if first + count in run.cuts and facts.is_card(run.digits[first : first + count]):
            groups = run.groups(first, count)
            if label.tight and label.name in ("REF", "BANK", "IC"):
                continue
            if count == 14 and groups not in ((14,), (4, 6, 4)):
                continue
            if groups == (count,) and count in (14, 17, 18) and label.name != "CARD":
                continue
            return count, 0.95, "CARD"
    return _NOTHING


_OLD_NUMBER = re.compile(r"\s?\([A-Z0-9]{1,9}-[A-Z]\)")


def _ssm(run: Run, first: int, label: Label) -> Reading:
    if first + 12 not in run.cuts or run.groups(first, 12) != (12,):
        return _NOTHING
    if not facts.is_ssm(run.digits[first : first + 12]):
        return _NOTHING
    end = run.stop(first + 12)
    if label.name == "SSM" or _OLD_NUMBER.match(run.text, end, end + 14):
        return 12, 0.9, "SSM"
    return _NOTHING


_SIGNS = frozenset("+(")


def _phone(run: Run, first: int, label: Label) -> Reading:
    digits, start = run.digits, run.place(first)
    plus = run.text[start - 1 : start] in _SIGNS and "+" in run.text[_phone_start(run.text, start) : start]
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
    if first and label.name != "PHONE" and run.text[start - 1] in "/_":
        return _NOTHING  # it goes on from the part of a reference before it
    if country and digits[first + trunk : first + trunk + 1] == "0":
        trunk += 1
    for length in facts.national_lengths(digits[first + trunk : first + trunk + 2]):
        if first + trunk + length in run.cuts:
            break
    else:
        return _NOTHING
    count, mobile = trunk + length, digits[first + trunk] == "1"
    confidence = _phone_confidence(run, (first, count), label, (mobile, plus or digits[first] == "0"))
    return (count, confidence, "PHONE") if confidence is not None else _NOTHING


def _phone_confidence(run: Run, span: tuple[int, int], label: Label, form: tuple[bool, bool]) -> float | None:
    """None where the layout is no phone's; 0 where it is one, but not a person's."""
    (first, count), (mobile, marked) = span, form
    groups = run.groups(first, count)
    bare, start = len(groups) == 1, run.place(first)
    if not bare and not _laid_out(run, span, groups, label):
        return None
    end = run.stop(first + count)
    if not mobile and (
        label.name == "HOTLINE" or label_after(run.text, end) == "HOTLINE" or _beside_hotline(run.text, start)
    ):
        return 0.0
    if bare and label.name != "PHONE" and run.text[end : end + 1].isalpha() and run.text[end].isascii():
        return None  # the digits of a longer code
    if label.tight and label.name in ("REF", "BANK", "SSM", "TIN", "CARD"):
        return None
    if bare and label.name in ("REF", "BANK", "TIN", "IC") and not mobile:
        return None
    if bare and run.digits[first : first + count] in _TEN and run.text[start - 1 : start] in ('"', "'"):
        return None
    if not marked and not mobile and label.name != "PHONE":
        return None
    if bare and not mobile and count < 10 and label.name != "PHONE":
        return None
    return 0.95 if label.name == "PHONE" or not bare else 0.8


_TEN = ("0123456789", "01234567890")
"""The digits themselves, as programs list them."""


def _laid_out(run: Run, span: tuple[int, int], groups: tuple[int, ...], label: Label) -> bool:
    """Whether several groups of digits stand as those of a telephone number do."""
    start = run.place(span[0])
    odd = (len(groups) > 6 or (groups[0] == 1 and groups[1] != 2)) and set(groups) != {1}
    if odd and "(" not in run.gaps(*span) and not _signed(run.text, start):
        return False
    if groups[-1] == 2 or (len(groups) > 2 and _DATE_HEAD.match(run.text, start)):
        return False
    return label.name in ("PHONE", "IC") or not any(mark in gap for gap in run.gaps(*span) for mark in "/_*")


_HOTLINE = re.compile(r"(?<!\d)1[- ]?[38]00[- ]\d\d|hot ?line|careline|khidmat pelanggan|customer service", re.I)


def _beside_hotline(text: str, start: int) -> bool:
    """Whether a hotline stands before a landline in the same sentence: then it is the same house's."""
    before = text[max(0, start - 64) : start]
    return _HOTLINE.search(before, max(before.rfind("\n"), before.rfind(". ")) + 1) is not None


def _signed(text: str, start: int) -> bool:
    """Whether `+60` or a bracket before it says that this is a telephone number."""
    return text[max(0, start - 1)] in "+("


def _foreign(run: Run, first: int) -> Reading:
    """A number in another country: `+`, then 8 to 15 digits. Source: ITU-T E.164 section 6."""
    if run.digits[first] == "0":
        return _NOTHING
    for count in range(15, 7, -1):
        if first + count in run.cuts and len(run.groups(first, count)) <= 5:
            return count, 0.85, "PHONE"
    return _NOTHING


_OLD_END = re.compile(r" ?- ?[A-Z](?![A-Za-z])")
"""What an old company number ends with."""


def _bank(run: Run, first: int, label: Label) -> Reading:
    after = label.name not in ("REF", "PHONE") and label_after(run.text, run.end) == "BANK"
    if label.name != "BANK" and not after:
        return _NOTHING
    fits = [n for n in range(17, 6, -1) if first + n in run.cuts and len(run.groups(first, n)) <= 5]
    if not fits or (run.gaps(first, fits[0]) - {" ", "-"}) or _OLD_END.match(run.text, run.stop(first + fits[0])):
        return _NOTHING
    start = run.place(first)
    before = run.text[max(0, start - 56) : run.end - 1 + (24 if after else 0)].lower()
    lengths = {n for name, sizes in facts.BANK_LENGTHS.items() if name in before for n in sizes}
    for count in fits:
        if count in lengths:
            return count, 0.95, "BANK_ACCOUNT"
    if re.search(r"a/c|acc|akaun|户口|账|帐|戶口|帳|கணக்கு", before):
        return fits[0], 0.8, "BANK_ACCOUNT"
    return _NOTHING


_READINGS = ((12, _mykad), (14, _card), (12, _ssm), (7, _phone), (7, _bank))
"""The most specific first, each with the fewest digits it reads."""
