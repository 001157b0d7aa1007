"""What every command shares: the `--home` and `--json` options, where results and talk go, and progress."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from selat.core.errors import Forbidden, Misused, SelatError

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Where Selat keeps its state. Else SELAT_HOME, else the platform's."
    ),
]


def spoken(language: str) -> str:
    """A language that answers are told in; none for both. Raises: Misused."""
    if language not in ("", "ms", "en"):
        raise Misused("--lang: write ms or en")
    return language


def document_language(language: str) -> str:
    """A language that documents are read in; none where it is to be detected. Raises: Misused."""
    if language not in ("", "ms", "en", "zh", "ta"):
        raise Misused("--language: write ms, en, zh or ta, or leave it out: it is then detected")
    return language


def country(option: str, code: str) -> str:
    """A country's code in capitals. Raises: Misused, for what is none by its form."""
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise Misused(f"{option} {code!r}: write two letters (ISO 3166-1), as in MY")
    return code.upper()


def read_day(text: str) -> date:
    """A day as 2026-11-22. Raises: Misused."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Misused(f"'{text}' is not a day; write it as 2026-11-22") from None


CountryOption = Annotated[
    str,
    typer.Option(
        "--country", help="Its maker's country, as in MY.", callback=lambda code: country("--country", code)
    ),
]
LanguageOption = Annotated[str, typer.Option("--lang", help="ms or en.", callback=spoken)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

_FULL, _OURS = (
    "free some space, then run this again",
    "name a place that you may write to, or see who owns this one",
)
_NEXT = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _OURS),
}
_talk = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Talk to the person, on stderr; stdout is for results."""
    _talk.print(text, markup=False)


def explain(error: Exception) -> int:
    """Say what went wrong, in a line; the exit code that tells it: 1 refused or failed, 2 misused."""
    if os.environ.get("SELAT_DEBUG"):
        traceback.print_exc()
    if not isinstance(error, SelatError):
        error = unforeseen(error)
    say(f"selat: {error}{_evidence(error)}")
    return 2 if isinstance(error, Misused) else 1


def _evidence(error: SelatError) -> str:
    """Of a refusal that was booked: by which rules, and where what policy saw can be read."""
    if not isinstance(error, Forbidden) or not error.receipt:
        return ""
    return f" ({', '.join(error.rules) or 'no rule permits it'}; what was seen: selat ledger show {error.receipt})"


def unforeseen(error: Exception) -> SelatError:
    """What no room has named, for one line: a disk that is full, a place that is not ours, or a fault of ours.

    Of a fault only its kind and place: its text may repeat what somebody asked.
    """
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        *_, (_, _, reason) = error.args[0]  # of a folder that was copied: what went wrong with each file
        return SelatError(f"{reason}; see to that, then run this again")
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        step = _NEXT.get(error.errno or 0, "see to that, then run this again")
        return SelatError(f"{named}{error.strerror}; {step}")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "selat" in Path(frame.filename).parts] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return SelatError(
        f"this should not have happened: {type(error).__name__} at {place}; "
        "run it again as `selat --debug …` and give what that prints to whoever looks after Selat"
    )


def show(text: str) -> None:
    """Print one line of a result on stdout."""
    sys.stdout.write(text + "\n")


def show_json(value: object) -> None:
    """Print a result as one JSON document on stdout."""
    show(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def write_new(path: Path, data: bytes) -> None:
    """Write a result to a file that must not be there yet. Raises: Misused."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise Misused(f"cannot write {path}: {error.strerror}; name another file") from error


class Row(Protocol):
    """Something that a list shows."""

    def to_json(self) -> object: ...


R = TypeVar("R", bound=Row)


def show_rows(rows: Sequence[R], line: Callable[[R], str], nothing: str, *, json_: bool) -> None:
    """Print a list: as one JSON document, or a line each; where there is none, say what to do."""
    if json_:
        show_json([row.to_json() for row in rows])
        return
    for row in rows:
        show(line(row))
    if not rows:
        say(nothing)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Progress]:
    """A progress bar on stderr with a count and the time left; silent where stderr is no terminal.

    The caller advances task 0.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_talk, disable=not _talk.is_terminal, transient=True) as bar:
        bar.add_task(title, total=total)
        yield bar


@contextmanager
def byte_progress(title: str, total: int, *, quiet: bool = False) -> Iterator[Progress]:
    """A progress bar of bytes with their rate and the time left; silent where `quiet` or stderr is no terminal.

    The caller advances task 0.
    """
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True)),
        *(TransferSpeedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=_talk, disable=quiet or not _talk.is_terminal, transient=True) as bar:
        bar.add_task(title, total=total)
        yield bar
