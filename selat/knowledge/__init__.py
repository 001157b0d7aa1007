"""Documents in, passages out: parse, split, index, search within a clearance, and quote.

Each name comes when it is asked for: a worker only looks for what waits, until somebody asks of the documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.core.later import later

if TYPE_CHECKING:
    from selat.knowledge.check import MARK, Checked, Claim, claims
    from selat.knowledge.embed import Embedder, Entailer, Reranker, onnx_embedder, onnx_entailer, onnx_reranker
    from selat.knowledge.folders import Folder, is_below
    from selat.knowledge.inbox import Inbox, Parcel, Progress
    from selat.knowledge.language import detect, is_indonesian
    from selat.knowledge.library import (
        Document,
        Findings,
        Library,
        Query,
        Shelf,
        State,
        admits,
        documents_found,
        documents_of,
    )
    from selat.knowledge.near import FALLBACK as RERANK_FALLBACK
    from selat.knowledge.near import Models
    from selat.knowledge.orders import gives_orders
    from selat.knowledge.parse import SUFFIXES, Child, ParsedText
    from selat.knowledge.parse import VERSION as PARSE_VERSION
    from selat.knowledge.place import FilePlace, Place, full_disk_told, postgres_place
    from selat.knowledge.quote import contradicts
    from selat.knowledge.rows import read_rows
    from selat.knowledge.score import Judged, Scores
    from selat.knowledge.store import NO_DOCUMENT, Record, Store, label_of
else:
    __getattr__ = later(
        __name__,
        {
            "check": "MARK Checked Claim claims",
            "embed": "Embedder Entailer Reranker onnx_embedder onnx_entailer onnx_reranker",
            "folders": "Folder is_below",
            "inbox": "Inbox Parcel Progress",
            "language": "detect is_indonesian",
            "library": "Document Findings Library Query Shelf State admits documents_found documents_of",
            "near": "RERANK_FALLBACK=FALLBACK Models",
            "orders": "gives_orders",
            "parse": "SUFFIXES Child ParsedText PARSE_VERSION=VERSION",
            "place": "FilePlace Place full_disk_told postgres_place",
            "quote": "contradicts",
            "rows": "read_rows",
            "score": "Judged Scores",
            "store": "NO_DOCUMENT Record Store label_of",
        },
    )

__all__ = [
    "MARK",
    "NO_DOCUMENT",
    "PARSE_VERSION",
    "RERANK_FALLBACK",
    "SUFFIXES",
    "Checked",
    "Child",
    "Claim",
    "Document",
    "Embedder",
    "Entailer",
    "FilePlace",
    "Findings",
    "Folder",
    "Inbox",
    "Judged",
    "Library",
    "Models",
    "Parcel",
    "ParsedText",
    "Place",
    "Progress",
    "Query",
    "Record",
    "Reranker",
    "Scores",
    "Shelf",
    "State",
    "Store",
    "admits",
    "claims",
    "contradicts",
    "detect",
    "documents_found",
    "documents_of",
    "full_disk_told",
    "gives_orders",
    "is_below",
    "is_indonesian",
    "label_of",
    "onnx_embedder",
    "onnx_entailer",
    "onnx_reranker",
    "postgres_place",
    "read_rows",
]
