"""Documents in, passages out: parse, split, index, search within a clearance, and quote."""

from selat.knowledge.check import MARK, Checked, Claim, check, claims
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
from selat.knowledge.quote import contradicts, quote
from selat.knowledge.rows import read_rows
from selat.knowledge.score import Judged, Scores, score
from selat.knowledge.split import split
from selat.knowledge.store import Record, label_of

__all__ = [
    "MARK",
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
    "admits",
    "check",
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
    "quote",
    "read_rows",
    "score",
    "split",
]
