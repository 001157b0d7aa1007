"""Keeps the book: intake journals, one sequencer, a tlog-tiles log, and receipts that outsiders can check."""

from selat.ledger.book import Book
from selat.ledger.check import Report, check
from selat.ledger.export import export
from selat.ledger.journal import Journal
from selat.ledger.keys import load_signer, prepare
from selat.ledger.process import sequence
from selat.ledger.repair import Repairs, repair
from selat.ledger.rotate import rotate
from selat.ledger.sequencer import Sequencer
from selat.ledger.ticket import Ticket

__all__ = [
    "Book",
    "Journal",
    "Repairs",
    "Report",
    "Sequencer",
    "Ticket",
    "check",
    "export",
    "load_signer",
    "prepare",
    "repair",
    "rotate",
    "sequence",
]
