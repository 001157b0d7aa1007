"""Full text by tantivy: words, stems and titles, with tenant, collection and label inside the query."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, reduce
from pathlib import Path

import tantivy
from tantivy import FieldType, Occur

from selat.core.label import HIGHEST, Label
from selat.knowledge.place import DAMAGED, unopened
from selat.knowledge.scope import Clause, Scope, scope_terms
from selat.knowledge.store import Entry, Row
from selat.knowledge.words import one_slip, stems, words

_HEAP_BYTES = 64_000_000
_AXES = ("official", "cloud", "personal")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=False, indexed=False, fast=True)
    builder.add_integer_field("doc", stored=False, indexed=True, fast=True)
    for axis in _AXES:
        builder.add_integer_field(axis, stored=False, indexed=True, fast=True)
    builder.add_text_field("scope", stored=False, tokenizer_name="raw", index_option="basic")
    for field in ("stems", "title"):
        builder.add_text_field(field, stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


class Index:
    """One folder of tantivy's. Many processes read it; the caller sees to it that one writes."""

    def __init__(self, folder: Path, new: bool = False) -> None:
        self.folder = folder
        self._schema = _schema()
        try:
            if new:
                folder.mkdir(parents=True)
                self._index = tantivy.Index(self._schema, path=str(folder), reuse=False)
            else:
                self._index = tantivy.Index.open(str(folder))
            self._index.config_reader(reload_policy="manual")
        except (ValueError, OSError) as error:
            raise unopened(folder.parent, DAMAGED) from error
        self._meta = folder / "meta.json"
        self._seen: tuple[int, int] | None = None
        self._searcher: tantivy.Searcher | None = None
        self._fresh_until = 0.0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.folder.name

    def writer(self) -> Writer:
        return Writer(self._index.writer(heap_size=_HEAP_BYTES, num_threads=1))

    def searcher(self) -> tantivy.Searcher:
        """A view of the last commit; a commit by another process is noticed by its new meta file."""
        if time.monotonic() < self._fresh_until and self._searcher:
            return self._searcher
        with self._lock:
            try:
                status = os.stat(self._meta)
                seen = (status.st_ino, status.st_mtime_ns)
                if seen != self._seen or self._searcher is None:
                    self._index.reload()
                    self._searcher = self._index.searcher()
                    self._counts = {}
                    self._seen = seen
            except (ValueError, OSError) as error:
                if self._searcher is None:
                    raise unopened(self.folder.parent, DAMAGED) from error
                return self._searcher  # replaced by a rebuild a moment ago: this search ends on the old one
            self._fresh_until = time.monotonic() + FRESH_S
            return self._searcher

    def search(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        """Row ids of at most `k` passages in `scope` with their scores, best first."""
        return self._search(clauses, scope, k, "id")

    def documents(self, clauses: Sequence[Clause], scope: Scope, k: int) -> list[tuple[int, float]]:
        """As `search`, for documents of several passages, each read as one text."""
        return self._search(clauses, replace(scope, whole=True), k, "doc")

    def _search(self, clauses: Sequence[Clause], scope: Scope, k: int, key: str) -> list[tuple[int, float]]:
        asked = [(Occur.Should, self._clause(clause)) for clause in clauses]
        if not asked:
            return []
        query = tantivy.Query.boolean_query(
            [(Occur.Must, tantivy.Query.boolean_query(asked)), *self._filters(scope)]
        )
        searcher = self.searcher()
        try:
            hits = searcher.search(query, limit=k, count=False).hits
        except (ValueError, OSError) as error:
            raise unopened(self.folder.parent, DAMAGED) from error
        found = searcher.fast_field_values(key, [address for _, address in hits])
        return [(int(identity or 0), float(score or 0)) for identity, (score, _) in zip(found, hits, strict=True)]

    def frequency(self, stem: str) -> int:
        """How many passages hold a stem, over all tenants; remembered until the next commit."""
        searcher = self.searcher()
        found = self._counts.get(stem)
        if found is None:
            found = self._counts[stem] = searcher.doc_freq("stems", stem)
        return found

    def near(self, stem: str) -> list[str]:
        """Stems in use that are one slip away from a word of five letters or more, commonest first, at most 3."""
        if len(stem) < 5 or not stem.isascii() or not stem.isalpha():
            return []
        searcher = self.searcher()
        found: dict[str, int] = {}
        for head in {stem[:2], stem[0] + stem[2], stem[1] + stem[0]}:
            terms = searcher.terms_with_prefix("stems", head)
            found.update((term, count) for term, count in terms if one_slip(stem, term))
        return sorted(found, key=lambda term: -found[term])[:3]

    def renew(self) -> None:
        """Look at once, not at the next need, for a commit by another process."""
        self._fresh_until = 0.0

    @property
    def size(self) -> int:
        count: int = self.searcher().num_docs
        return count

    def _filters(self, scope: Scope) -> list[tuple[Occur, tantivy.Query]]:
        """The scope's terms, and a range on each axis that the clearance bounds; none adds to the score."""
        terms = [
            tantivy.Query.term_query(self._schema, "scope", term, index_option="basic") for term in scope.terms
        ]
        one = terms[0]
        if len(terms) > 1:
            one = tantivy.Query.boolean_query([(Occur.Should, term) for term in terms])
        filters = [(Occur.Must, tantivy.Query.const_score_query(one, 0.0))]
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
FRESH_S = 0.05  # how long a search may go on with the commit that it began with


@lru_cache(maxsize=256)
def _title(text: str) -> str:
    return " ".join(stems(words(text)))


@lru_cache(maxsize=1024)
def _levels(label: Label) -> dict[str, int]:
    return {axis: int(getattr(label, axis)) for axis in _AXES}


def _scopes(row: Row, whole: bool) -> list[str]:
    """Under which terms a document is found: those of its groups, or of none where it is kept to none."""
    readers = row.readers.split(",") if row.readers else [""]
    return [term for one in readers for term in scope_terms(row.tenant, row.collection, whole, one)]


class Writer:
    """Adds and removes within one commit."""

    def __init__(self, writer: tantivy.IndexWriter) -> None:
        self._writer = writer

    def add(self, row: Row, passages: Sequence[Entry]) -> None:
        """Add the passages of one document, and the document as one text when it has several."""
        scopes = _scopes(row, False)
        for one in passages:
            self._put(row.doc, scopes, one, _title(f"{one.title} {one.heading}"))
        if len(passages) > 1:
            label = reduce(Label.join, (one.label for one in passages))
            whole = Entry(0, label, " ".join([one.stems for one in passages]), passages[0].title, "")
            self._put(row.doc, _scopes(row, True), whole, _title(whole.title))

    def _put(self, doc: int, scopes: list[str], entry: Entry, title: str) -> None:
        levels = _levels(entry.label)
        self._writer.add_document(
            tantivy.Document(id=entry.id, doc=doc, scope=scopes, stems=entry.stems, title=title, **levels)
        )

    def remove(self, doc: int) -> None:
        self._writer.delete_documents_by_term("doc", doc)

    def commit(self) -> None:
        self._writer.commit()

    def close(self) -> None:
        self._writer.wait_merging_threads()
