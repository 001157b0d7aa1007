"""Nearness by meaning: which vectors a library has, how they are made and kept up, and what nearness adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Protocol

from selat.core.errors import HomeBroken
from selat.core.label import Label
from selat.knowledge.embed import Embedder, Reranker, Values
from selat.knowledge.place import VectorIndex
from selat.knowledge.rank import Candidate
from selat.knowledge.scope import Scope
from selat.knowledge.store import Row, Store, Stored

if TYPE_CHECKING:
    from selat.knowledge.vectors import Vector

VERSION = 1
VECTORS = "vectors"
TOGETHER = 64  # documents that are embedded before they are written
NEARNESS = 0.3  # what the nearest passage gains; a score by words alone is 0 to about 3 (dev splits, MiniLM)
RERANKED = 20
BY_SCORE, BY_MODEL, FALLBACK = "score", "reranked", "rerank_fallback"
"""How passages were ordered: by score, anew by a reranker, or by score because that had nothing to say."""


@dataclass(frozen=True, slots=True)
class Models:
    """What makes vectors and reranks; each is called when first needed, and gives None where there is no model.

    `nearness` is what being nearest adds to a score.
    """

    embedder: Callable[[], Embedder | None] = lambda: None
    reranker: Callable[[], Reranker | None] = lambda: None
    nearness: float = NEARNESS


class Asked(Protocol):
    """What is known of a question."""

    @property
    def tenant(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def meaning(self) -> str: ...
    @property
    def vector(self) -> tuple[float, ...] | None: ...
    @property
    def reranker(self) -> Reranker | None: ...


class Writes(Protocol):
    """Whoever holds the one writer's place, for as long as it is needed."""

    def writing(self, wait: bool = True, index: bool = True) -> AbstractContextManager[object]: ...


@dataclass(slots=True)
class _Draft:
    """Documents whose vectors were made, by passage."""

    docs: list[int] = field(default_factory=list)
    made: dict[int, Values] = field(default_factory=dict)


class Near:
    """The vectors of a library, named by model and number, and a pointer to those in use."""

    def __init__(self, store: Store, models: Models) -> None:
        self._place = store.place
        self._store = store
        self._models = models
        self._open: VectorIndex | None = None

    @cached_property
    def embedder(self) -> Embedder | None:
        return self._models.embedder()

    @cached_property
    def reranker(self) -> Reranker | None:
        return self._models.reranker()

    @property
    def in_use(self) -> bool:
        """Whether searches go by vectors too."""
        return bool(self._pointed())

    def search(self, asked: Asked, scope: Scope, k: int) -> dict[int, float]:
        """Row ids of the nearest passages in scope, nearest first; none where full text goes alone."""
        live = self._live()
        if live is None or asked.vector == ():
            return {}
        embedder = self.embedder
        if embedder is None or not self._is_of(live.name, embedder):
            return {}
        vector: Any = asked.vector
        if vector is None:
            vector = embedder.query(asked.meaning or asked.text, asked.tenant)
        while vector is not None and live is not None and self._is_of(live.name, embedder):
            try:
                found = live.search(vector, scope, k)
            except HomeBroken:
                if self._live() is live:
                    raise
                found = []
            if found or self._live() is live:
                return dict(found)
            live = self._live()  # a rebuild took its place a moment ago
        return {}

    def fused(self, ranked: list[Candidate], near: Mapping[int, float]) -> list[Candidate]:
        """Candidates with their nearness counted in."""
        return fuse(ranked, near, self._models.nearness)

    def reranked(self, asked: Asked, ranked: list[Candidate]) -> tuple[list[Candidate], str]:
        """The first of the candidates in the order of the reranker, where there is one; and how they stand."""
        head = ranked[:RERANKED]
        reranker = asked.reranker or self.reranker
        if reranker is None or len(head) < 2:
            return ranked, BY_SCORE
        label = reduce(Label.join, (one.passage.label for one in head))
        told = reranker.scores(asked.text, [written(one.passage) for one in head], label, asked.tenant)
        if told is None:
            return ranked, FALLBACK
        order = sorted(range(len(head)), key=lambda place: -told[place])
        return [*(head[place] for place in order), *ranked[RERANKED:]], BY_MODEL

    def told(self) -> str:
        """Which vectors take part, in words."""
        live = self._live()
        embedder = self.embedder
        if embedder is None:
            return "none: full text alone; name a model: setting embed_model"
        if self._place.vectors("vectors-none") is None:
            return "none: full text alone; the database has no pgvector"
        if live is None or not self._is_of(live.name, embedder):
            return "none yet of this model: full text alone until selat index rebuild has ended"
        waiting = len(self._store.unvectored(live.name, 1_000_000))
        return f"{live.name}: {live.size} passages" + (f", {waiting} documents wait" if waiting else "")

    def recall(self, questions: Sequence[str], tenant: str, scope: Scope, k: int) -> float | None:
        """The share of the exact nearest that a search finds; None where full text goes alone."""
        live = self._live()
        if live is None or self.embedder is None or not self._is_of(live.name, self.embedder):
            return None
        made: list[Any] = [self.embedder.query(text, tenant) for text in questions]
        return recall(live, [one for one in made if one is not None], scope, k)

    def catch_up(self, library: Writes) -> None:
        """Make the vectors that are missing. Nothing is locked while a model works; one process does this."""
        embedder = self.embedder
        if embedder is None:
            return self.refold(library)
        with self._place.locked(VECTORS, wait=False) as alone:
            if alone:
                name = self._pointed()
                if not self._is_of(name, embedder):
                    name = self._next(embedder)
                self._fill(library, name, embedder)

    def rebuild(self, library: Writes) -> None:
        """Make all vectors anew beside the live ones, then swap; after whoever makes some now."""
        embedder = self.embedder
        if embedder is None:
            return
        with self._place.locked(VECTORS):
            name = self._next(embedder)
            self._place.drop(VECTORS, name)
            self._fill(library, name, embedder)

    def refold(self, library: Writes) -> None:
        """Have vectors follow their documents' labels and groups, without a model."""
        name = self._pointed()
        if not name:
            return
        with self._place.locked(VECTORS, wait=False) as alone:
            if alone:
                self._fill(library, name, None)

    def forget(self, docs: Sequence[int]) -> None:
        """Take removed documents out."""
        live = self._live()
        if live is not None and docs:
            live.add([], docs)

    def close(self) -> None:
        """Let go of the models, where they were used."""
        for name in ("embedder", "reranker"):
            if (model := self.__dict__.pop(name, None)) is not None:
                model.close()

    def _fill(self, library: Writes, name: str, embedder: Embedder | None) -> None:
        vectors = self._place.vectors(name)
        if vectors is None:
            return
        passed: set[int] = set()
        while True:
            rows = [row for row in self._store.unvectored(name, TOGETHER + len(passed)) if row.doc not in passed]
            if not rows:
                break
            draft = self._draft(rows, vectors, embedder)
            passed.update(row.doc for row in rows if row.doc not in draft.docs)
            with library.writing(index=False):
                added = list(self._vectors_of(draft))
                vectors.add(added, draft.docs)
                self._store.vectored(draft.docs, name)
        if name != self._pointed() and embedder is not None:
            self._point(name)

    def _draft(self, rows: Sequence[Row], vectors: VectorIndex, embedder: Embedder | None) -> _Draft:
        """Vectors for the passages of these documents: those that are held, else what a model makes."""
        draft = _Draft()
        for row in rows:
            passages = self._store.of_document(row.doc)
            known: dict[int, Any] = dict(vectors.known([one.id for one in passages]))
            fresh = [one for one in passages if one.id not in known]
            if fresh and embedder is None:
                continue
            if fresh and embedder is not None:
                known |= _made(embedder, row, fresh)
            draft.docs.append(row.doc)
            draft.made |= known
        return draft

    def _vectors_of(self, draft: _Draft) -> Iterator[Vector]:
        """The draft's vectors under the labels and groups of now; documents that went meanwhile are left out."""
        from selat.knowledge.vectors import Vector

        for row in self._store.rows(draft.docs):
            for one in self._store.of_document(row.doc):
                values: Any = draft.made.get(one.id)
                if values is not None:
                    scope = (row.tenant, row.collection, row.readers)
                    yield Vector(one.id, row.doc, scope, one.passage.label, values)

    def _live(self) -> VectorIndex | None:
        name = self._pointed()
        if not name.startswith(f"vectors-v{VERSION}-"):
            return None
        if self._open is None or self._open.name != name:
            self._open = self._place.vectors(name)
        return self._open

    def _pointed(self) -> str:
        return self._place.pointed(VECTORS)

    def _is_of(self, name: str, embedder: Embedder) -> bool:
        return name.startswith(f"vectors-v{VERSION}-{embedder.digest[:16]}-")

    def _next(self, embedder: Embedder) -> str:
        """The name of the folder after the one in use: the same after a kill, which so goes on where it was."""
        old = self._pointed()
        number = int(old.rsplit("-", 1)[1]) + 1 if old else 1
        return f"vectors-v{VERSION}-{embedder.digest[:16]}-{number}"

    def _point(self, name: str) -> None:
        old = self._pointed()
        self._place.point(VECTORS, name)
        if old:
            self._place.drop(VECTORS, old)


def recall(vectors: VectorIndex, asked: Sequence[Any], scope: Scope, k: int) -> float:
    """The share of the exact `k` nearest that a search finds, over these questions."""
    found = sought = 0
    for one in asked:
        exact = {identity for identity, _ in vectors.search(one, scope, k, exact=True)}
        found += len(exact & {identity for identity, _ in vectors.search(one, scope, k)})
        sought += len(exact)
    return found / sought if sought else 1.0


def _made(embedder: Embedder, row: Row, passages: Sequence[Stored]) -> dict[int, Values]:
    """What the model makes of passages, each under its own label; none of a label that may not go to it."""
    by_label: dict[Label, list[Stored]] = {}
    for one in passages:
        by_label.setdefault(one.passage.label, []).append(one)
    found: dict[int, Values] = {}
    for label, some in by_label.items():
        made = embedder.passages([written(one.passage) for one in some], row.tenant, label)
        if made is not None:
            found |= {one.id: values for one, values in zip(some, made, strict=True)}
    return found


def written(passage: Any) -> str:
    """A passage as a model reads it: under its title and headings."""
    return "\n".join(part for part in (passage.source.title, passage.heading, passage.text) if part)


def fuse(ranked: Sequence[Candidate], near: Mapping[int, float], weight: float) -> list[Candidate]:
    """Candidates by what words found of them and how near they are, best first.

    The nearest adds `weight` to its score, the farthest of those that were told nothing: a cosine says more beside
    the question's other cosines than by itself.
    """
    if not near:
        return list(ranked)
    low, high = min(near.values()), max(near.values())
    reach = high - low
    added = {one: weight * ((cosine - low) / reach if reach else 1.0) for one, cosine in near.items()}
    fused = [replace(one, score=one.score + added[one.id]) if one.id in added else one for one in ranked]
    return sorted(fused, key=lambda one: -one.score)
