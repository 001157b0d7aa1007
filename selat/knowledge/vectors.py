"""Dense vectors beside the full text: int8 scanned exactly, the best rescored in float; HNSW for very many.

A folder of segments that are only ever added to, and a manifest that is replaced in one step: many processes
read while one writes. Tenant, collection, groups and the three axes of the label are columns beside the vectors,
so a search meets only what its caller may see. Like the full text, it is a fold of the store.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selat.core.label import HIGHEST, Label
from selat.knowledge.scope import Scope

VERSION = 1
SCAN_LIMIT = 300_000  # vectors that are scanned exactly; when a filter leaves more, HNSW looks for them
RESCORED = 100  # least candidates that are scored again in float
MERGE_AT = 8  # segments, above which they become one
_BLOCK = 4096
_SPARSE = 0.3  # a filter that leaves a smaller share is applied before the scan, not after it
_AXES = ("official", "cloud", "personal")
_FRESH_S = 0.05

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vector:
    """A passage's vector with all that a search filters by. `id` and `doc` are the store's row ids."""

    id: int
    doc: int
    scope: tuple[str, str, str]  # tenant, collection, readers
    label: Label
    values: Floats


@dataclass(slots=True)
class _Segment:
    """Columns of one segment, read from disk as they are needed; `alive` is what no later segment replaced."""

    name: str
    ids: Ints
    docs: Ints
    scopes: NDArray[np.int32]
    axes: NDArray[np.uint8]
    scales: Floats
    small: NDArray[np.int8]
    whole: NDArray[np.float16]
    alive: NDArray[np.bool_]
    graph: Any = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class _View:
    """What one manifest says: its segments in order, and the scopes that rows refer to by number."""

    dimension: int = 0
    scopes: list[tuple[str, str, str]] = field(default_factory=list)
    segments: list[_Segment] = field(default_factory=list)


class Vectors:
    """One folder of vectors, all of one model."""

    def __init__(self, folder: Path, scan_limit: int = SCAN_LIMIT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.scan_limit = scan_limit
        self._manifest = folder / "manifest.json"
        self._view = _View()
        self._seen: tuple[int, int] | None = None
        self._fresh_until = 0.0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Vectors that a search may meet."""
        return sum(int(segment.alive.sum()) for segment in self._now().segments)

    def search(self, asked: Floats, scope: Scope, k: int, exact: bool = False) -> list[tuple[int, float]]:
        """Row ids of the `k` nearest passages in scope, by cosine, nearest first.

        Exact where the filter leaves `scan_limit` vectors or fewer, or where `exact` says so.
        """
        view = self._now()
        if not view.segments or len(asked) != view.dimension:
            return []
        asked = _unit(asked)
        allowed = [number for number, one in enumerate(view.scopes) if _in_scope(one, scope)]
        small = _small(asked[None])[0][0]
        found = []
        for place, segment in enumerate(view.segments):
            mask = _mask(segment, allowed, len(view.scopes), scope)
            rows, told = self._nearest(segment, (asked, small), mask, k, exact)
            found.append((np.full(len(rows), place), rows, told))
        places, rows, told = (np.concatenate(column) for column in zip(*found, strict=True))
        most = min(max(RESCORED, 4 * k), len(rows))
        best = np.argpartition(-told, most - 1)[:most] if most else np.zeros(0, np.intp)
        scored: list[tuple[float, int]] = []
        for place, segment in enumerate(view.segments):
            mine = rows[best[places[best] == place]]
            if len(mine):
                floats = segment.whole[mine].astype(np.float32) @ asked
                scored += zip(floats.tolist(), segment.ids[mine].tolist(), strict=True)
        scored.sort(key=lambda one: (-one[0], one[1]))
        return [(identity, score) for score, identity in scored[:k]]

    def known(self, ids: Sequence[int]) -> dict[int, Floats]:
        """The vectors that are held for these passages, so that a change of label embeds nothing anew."""
        wanted = np.asarray(ids, np.int64)
        found: dict[int, Floats] = {}
        for segment in self._now().segments:
            for row in np.flatnonzero(np.isin(segment.ids, wanted) & segment.alive):
                found[int(segment.ids[row])] = segment.whole[row].astype(np.float32)
        return found

    def add(self, vectors: Sequence[Vector], replaced: Sequence[int]) -> None:
        """Add a segment, and take earlier vectors of the documents `replaced` out. One process at a time."""
        self._fresh_until = 0.0
        view = self._now()
        told = self._read_manifest()
        if not vectors and not (replaced and view.segments):
            return
        scopes = [tuple(one) for one in told["scopes"]]
        for vector in vectors:
            if vector.scope not in scopes:
                scopes.append(vector.scope)
        name = f"s{told['next']:06d}"
        if vectors:
            self._write(name, _columns(vectors, [*scopes]))
            told["dimension"] = len(vectors[0].values)
        told["segments"].append([name, len(vectors), [int(doc) for doc in replaced]])
        self._publish({**told, "scopes": scopes, "next": told["next"] + 1})
        if len(told["segments"]) > MERGE_AT:
            self.merge()

    def merge(self) -> None:
        """Make one segment of all that is alive, with a graph over it where it is above the scan limit."""
        self._fresh_until = 0.0
        view, told = self._now(), self._read_manifest()
        old = [name for name, _, _ in told["segments"]]
        parts = [(segment, np.flatnonzero(segment.alive)) for segment in view.segments]
        count = sum(len(rows) for _, rows in parts)
        name = f"s{told['next']:06d}"
        if count:
            columns = {
                column: np.concatenate([np.asarray(getattr(segment, column)[rows]) for segment, rows in parts])
                for column in _COLUMNS
            }
            self._write(name, columns)
            if count > self.scan_limit:
                self._build_graph(name, columns["whole"])
        segments = [[name, count, []]] if count else []
        self._publish({**told, "segments": segments, "next": told["next"] + 1})
        for gone in old:
            for path in self.folder.glob(f"{gone}.*"):
                path.unlink(missing_ok=True)

    def recall(self, asked: Sequence[Floats], scope: Scope, k: int) -> float:
        """The share of the exact `k` nearest that a search finds, over these questions."""
        found = sought = 0
        for one in asked:
            exact = {identity for identity, _ in self.search(one, scope, k, exact=True)}
            found += len(exact & {identity for identity, _ in self.search(one, scope, k)})
            sought += len(exact)
        return found / sought if sought else 1.0

    def _nearest(
        self,
        segment: _Segment,
        both: tuple[Floats, NDArray[np.int8]],
        mask: NDArray[np.bool_],
        k: int,
        exact: bool,
    ) -> tuple[NDArray[np.intp], Floats]:
        """Rows that may be scored in float, with their int8 products: the best, or those the graph leads to."""
        asked, small = both
        left = int(mask.sum())
        most = min(max(RESCORED, 4 * k), left)
        if not most:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        if segment.graph is not None and left > self.scan_limit and not exact:
            reach = min(len(segment), int(2 * most * len(segment) / left))
            rows = np.asarray(segment.graph.search(asked, reach, exact=False).keys, np.intp)
            rows = rows[mask[rows]]
            return rows, _products(np.ascontiguousarray(segment.small[rows]), small) * segment.scales[rows]
        if left < _SPARSE * len(segment):
            rows = np.flatnonzero(mask)
            told = _products(np.ascontiguousarray(segment.small[rows]), small) * segment.scales[rows]
        else:
            rows = np.arange(len(segment))
            told = np.where(mask, _products(segment.small, small) * segment.scales, -np.inf)
        best = np.argpartition(-told, most - 1)[:most]
        return rows[best], told[best]

    def _now(self) -> _View:
        """The view of the last manifest; a new one by another process is noticed by its file."""
        if time.monotonic() < self._fresh_until:
            return self._view
        with self._lock:
            try:
                status = os.stat(self._manifest)
            except FileNotFoundError:
                return self._view
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                try:
                    self._view = self._load()
                except FileNotFoundError:  # merged a moment ago: the next look finds the new manifest
                    return self._view
                self._seen = seen
            self._fresh_until = time.monotonic() + _FRESH_S
            return self._view

    def _load(self) -> _View:
        told = self._read_manifest()
        held = {segment.name: segment for segment in self._view.segments}
        segments: list[_Segment] = []
        for name, count, replaced in told["segments"]:
            if replaced:
                for earlier in segments:
                    earlier.alive = earlier.alive & ~np.isin(earlier.docs, replaced)
            if count:
                # A copy: others may be searching the view that holds the segment as it was.
                segments.append(replace(held.get(name) or self._open(name), alive=np.ones(count, np.bool_)))
        scopes = [(tenant, collection, readers) for tenant, collection, readers in told["scopes"]]
        return _View(told["dimension"], scopes, segments)

    def _open(self, name: str) -> _Segment:
        columns = {
            column: np.load(self.folder / f"{name}.{column}.npy", mmap_mode="r" if column in _LARGE else None)
            for column in _COLUMNS
        }
        graph = self.folder / f"{name}.usearch"
        return _Segment(
            name,
            **columns,
            alive=np.ones(len(columns["ids"]), np.bool_),
            graph=_graph_of(graph) if graph.exists() else None,
        )

    def _write(self, name: str, columns: dict[str, NDArray[Any]]) -> None:
        for column, values in columns.items():
            np.save(self.folder / f"{name}.{column}.npy", values)

    def _build_graph(self, name: str, whole: NDArray[np.float16]) -> None:
        from usearch.index import Index

        graph = Index(ndim=whole.shape[1], metric="ip", dtype="i8")
        graph.add(np.arange(len(whole)), whole.astype(np.float32))
        graph.save(str(self.folder / f"{name}.usearch"))

    def _read_manifest(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._manifest.read_text("utf-8"))
        except FileNotFoundError:
            return {"dimension": 0, "scopes": [], "segments": [], "next": 1}
        return told

    def _publish(self, told: dict[str, Any]) -> None:
        fresh = self._manifest.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(told), "utf-8")
        fresh.replace(self._manifest)
        self._fresh_until = 0.0


_COLUMNS = ("ids", "docs", "scopes", "axes", "scales", "small", "whole")
_LARGE = ("small", "whole")


def _columns(vectors: Sequence[Vector], scopes: list[tuple[str, ...]]) -> dict[str, NDArray[Any]]:
    number = {scope: place for place, scope in enumerate(scopes)}
    whole = np.stack([_unit(vector.values) for vector in vectors])
    small, scales = _small(whole)
    return {
        "ids": np.array([vector.id for vector in vectors], np.int64),
        "docs": np.array([vector.doc for vector in vectors], np.int64),
        "scopes": np.array([number[vector.scope] for vector in vectors], np.int32),
        "axes": np.array([[int(getattr(one.label, axis)) for axis in _AXES] for one in vectors], np.uint8),
        "scales": scales,
        "small": small,
        "whole": whole.astype(np.float16),
    }


def _in_scope(one: tuple[str, str, str], scope: Scope) -> bool:
    tenant, collection, readers = one
    if tenant != scope.tenant or scope.collection not in ("", collection):
        return False
    return not readers or not scope.groups.isdisjoint(readers.split(","))


def _mask(segment: _Segment, allowed: list[int], scopes: int, scope: Scope) -> NDArray[np.bool_]:
    """Which rows the caller may meet."""
    mask = segment.alive
    if len(allowed) < scopes:
        mask = mask & np.isin(segment.scopes, allowed)
    for place, axis in enumerate(_AXES):
        level = int(getattr(scope.clearance, axis))
        if level < int(getattr(HIGHEST, axis)):
            mask = mask & (segment.axes[:, place] <= level)
    return mask


def _unit(values: Any) -> Floats:
    floats: Floats = np.asarray(values, np.float32)
    length = np.float32(np.linalg.norm(floats))
    return floats / length if length else floats


def _small(whole: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Rows as int8 with the scale of each: `row = small * scale` to within half a step."""
    scales = np.abs(whole).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return np.rint(whole / scales[:, None]).astype(np.int8), scales


def _by_blocks(rows: NDArray[np.int8], asked: NDArray[np.int8]) -> Floats:
    floats = asked.astype(np.float32)
    parts = [rows[at : at + _BLOCK].astype(np.float32) @ floats for at in range(0, len(rows), _BLOCK)]
    return np.concatenate(parts)


def _kernel() -> Callable[[NDArray[np.int8], NDArray[np.int8]], Floats]:
    """NumKong's int8 products (seven times faster than ours), where the extra `embed` brought it."""
    try:
        import numkong
    except ImportError:
        return _by_blocks

    def products(rows: NDArray[np.int8], asked: NDArray[np.int8]) -> Floats:
        return np.asarray(numkong.cdist(asked[None], rows, "dot"), np.float32).ravel()

    return products


_products = _kernel()


def _graph_of(path: Path) -> Any:
    from usearch.index import Index

    return Index.restore(str(path), view=True)
