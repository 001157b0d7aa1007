"""Full text by tantivy: words, stems and titles, with tenant, collection and label inside the query."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy
from tantivy import FieldType, Occur

from selat.core.label import HIGHEST, Label
from selat.knowledge.store import Stored
from selat.knowledge.words import stems, words

VERSION = 1
_HEAP_BYTES = 64_000_000
_AXES = ("official", "cloud", "personal")


@dataclass(frozen=True, slots=True)
class Clause:
    """What one concept of a question may look like in a text: alternatives, each some stems and a weight."""

    alternatives: tuple[tuple[tuple[str, ...], float], ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose passages are searched. An empty `collection` means all of the tenant's."""

    tenant: str
    collection: str
    clearance: Label

    @property
    def term(self) -> str:
        return scope_term(self.tenant, self.collection) if self.collection else scope_term(self.tenant)


def scope_term(*parts: str) -> str:
    """A term no tenant's or collection's name can forge: parts are joined by a control character."""
    return "\x1f".join(part.replace("\x1f", " ") for part in parts)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=False, fast=True)
    builder.add_integer_field("doc", stored=False, indexed=True, fast=False)
    for axis in _AXES:
        builder.add_integer_field(axis, stored=False, indexed=True, fast=True)
    builder.add_text_field("scope", stored=False, tokenizer_name="raw", index_option="basic")
    for field in ("words", "stems", "title"):
        builder.add_text_field(field, stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


class Index:
    """One folder of tantivy's. Many processes read it; the caller sees to it that one writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._schema = _schema()
        self._index = tantivy.Index(self._schema, path=str(folder), reuse=True)
        self._index.config_reader(reload_policy="manual")
        self._meta = folder / "meta.json"
        self._seen: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def writer(self) -> Writer:
        return Writer(self._index.writer(heap_size=_HEAP_BYTES, num_threads=1))

    def searcher(self) -> tantivy.Searcher:
        """A view of the last commit; a commit by another process is noticed by its new meta file."""
        status = os.stat(self._meta)
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            with self._lock:
                self._index.reload()
                self._seen = seen
        return self._index.searcher()

    def search(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        """Row ids of at most `k` passages in `scope` with their scores, best first."""
        asked = [(Occur.Should, self._clause(clause)) for clause in clauses]
        if not asked:
            return []
        query = tantivy.Query.boolean_query(
            [(Occur.Must, tantivy.Query.boolean_query(asked)), *self._filters(scope)]
        )
        searcher = self.searcher()
        hits = searcher.search(query, limit=k, count=False).hits
        found = searcher.fast_field_values("id", [address for _, address in hits])
        return [(int(identity or 0), float(score or 0)) for identity, (score, _) in zip(found, hits, strict=True)]

    def frequency(self, stem: str) -> int:
        """How many passages hold a stem, over all tenants."""
        count: int = self.searcher().doc_freq("stems", stem)
        return count

    @property
    def size(self) -> int:
        count: int = self.searcher().num_docs
        return count

    def _filters(self, scope: Scope) -> list[tuple[Occur, tantivy.Query]]:
        """The scope's term, and a range on each axis that the clearance bounds; none adds to the score."""
        term = tantivy.Query.term_query(self._schema, "scope", scope.term, index_option="basic")
        filters = [(Occur.Must, tantivy.Query.const_score_query(term, 0.0))]
        for axis in _AXES:
            level = int(getattr(scope.clearance, axis))
            if level < int(getattr(HIGHEST, axis)):
                within = tantivy.Query.range_query(self._schema, axis, FieldType.Integer, 0, level)
                filters.append((Occur.Must, tantivy.Query.const_score_query(within, 0.0)))
        return filters

    def _clause(self, clause: Clause) -> tantivy.Query:
        """The best alternative counts; its stems add up, and count more in a title."""
        alternatives = [
            tantivy.Query.boost_query(self._stems(found), weight * clause.weight)
            for found, weight in clause.alternatives
        ]
        if len(alternatives) == 1:
            return alternatives[0]
        return tantivy.Query.disjunction_max_query(alternatives, tie_breaker=0.1)

    def _stems(self, found: tuple[str, ...]) -> tantivy.Query:
        parts = []
        for stem in found:
            text = tantivy.Query.term_query(self._schema, "stems", stem, index_option="freq")
            title = tantivy.Query.term_query(self._schema, "title", stem, index_option="freq")
            parts += [(Occur.Should, text), (Occur.Should, tantivy.Query.boost_query(title, TITLE_BOOST))]
        query = tantivy.Query.boolean_query(parts)
        return query if len(found) == 1 else tantivy.Query.boost_query(query, len(found) ** -0.5)


TITLE_BOOST = 1.5


class Writer:
    """Adds and removes within one commit."""

    def __init__(self, writer: tantivy.IndexWriter) -> None:
        self._writer = writer

    def add(self, tenant: str, collection: str, passages: Iterable[Stored]) -> None:
        scopes = [scope_term(tenant), scope_term(tenant, collection)]
        title: tuple[str, str] | None = None
        named = ""
        for stored in passages:
            passage = stored.passage
            found = words(passage.text)
            if title != (passage.source.title, passage.heading):
                title = (passage.source.title, passage.heading)
                named = " ".join(stems(words(f"{title[0]} {title[1]}")))
            label = passage.label
            document = tantivy.Document(
                id=stored.id,
                doc=stored.doc,
                official=int(label.official),
                cloud=int(label.cloud),
                personal=int(label.personal),
                scope=scopes,
                words=" ".join(found),
                stems=" ".join(stems(found)),
                title=named,
            )
            self._writer.add_document(document)

    def remove(self, doc: int) -> None:
        self._writer.delete_documents_by_term("doc", doc)

    def commit(self) -> None:
        self._writer.commit()

    def close(self) -> None:
        self._writer.wait_merging_threads()
