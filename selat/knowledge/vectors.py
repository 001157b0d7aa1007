"""Dense vectors beside the full text: int8 says which may be nearest, float32 which are; HNSW for very many.

A folder of segments that are only ever added to, and a manifest that is replaced in one step: many processes
read while one writes. Tenant, collection, groups and the three axes of the label are columns beside the vectors,
so a search meets only what its caller may see. Like the full text, it is a fold of the store.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selat.core.label import HIGHEST, Label
from selat.knowledge.scope import Scope

VERSION = 1
SCAN_LIMIT = 300_000  # vectors that are scanned exactly; when a filter leaves more, HNSW looks for them
RESCORED = 100  # least candidates that the graph is asked for
MERGE_AT = 8  # segments, above which they become one
_BLOCK = 4096
_SPARSE = 0.3  # a filter that leaves a smaller share is applied before the scan, not after it
_AXES = ("official", "cloud", "personal")
_FRESH_S = 0.05

_ROUNDED = 1e-5  # what the float sums themselves may be off

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


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
    whole: Floats  # float16 where an earlier Selat wrote it
    alive: NDArray[np.bool_]
    graph: Any = None

    def __len__(self) -> int:
        return len(self.ids)


class _Bounded(NamedTuple):
    """Rows of a segment with the least and the most that the cosine of each may be."""

    rows: Rows
    least: Floats
    most: Floats


@dataclass(slots=True)
class _View:
    """What one manifest says: its segments in order, and the scopes that rows refer to by number."""

    dimension: int = 0
    scopes: list[tuple[str, str, str]] = field(default_factory=list)
    segments: list[_Segment] = field(default_factory=list)


class Vectors:
    """One folder of vectors, all of one model."""

    def __init__(self, folder: Path, scan_limit: int = SCAN_LIMIT) -> None:
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

        What the int8 products leave possible is scored in float, so they are the true `k` nearest where the filter
        leaves `scan_limit` vectors or fewer. `exact` scores all in float, to measure by.
        """
        view = self._now()
        if not view.segments or len(asked) != view.dimension:
            return []
        asked = _unit(asked)
        allowed = [number for number, one in enumerate(view.scopes) if _in_scope(one, scope)]
        met = []
        for segment in view.segments:
            mask = _mask(segment, allowed, len(view.scopes), scope)
            met.append((segment, _all(mask) if exact else self._bounded(segment, asked, mask, k)))
        return _nearest(asked, met, k)

    def known(self, ids: Sequence[int]) -> dict[int, Floats]:
        """The vectors that are held for these passages, so that a change of label embeds nothing anew."""
        wanted = np.asarray(ids, np.int64)
        found: dict[int, Floats] = {}
        for segment in self._now().segments:
            for row in np.flatnonzero(np.isin(segment.ids, wanted) & segment.alive):
                found[int(segment.ids[row])] = np.array(segment.whole[row], np.float32)
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
            for column, values in _columns(vectors, [*scopes]).items():
                self._write(name, column, len(vectors), [values])
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
            for column in _COLUMNS:
                self._write(name, column, count, _pieces(column, parts))
            if count > self.scan_limit:
                self._build_graph(name)
        segments = [[name, count, []]] if count else []
        self._publish({**told, "segments": segments, "next": told["next"] + 1})
        for gone in old:
            for path in self.folder.glob(f"{gone}.*"):
                path.unlink(missing_ok=True)

    def _bounded(self, segment: _Segment, asked: Floats, mask: NDArray[np.bool_], k: int) -> _Bounded:
        """Rows that may be among the nearest, with what their int8 products leave possible of their cosines."""
        (small,), (step,) = _small(asked[None])
        rows = np.flatnonzero(mask)
        if segment.graph is not None and len(rows) > self.scan_limit:
            most = min(max(RESCORED, 4 * k), len(rows))
            reach = min(len(segment), int(2 * most * len(segment) / len(rows)))
            led_to = np.asarray(segment.graph.search(asked, reach, exact=False).keys, np.intp)
            rows = led_to[mask[led_to]]
        if not len(rows):
            return _all(np.zeros(len(segment), np.bool_))
        if len(rows) < _SPARSE * len(segment):
            products = _products(np.ascontiguousarray(segment.small[rows]), small)
        else:
            products = _products(segment.small, small)[rows]
        scales = segment.scales[rows]
        told = products * scales * step
        # Cauchy-Schwarz: a row is off by at most half a step in each place, the question by what it lost.
        lost = float(np.linalg.norm(asked - small * step))
        off = (0.5 * len(asked) ** 0.5 * (1 + lost)) * scales + (lost + _ROUNDED)
        return _Bounded(rows, told - off, told + off)

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

    def _write(self, name: str, column: str, count: int, pieces: Iterable[NDArray[Any]]) -> None:
        """A column's file, piece by piece: all of it at once would be twice in memory."""
        pieces = iter(pieces)
        piece = next(pieces)
        self.folder.mkdir(parents=True, exist_ok=True)  # here: one who only reads makes no folder anew
        header = {"descr": piece.dtype.str, "fortran_order": False, "shape": (count, *piece.shape[1:])}
        with (self.folder / f"{name}.{column}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for one in (piece, *pieces):
                file.write(np.ascontiguousarray(one).data)

    def _build_graph(self, name: str) -> None:
        from usearch.index import Index

        whole = np.load(self.folder / f"{name}.whole.npy", mmap_mode="r")
        graph = Index(ndim=whole.shape[1], metric="ip", dtype="i8")
        graph.add(np.arange(len(whole)), whole)
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
        "whole": whole,
    }


def _pieces(column: str, parts: Sequence[tuple[_Segment, Rows]]) -> Iterator[NDArray[Any]]:
    """A column of these rows of these segments, in blocks."""
    for segment, rows in parts:
        values = getattr(segment, column)
        for at in range(0, len(rows), _BLOCK):
            piece = np.asarray(values[rows[at : at + _BLOCK]])
            yield piece.astype(np.float32) if column == "whole" else piece


def _all(mask: NDArray[np.bool_]) -> _Bounded:
    """Rows of which nothing is known."""
    rows = np.flatnonzero(mask)
    ends = np.ones(len(rows), np.float32)
    return _Bounded(rows, -ends, ends)


def _nearest(asked: Floats, met: Sequence[tuple[_Segment, _Bounded]], k: int) -> list[tuple[int, float]]:
    """The nearest in float of those whose greatest possible cosine reaches the least possible of `k` others."""
    least = np.concatenate([bounded.least for _, bounded in met])
    bar = np.partition(least, -k)[-k] if len(least) > k else -np.inf
    scores, ids = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
    for segment, bounded in met:
        rows = bounded.rows[bounded.most >= bar]
        for at in range(0, len(rows), _BLOCK):
            some = rows[at : at + _BLOCK]
            scores.append(segment.whole[some].astype(np.float32, copy=False) @ asked)
            ids.append(segment.ids[some])
    told, named = np.concatenate(scores), np.concatenate(ids)
    best = np.lexsort((named, -told))[:k]
    return list(zip(named[best].tolist(), told[best].tolist(), strict=True))


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
