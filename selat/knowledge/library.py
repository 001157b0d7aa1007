"""The library: documents in, labelled passages out; many processes read it while one writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from selat.core.caller import EVERY_GROUP
from selat.core.errors import HomeBroken, NotFound, Unavailable
from selat.core.label import HIGHEST, LOWEST, Label
from selat.core.passage import Hit, Passage, Source
from selat.knowledge.embed import Reranker
from selat.knowledge.folders import Folder, Folders, is_below
from selat.knowledge.inbox import Inbox
from selat.knowledge.language import detect
from selat.knowledge.near import Models, Near
from selat.knowledge.place import FilePlace, Place, TextIndex, Writing, full_disk_told
from selat.knowledge.question import Question, understand
from selat.knowledge.rank import Candidate, Found, answering, rank
from selat.knowledge.scope import VERSION as INDEX_VERSION
from selat.knowledge.scope import Scope
from selat.knowledge.store import NO_DOCUMENT, Record, Store, label_of
from selat.knowledge.terms import shared
from selat.knowledge.twins import mark, twins

Told = TypeVar("Told")

INDEX = "index"
BATCH = 2048  # documents in one commit of the index
TOGETHER = 32  # documents in one transaction of the store
DETECTED = 700  # characters by which a language is known
POOL = 60  # passages looked at twice
NEARS = 20  # nearest by meaning that join them
DOCUMENTS = 40
OF_ONE = 3  # passages of one document that an answer is made from
KEPT = "the new version could not be read, the one before is still searched: "
FUSED = 3  # first candidates that may show that something answers, where two rankings were joined


@dataclass(frozen=True, slots=True)
class Query:
    """A search: whose, where (`collection` empty for all), what, by whom (`clearance`, `groups`), and how many.

    `vector` is the question's, where someone made it before; empty: go by full text alone. `meaning` is the text
    whose nearness counts, where that is another than `text`. `reranker` ranks for this search alone, in place of
    the library's.
    """

    tenant: str
    collection: str
    text: str
    clearance: Label = LOWEST
    k: int = 10
    groups: frozenset[str] = frozenset()
    vector: tuple[float, ...] | None = None
    meaning: str = ""
    reranker: Reranker | None = None


class Findings(NamedTuple):
    """Passages, best first, and how they are ordered: by `score`, `reranked` by a model, or as `rerank_fallback`
    by score because that gave no order.
    """

    hits: list[Hit]
    order: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document to put in. `digest` is the hex SHA-256 of what it was made from; the same one is skipped.

    `folder` is where in its collection it stands; `original` names the file that was sent in, where one was.

    A document that could not be read has no passages and says why in `reason`; it replaces no earlier version.
    """

    source: Source
    label: Label
    digest: str
    passages: Sequence[Passage]
    path: str = ""
    reason: str = ""
    folder: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """How a library stands. `waiting` documents are stored but not in the index; `digest` is of all contents.

    `vectors` says which vectors take part in searches, or why full text goes alone.
    """

    documents: int
    failed: int
    passages: int
    waiting: int
    index: str
    vectors: str
    size_bytes: int
    digest: str


class Library:
    """A knowledge base in a folder or another place. Any number of processes may search while one ingests."""

    def __init__(self, folder: Path, models: Models | None = None, place: Place | None = None) -> None:
        self.folder = folder
        self.models = models or Models()
        self.place = place or FilePlace(folder)
        self.store = Store(self.place)
        self.near = Near(self.store, self.models)
        self.inbox = Inbox(self.store)
        self.folders = Folders(self.store)
        self._index: TextIndex | None = None

    def add(self, tenant: str, collection: str, document: Document) -> bool:
        """Put one document in, searchable on return; False when it was there unchanged."""
        with self.writing() as shelf:
            return shelf.add(tenant, collection, document)

    def remove(self, tenant: str, collection: str, document: str) -> None:
        """Take a document out; it is gone from every search on return. Raises: NotFound."""
        held = self.store.record(tenant, collection, document)
        with self.writing() as shelf:
            shelf.remove(tenant, collection, document)
        if held and held.original:
            self.inbox.forget(held.original)

    def label(self, tenant: str, collection: str, document: str) -> Label:
        """The label of a document. Raises: NotFound."""
        record = self.store.record(tenant, collection, document)
        if record is None:
            raise NotFound(NO_DOCUMENT)
        return label_of(record)

    def keep_to(self, folder: Folder) -> int:
        """Set a folder's rule and apply it to what is in it; how many documents it changed.

        Their labels become the join with the folder's: this never lowers one.
        """
        with self.writing() as shelf:
            self.folders.set(folder)
            changed = 0
            for record in self.store.records(folder.tenant, folder.collection):
                if is_below(record.folder, folder.folder):
                    changed += self._inherit(record, shelf)
        self.near.refold(self)
        return changed

    def _inherit(self, record: Record, shelf: Shelf) -> bool:
        rule = self.folders.rule(record.tenant, record.collection, record.folder)
        label = label_of(record)
        raised = label.join(rule.label) if rule.label else label
        if raised != label:
            shelf.relabel(record.tenant, record.collection, record.document, raised)
        if rule.readers != record.readers:
            shelf.keep_to(record, rule.readers)
        return raised != label or rule.readers != record.readers

    def relabel(self, tenant: str, collection: str, document: str, label: Label) -> None:
        """Give a document another label, in every search on return. Raises: NotFound.

        Whether the label may be lowered is not asked here: `flows/label.py` asks.
        """
        with self.writing() as shelf:
            shelf.relabel(tenant, collection, document, label)
        self.near.refold(self)

    def search(self, query: Query) -> list[Hit]:
        """The passages of `find`."""
        return self.find(query).hits

    def find(self, query: Query) -> Findings:
        """Passages that answer best, only ones within the clearance, best first, at most `k`."""
        _, ranked, order = self._searched(lambda index: self._ranked(index, query))
        return Findings([Hit(candidate.passage, candidate.score) for candidate in ranked[: query.k]], order)

    def evidence(self, query: Query) -> Findings:
        """As `find`, without what holds too little of the question to answer it, at most 3 of one document."""
        found, order = self._searched(lambda index: self._answering(index, query))
        taken: Counter[str] = Counter()
        hits: list[Hit] = []
        for one in found:
            taken[one.passage.source.document] += 1
            if taken[one.passage.source.document] <= OF_ONE:
                hits.append(Hit(one.passage, one.score))
        return Findings(hits[: query.k], order)

    def understand(self, text: str) -> Question:
        return understand(text, shared())

    def is_fragment(self, text: str) -> bool:
        """Whether a question says too little to be searched by itself (`how about Johor?`)."""
        return sum(concept.part >= 1 for concept in self.understand(text).concepts) < 2

    def documents(
        self,
        tenant: str,
        collection: str | None = None,
        clearance: Label = LOWEST,
        groups: frozenset[str] = frozenset(),
    ) -> list[Record]:
        """The tenant's documents that a caller of this clearance may know of, failed ones among them."""
        records = self.store.records(tenant, collection)
        return [one for one in records if label_of(one).within(clearance) and admits(one.readers, groups)]

    def record(self, query: Query, document: str) -> Record:
        """A document's row, by whom `query` says, in its collection. Raises: NotFound, also for a hidden one."""
        found = self.store.record(query.tenant, query.collection, document)
        if found is None or not (label_of(found).within(query.clearance) and admits(found.readers, query.groups)):
            raise NotFound(NO_DOCUMENT)
        return found

    def twins(self, query: Query, document: str) -> list[Record]:
        """Documents that say nearly the same as this one and that `query` may know of. Raises: NotFound."""
        found = twins(self.store, self.record(query, document))
        return [
            one for one in found if label_of(one).within(query.clearance) and admits(one.readers, query.groups)
        ]

    def passage(self, reader: Query, document: str, number: int) -> Passage:
        """One passage of a document, by the tenant, clearance and groups of `reader`; in any collection if none.

        Raises: NotFound, the same for one that is above the clearance, another tenant's or not there.
        """
        for record in self.store.records_of(reader.tenant, document):
            if reader.collection in ("", record.collection) and admits(record.readers, reader.groups):
                found = self.store.passage(record, number)
                if found and found.label.within(reader.clearance):
                    return found
        raise NotFound(f"no passage {number} of a document of that id that you may see")

    def status(self) -> State:
        """Counts, size and digest; reads everything."""
        index = self._live()
        size = self.place.size_bytes()
        documents, failed, passages, waiting = self.store.counts()
        near = self.near.told()
        return State(documents, failed, passages, waiting, index.name, near, size, self.store.digest())

    @contextmanager
    def writing(self, wait: bool = True, index: bool = True) -> Iterator[Shelf]:
        """Hold the one writer's place; what was put in is durable at the end, and indexed unless `index` is off.

        Raises: Unavailable, when another process holds it and `wait` is off, or when the disk is full.
        """
        with full_disk_told(self.folder), self.place.locked("writer", wait) as alone:
            if not alone:
                raise Unavailable("another process is ingesting into this knowledge base; wait for it")
            shelf = Shelf(self.store, self._live(), self.near)
            try:
                yield shelf
                if index:
                    shelf.commit()
            finally:
                shelf.close()

    def catch_up(self) -> None:
        """Bring the index up to the store, and the sketches; and the vectors where there is a model for them."""
        with self.writing():
            pass
        with full_disk_told(self.folder):
            mark(self.store)
            self.near.catch_up(self)

    def holds(self, tenant: str, collection: str, document: str, digest: str) -> Document | None:
        """The document as held, without its passages, when its digest is this one; else None."""
        old = self.store.record(tenant, collection, document)
        if old is None or old.digest != digest:
            return None
        source = Source(document, old.title, old.origin, old.dated, old.language)
        return Document(source, label_of(old), digest, (), old.path, old.reason, old.folder, old.original)

    def recall(self, questions: Sequence[str], tenant: str, groups: frozenset[str]) -> float | None:
        """The share of the ten exact nearest passages that the vectors find; None where there are none."""
        query = Query(tenant, "", "", HIGHEST, groups=groups)
        return self.near.recall(questions, tenant, Scope(tenant, "", HIGHEST, groups=self._groups(query)), 10)

    def rebuild(self) -> int:
        """Fill a new index beside the live one and swap them; returns the entries in it.

        Needs nothing of the old one, so it mends a damaged index too.
        """
        with full_disk_told(self.folder):
            with self.place.locked("writer"), self.place.locked("first"):
                entries = self._build().size
            self.near.rebuild(self)
        return entries

    def _build(self) -> TextIndex:
        """A new index in place of the one pointed to. The caller holds the lock `first`: one builds at a time."""
        old = self.place.pointed(INDEX)
        number = int(old.rsplit("-", 1)[1]) + 1 if old else 1
        new = f"index-v{INDEX_VERSION}-{number}"
        index = self.place.make_index(new)
        self.store.reanalyse()
        self.store.unsettle()
        shelf = Shelf(self.store, index, self.near)
        try:
            shelf.commit()
        finally:
            shelf.close()
        self.place.point(INDEX, new)
        self._index = index
        if old:
            self.place.drop(INDEX, old)
        return index

    def close(self) -> None:
        """Let go of this thread's connection, and of the models."""
        self.near.close()
        self.place.close()

    def _searched(self, search: Callable[[TextIndex], Told]) -> Told:
        """What a search finds, all of it in one index: again where a rebuild took that away meanwhile."""
        while True:
            index = self._live()
            try:
                return search(index)
            except HomeBroken:
                if self.place.pointed(INDEX) == index.name:
                    raise

    def _answering(self, index: TextIndex, query: Query) -> tuple[list[Candidate], str]:
        question, ranked, order = self._ranked(index, query)
        return answering(question, ranked, index, FUSED if self.near.in_use else 1), order

    def _ranked(self, index: TextIndex, query: Query) -> tuple[Question, list[Candidate], str]:
        index.renew()
        question = understand(query.text, shared(), index)
        scope = Scope(query.tenant, query.collection, query.clearance, groups=self._groups(query))
        found = dict(index.search(question.clauses, scope, max(POOL, query.k * 2)))
        wholes = dict(index.documents(question.clauses, scope, DOCUMENTS))
        near = self.near.search(query, scope, max(NEARS, query.k))
        stored = self.store.passages({**near, **found})
        # A passage that the index still holds but the store no longer does, or holds under a stricter
        # label, is not shown: the store is the truth, the index a fold of it.
        kept = [
            (stored[identity], found.get(identity, 0.0))
            for identity in {**found, **near}
            if identity in stored
            and stored[identity].passage.label.within(query.clearance)
            and admits(stored[identity].readers, query.groups)
        ]
        texts = self.store.stems({one.doc for one, _ in kept}, question.stems)
        ranked = self.near.fused(rank(question, Found(kept, wholes, texts), index), near)
        return question, *self.near.reranked(query, ranked)

    def _groups(self, query: Query) -> frozenset[str]:
        return self.store.groups(query.tenant) if EVERY_GROUP in query.groups else query.groups

    def _live(self) -> TextIndex:
        """The index that the pointer names; a new one where there is none, or where it is of another version."""
        name = self.place.pointed(INDEX)
        if not name.startswith(f"index-v{INDEX_VERSION}-"):
            with self.place.locked("first"):
                name = self.place.pointed(INDEX)
                if not name.startswith(f"index-v{INDEX_VERSION}-"):
                    return self._build()
        index = self._index
        while index is None or index.name != name:
            try:
                index = self.place.index(name)
            except HomeBroken:
                now = self.place.pointed(INDEX)
                if now == name:
                    raise
                name = now  # a rebuild took its place while it was opened
        self._index = index
        return index


class Shelf:
    """The writer's hands: documents go to the store at once, to the index in batches."""

    def __init__(self, store: Store, index: TextIndex, near: Near) -> None:
        self._near = near
        self._store = store
        self._index = index
        self._writer: Writing | None = None
        self._open = 0
        self._kept_to: dict[tuple[str, str, str], str] = {}

    def add(self, tenant: str, collection: str, document: Document) -> bool:
        """Put in or replace; False when the store holds it unchanged. Durable after at most 32 more, or `save`."""
        source = document.source
        old = self._store.record(tenant, collection, source.document)
        label = str(document.label)
        held = (old.digest, old.label, old.folder, old.reason) if old else None
        if held == (document.digest, label, document.folder, document.reason):
            return False
        if old and old.passages and document.reason:
            self._store.fail(old, document.digest, f"{KEPT}{document.reason}")
            return True
        if not source.language:
            text = document.passages[0].text if document.passages else ""
            source = replace(source, language=detect(text[:DETECTED]) if text else "")
        record = Record(
            tenant, collection, source.document, document.path, document.digest,
            "failed" if document.reason else "ready", document.reason, source.title, source.origin, source.dated,
            source.language, label, len(document.passages),
            document.folder, self._readers(tenant, collection, document.folder), document.original,
        )  # fmt: skip
        self._store.put(record, document.passages)
        self._open += 1
        if self._open >= TOGETHER:
            self.save()
        return True

    def _readers(self, tenant: str, collection: str, folder: str) -> str:
        """The groups that a folder's documents are kept to; remembered for as long as this writer writes."""
        place = (tenant, collection, folder)
        if place not in self._kept_to:
            self._kept_to[place] = Folders(self._store).rule(*place).readers
        return self._kept_to[place]

    def label(self, tenant: str, collection: str, document: str) -> Label | None:
        """The label under which a document is held; None when it is not."""
        record = self._store.record(tenant, collection, document)
        return label_of(record) if record else None

    def relabel(self, tenant: str, collection: str, document: str, label: Label) -> None:
        """Give a document and its passages another label. Raises: NotFound."""
        record = self._store.record(tenant, collection, document)
        if record is None:
            raise NotFound(NO_DOCUMENT)
        with self._store.connection():
            self._store.relabel(record, label)

    def keep_to(self, record: Record, readers: str) -> None:
        """Keep a document to other groups."""
        self._store.keep_to(record, readers)

    def remove(self, tenant: str, collection: str, document: str) -> None:
        """Take out, for every reader at once. Raises: NotFound."""
        there = self._store.drop(tenant, collection, document)
        self.save()
        if not there:
            raise NotFound(NO_DOCUMENT)

    def save(self) -> None:
        """Make what was put in so far durable."""
        self._store.connection().commit()
        self._open = 0

    def commit(self) -> None:
        """Bring the index up to the store, from wherever an earlier run ended."""
        self.save()
        while True:
            added = self._store.unindexed(BATCH)
            removed = self._store.gone()
            if not added and not removed:
                return
            self._writer = self._writer or self._index.writer()
            for doc in removed:
                self._writer.remove(doc)
            for row in added:
                self._writer.remove(row.doc)  # a run killed between commit and settle would add it twice
                self._writer.add(row, self._store.entries(row.doc))
            self._writer.commit()
            self._near.forget(removed)
            self._store.settle([row.doc for row in added], removed)

    def close(self) -> None:
        self.save()
        if self._writer:
            self._writer.close()
            self._writer = None


def admits(readers: str, groups: frozenset[str]) -> bool:
    """Whether one who is in `groups` may know of what is kept to `readers` (by comma; empty: kept to none)."""
    return not readers or EVERY_GROUP in groups or not groups.isdisjoint(readers.split(","))


def documents_of(library: Library, query: Query) -> list[str]:
    """The ids of `documents_found`."""
    return documents_found(library, query)[0]


def documents_found(library: Library, query: Query) -> tuple[list[str], str]:
    """Ids of the `k` documents that answer best, each once, by their best passages; and how these are ordered."""
    hits, order = library.find(replace(query, k=max(POOL, query.k * 4)))
    ids = dict.fromkeys(hit.passage.source.document for hit in hits)
    return list(ids)[: query.k], order
