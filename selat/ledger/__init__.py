"""Keeps the book: intake journals, one sequencer, a tlog-tiles log, and receipts that outsiders can check.

Each name comes when it is asked for: the sequencer and a worker stay in memory, and need few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.core.later import later

if TYPE_CHECKING:
    from selat.ledger.book import Book
    from selat.ledger.fold import reindex
    from selat.ledger.formats import FORMATS
    from selat.ledger.journal import Journal
    from selat.ledger.keeping import Keeping, expire, expire_content
    from selat.ledger.keys import load_signer, make_signer, prepare, save_signer
    from selat.ledger.place import Place, read_bucket
    from selat.ledger.process import sequence
    from selat.ledger.query import DIMENSIONS, Asked, Changed, Question, Use, changed, usage
    from selat.ledger.record import secret
    from selat.ledger.sequencer import Sequencer
    from selat.ledger.subject import Erased, Held, Subject, erase, find
    from selat.ledger.ticket import Ticket
    from selat.ledger.witness import Witness
else:
    __getattr__ = later(
        __name__,
        {
            "book": "Book",
            "fold": "reindex",
            "formats": "FORMATS",
            "journal": "Journal",
            "keeping": "Keeping expire expire_content",
            "keys": "load_signer make_signer prepare save_signer",
            "place": "Place read_bucket",
            "process": "sequence",
            "record": "secret",
            "query": "DIMENSIONS Asked Changed Question Use changed usage",
            "sequencer": "Sequencer",
            "subject": "Erased Held Subject erase find",
            "ticket": "Ticket",
            "witness": "Witness",
        },
    )

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
    "Sequencer",
    "Subject",
    "Ticket",
    "Use",
    "Witness",
    "changed",
    "erase",
    "expire",
    "expire_content",
    "find",
    "load_signer",
    "make_signer",
    "prepare",
    "read_bucket",
    "reindex",
    "save_signer",
    "secret",
    "sequence",
    "usage",
]
