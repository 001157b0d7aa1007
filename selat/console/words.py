"""What pages say: catalogues in four languages, and numbers, dates and money as each of them writes them.

Malay is the language of the source: a text stands in the templates as it is read, and the catalogues in
`locale/` give the other three.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, cached_property
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal, format_percent

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = {"ms": "Bahasa Melayu", "en": "English", "zh": "中文", "ta": "தமிழ்"}
FIRST = "ms"
_LOCALES = {"ms": "ms_MY", "en": "en_MY", "zh": "zh_Hans_MY", "ta": "ta_MY"}
MALAYSIA = timezone(timedelta(hours=8), "MYT")
"""Asia/Kuala_Lumpur: eight hours before UTC since 1982, without summer time, so no table of zones is needed."""


class _Malay(NullTranslations):
    """The source itself. Malay has one form for any number."""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return msgid2


@cache
def _catalogue(code: str) -> NullTranslations:
    """Read from its text form: some milliseconds, once, and nothing compiled has to be shipped."""
    if code == FIRST:
        return _Malay()
    # The source needs no reader of catalogues, and the first visitor mostly reads that.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


class Tongue:
    """One language: its words, numbers and dates."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.html = {"zh": "zh-Hans"}.get(code, code)

    @cached_property
    def locale(self) -> Locale:
        return Locale.parse(_LOCALES[self.code], resolve_likely_subtags=True)

    def gettext(self, text: str) -> str:
        return _catalogue(self.code).gettext(text)

    def ngettext(self, one: str, many: str, n: int) -> str:
        return _catalogue(self.code).ngettext(one, many, n)

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.locale)

    def fine(self, value: float) -> str:
        """A small number, to four places."""
        return format_decimal(value, "#,##0.####", locale=self.locale)

    def short(self, value: float) -> str:
        """A number for a small place: 12 ribu, 12K."""
        return format_compact_decimal(value, locale=self.locale, fraction_digits=1)

    def percent(self, share: float) -> str:
        return format_percent(share, locale=self.locale)

    def money(self, ringgit: float) -> str:
        """As Malaysia writes it in every language; CLDR would have MYR in Chinese."""
        return f"RM {format_decimal(ringgit, '#,##0.00', locale=self.locale)}"

    def country(self, code: str) -> str:
        """A country by its ISO 3166-1 code; the code itself where it is none."""
        return str(self.locale.territories.get(code, code))

    def size(self, size_bytes: int) -> str:
        """Bytes as people count them: 812 B, 1.2 KB, 3.4 MB."""
        value, unit = float(size_bytes), "B"
        for unit in ("B", "KB", "MB", "GB"):
            if value < 1000 or unit == "GB":
                break
            value /= 1000
        return f"{format_decimal(round(value, 1), locale=self.locale)} {unit}"

    def day(self, moment: str | date) -> str:
        """A date; nothing where there is none."""
        found = _local(moment)
        return format_date(found, "medium", locale=self.locale) if found else ""

    def moment(self, moment: str | datetime) -> str:
        """Date and time in Malaysia."""
        found = _local(moment)
        return format_datetime(found, "medium", tzinfo=MALAYSIA, locale=self.locale) if found else ""

    def clock(self, moment: str | datetime) -> str:
        """Time of day in Malaysia, to the second."""
        found = _local(moment)
        return format_time(found, "medium", tzinfo=MALAYSIA, locale=self.locale) if found else ""

    def duration(self, seconds: float) -> str:
        """A length of time, as roughly as people say it: 3 minutes, 2 hours."""
        return format_timedelta(timedelta(seconds=max(1, round(seconds))), locale=self.locale)

    def ago(self, moment: str | datetime) -> str:
        found = _local(moment)
        if not found:
            return ""
        return format_timedelta(found - datetime.now(UTC), add_direction=True, locale=self.locale)

    def left(self, time: timedelta) -> str:
        """How much time is left, or gone by where it is negative: `in 3 days`, `2 hours ago`."""
        return format_timedelta(time, add_direction=True, locale=self.locale)


TONGUES = {code: Tongue(code) for code in LANGUAGES}
speaking: ContextVar[Tongue] = ContextVar("speaking", default=TONGUES[FIRST])
"""The language of the request at work."""


def _(text: str, **values: object) -> str:
    """A text in the language of the request, its %(name)s filled in."""
    said = speaking.get().gettext(text)
    return said % values if values else said


def _n(one: str, many: str, n: int, **values: object) -> str:
    """A text that counts, its %(n)s the number as the language writes it."""
    tongue = speaking.get()
    return tongue.ngettext(one, many, n) % {"n": tongue.number(n), **values}


def N_(text: str) -> str:
    """Marks a text that is translated where it is shown."""
    return text


def choose(said: Iterable[str], accepted: str = "") -> Tongue:
    """The first of `said` that is a language of ours; else what the browser asks for; else Malay.

    English in a browser is mostly its factory setting, so by itself it says nothing.
    """
    for code in said:
        if code in TONGUES:
            return TONGUES[code]
    first = accepted.split(",", 1)[0].strip().lower()[:2]
    return TONGUES[first if first in ("zh", "ta") else FIRST]


def _local(moment: str | date | None) -> datetime | None:
    if not moment:
        return None
    if isinstance(moment, datetime):
        return moment.astimezone(MALAYSIA)
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=MALAYSIA)
    found = datetime.fromisoformat(moment)
    return found.astimezone(MALAYSIA) if found.tzinfo else found.replace(tzinfo=MALAYSIA)
