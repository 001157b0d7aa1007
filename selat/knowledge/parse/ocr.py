"""Scans: pages without text are drawn by pdfium and read by tesseract, where it is installed on the machine."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Builder

if TYPE_CHECKING:
    import pypdfium2

LANGUAGES = ("msa", "eng", "chi_sim", "tam")
MAX_PAGES = 60  # what one document's time allows
PAGE_S = 60.0
SCALE = 200 / 72  # 200 dots an inch: enough for print, a quarter of the time of 400


def installed() -> bool:
    """Whether tesseract is there."""
    return shutil.which("tesseract") is not None


def read(document: pypdfium2.PdfDocument) -> Builder:
    """The words of a scan. Raises: DocumentUnreadable, for one that is too long or that tesseract refuses."""
    if len(document) > MAX_PAGES:
        raise DocumentUnreadable(f"pdf: a scan of {len(document)} pages, at most {MAX_PAGES} are read; split it")
    builder = Builder()
    for number in range(len(document)):
        builder.page(number + 1)
        drawn = document[number].render(scale=SCALE, grayscale=True)
        for paragraph in _words(_pgm(drawn)).split("\n\n"):
            builder.paragraph(" ".join(paragraph.split()))
    return builder


def _pgm(drawn: pypdfium2.PdfBitmap) -> bytes:
    """A grey bitmap as PGM, the plainest of what tesseract reads."""
    rows = bytes(drawn.buffer)
    lines = (rows[at * drawn.stride : at * drawn.stride + drawn.width] for at in range(drawn.height))
    return b"P5 %d %d 255\n" % (drawn.width, drawn.height) + b"".join(lines)


def _words(image: bytes) -> str:
    command = ["tesseract", "stdin", "stdout", "-l", "+".join(_languages())]
    try:
        done = subprocess.run(command, input=image, capture_output=True, timeout=PAGE_S, check=True)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DocumentUnreadable(
            f"pdf: a page took over {PAGE_S:g} s to read; scan it in lower resolution"
        ) from error
    except (subprocess.CalledProcessError, OSError) as error:
        raise DocumentUnreadable(
            "pdf: tesseract cannot read this scan; see that its languages are there"
        ) from error
    return done.stdout.decode("utf-8", "replace").replace("\f", "")


@cache
def _languages() -> tuple[str, ...]:
    """Those of ours that tesseract has; English where it tells of none."""
    command = ["tesseract", "--list-langs"]
    done = subprocess.run(command, capture_output=True, timeout=PAGE_S, check=False)  # noqa: S603
    known = done.stdout.decode("utf-8", "replace").split()
    return tuple(language for language in LANGUAGES if language in known) or ("eng",)
