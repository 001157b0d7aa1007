"""Keeps the book: intake journals, one sequencer, a tlog-tiles log, and receipts that outsiders can check."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from selat.ledger.book import Book
from selat.ledger.check import Report, check
from selat.ledger.fold import reindex
from selat.ledger.formats import FORMATS
from selat.ledger.keeping import Keeping, expire, expire_content
from selat.ledger.keys import load_signer, make_signer, prepare, save_signer
from selat.ledger.place import Place, read_bucket
from selat.ledger.process import sequence
from selat.ledger.query import DIMENSIONS, Asked, Changed, Question, Use, changed, query, usage
from selat.ledger.repair import Repairs, repair
from selat.ledger.rotate import rotate
from selat.ledger.sequencer import Sequencer
from selat.ledger.subject import Erased, Held, Subject, erase, find
from selat.ledger.witness import Witness

if TYPE_CHECKING:
    from selat.ledger.export import export
    from selat.ledger.journal import Journal
    from selat.ledger.ticket import Ticket
    from selat.ledger.witness_server import witness_server

__all__ = [
    "DIMENSIONS",
    "FORMATS",
    "Asked",
    "Book",
    "Changed",
    "Erased",
    "Held",
    "Journal",
    "Keeping",
    "Place",
    "Question",
    "Repairs",
    "Report",
    "Sequencer",
    "Subject",
    "Ticket",
    "Use",
    "Witness",
    "changed",
    "check",
    "erase",
    "expire",
    "expire_content",
    "export",
    "find",
    "load_signer",
    "make_signer",
    "prepare",
    "query",
    "read_bucket",
    "reindex",
    "repair",
    "rotate",
    "save_signer",
    "sequence",
    "usage",
    "witness_server",
]

_LATER = {"export": "export", "Journal": "journal", "Ticket": "ticket", "witness_server": "witness_server"}


def __getattr__(name: str) -> object:
    """What the sequencer never needs comes when asked for: asyncio, zip files and an HTTP server stay out."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return value
