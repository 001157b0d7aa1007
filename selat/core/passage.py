"""Labelled spans of documents, and the words an answer quotes from them."""

from __future__ import annotations

from dataclasses import dataclass

from selat.core.label import Label

Box = tuple[float, float, float, float]
Rows = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A document as ingested: its id within the tenant's collection, title, origin line and date (ISO 8601)."""

    document: str
    title: str
    origin: str = ""
    dated: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` (exclusive) of a document's text as ingested, with their label.

    `number` counts from 1 within the document; `page` from 1, or 0 where there are no pages. `box` is where it
    stands on its page: left, bottom, right and top in points (1/72 inch) from the page's lower left corner.
    `rows` are the first and the last row of its sheet, from 1, the one that names the columns left out.
    """

    source: Source
    number: int
    start: int
    end: int
    text: str
    label: Label
    heading: str = ""
    page: int = 0
    box: Box | None = None
    rows: Rows | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers a query, with its rank score (higher is better; comparable within one search)."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage with the words quoted from it. `marker` is the [n] that the answer shows."""

    marker: int
    passage: Passage
    quote: str
