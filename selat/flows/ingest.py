"""A document becomes labelled, searchable passages."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from selat.core.errors import BadRequest, DocumentUnreadable, Misused
from selat.core.label import Label, parse_label
from selat.core.passage import Source
from selat.jobs import Here, Pool
from selat.knowledge import (
    PARSE_VERSION,
    SUFFIXES,
    Child,
    Document,
    Library,
    ParsedText,
    Shelf,
    read_rows,
    split,
)

ROWS = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Intake:
    """Where documents go and what they are when they do not say so themselves.

    `label` is the tenant's for unlabelled documents. `force_label`: the given label holds even where a
    document names its own; a document may only raise it. `id_field` names the id in JSONL rows. `sync`: what is
    no longer in the files and folders given, and once came from them, is taken out.
    """

    tenant: str
    collection: str
    label: Label
    language: str = ""
    id_field: str = ""
    force_label: bool = False
    sync: bool = False


@dataclass(slots=True)
class Report:
    """What an ingestion did: ids of documents added or changed, how many were unchanged, and why some failed.

    `kept` are those whose label would have become lower and did not: only an officer lowers a label.
    """

    added: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Paper:
    """A file that is to be read, for a pool's worker: `digest` is of its content and of what is made of it."""

    path: Path
    identity: str
    digest: str
    intake: Intake


def ingest(
    library: Library, paths: Iterable[Path], intake: Intake, done: Callable[[str], None], pool: Pool | None = None
) -> Report:
    """Read files and folders into the library; `done` hears each document's id as it is finished.

    Files are read by the workers of a pool, as many at once as there are cores, and shelved here. A document that
    cannot be read is recorded with its reason and the rest goes on. What was there unchanged is skipped, so a run
    that was killed goes on where it was. Not to be called from a running event loop.
    Raises: Misused, for a path that does not exist.
    """
    report = Report()
    paths = list(paths)
    seen: set[str] = set()
    with library.writing() as shelf:

        def put(document: Document) -> None:
            _put(shelf, intake, document, report)
            seen.add(document.source.document)
            done(document.source.document)

        asyncio.run(_read(_papers(paths, intake, shelf, put), pool or Here(), put))
        if intake.sync:
            report.removed = _gone(library, paths, intake, seen)
            for identity in report.removed:
                shelf.remove(intake.tenant, intake.collection, identity)
    return report


async def _read(papers: Iterator[Paper], pool: Pool, put: Callable[[Document], None]) -> None:
    async with aclosing(pool.work(reading, papers, os.cpu_count() or 1)) as told:
        async for one in told:
            if one.result is None:
                raise one.error or AssertionError("a piece has a result or an error")
            put(one.result)


@asynccontextmanager
async def reading() -> AsyncIterator[Callable[[Paper], Awaitable[Document]]]:
    """How a worker reads papers: each in a parsing process, of which there are as many as papers under way."""
    with ExitStack() as stack:
        free: list[Child] = []

        async def read(paper: Paper) -> Document:
            child = free.pop() if free else stack.enter_context(Child())
            try:
                return await asyncio.to_thread(_document_of, paper, child)
            finally:
                free.append(child)

        yield read


def _gone(library: Library, paths: Iterable[Path], intake: Intake, seen: set[str]) -> list[str]:
    """Ids of documents that came from the given files and folders and are no longer there."""
    roots = [path.resolve() for path in paths]
    records = library.store.records(intake.tenant, intake.collection)
    return [
        record.document
        for record in records
        if record.document not in seen and any(Path(record.path).is_relative_to(root) for root in roots)
    ]


def found(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Files to read with their ids, in order: a file's name, or its path below the folder that was given."""
    for path in paths:
        if path.is_dir():
            inside = (one for one in sorted(path.rglob("*")) if one.is_file() and _readable(one, path))
            yield from ((one, one.relative_to(path).as_posix()) for one in inside)
        elif path.exists():
            yield path, path.name
        else:
            raise Misused(f"nothing at {path}; give files or folders that exist")


def _readable(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in (*SUFFIXES, *ROWS)


def _put(shelf: Shelf, intake: Intake, document: Document, report: Report) -> None:
    identity = document.source.document
    held = shelf.label(intake.tenant, intake.collection, identity)
    if held is not None and (label := document.label.join(held)) != document.label:
        passages = [replace(passage, label=passage.label.join(held)) for passage in document.passages]
        document = replace(document, label=label, passages=passages)
        report.kept.append(identity)
    if not shelf.add(intake.tenant, intake.collection, document):
        report.unchanged += 1
    elif document.reason:
        report.failed[identity] = document.reason
    else:
        report.added.append(identity)


def _papers(
    paths: Iterable[Path], intake: Intake, shelf: Shelf, put: Callable[[Document], None]
) -> Iterator[Paper]:
    """The files that have to be parsed, in order; rows, unchanged and unreadable files are put at once."""
    for path, identity in found(paths):
        if path.suffix.lower() in ROWS:
            for document in _rows(path, intake):
                put(document)
            continue
        try:
            digest = _digest(path.read_bytes(), intake)
        except OSError as error:
            source = Source(identity, path.stem, path.name, language=intake.language)
            reason = f"the file cannot be opened: {error.strerror}"
            put(Document(source, intake.label, "", (), str(path.resolve()), reason))
            continue
        if known := shelf.holds(intake.tenant, intake.collection, identity, digest):
            put(known)
        else:
            yield Paper(path, identity, digest, intake)


def _document_of(paper: Paper, child: Child) -> Document:
    """What a file holds, or why it cannot be read."""
    path, intake = paper.path, paper.intake
    try:
        parsed = child.parse(path)
        label = _label(parsed, intake)
    except (DocumentUnreadable, BadRequest) as error:
        source = Source(paper.identity, path.stem, path.name, language=intake.language)
        return Document(source, intake.label, paper.digest, (), str(path.resolve()), str(error))
    facts = parsed.facts
    source = Source(
        paper.identity,
        facts.get("title") or path.stem,
        facts.get("origin") or path.name,
        facts.get("dated", ""),
        intake.language or facts.get("language", ""),
    )
    return _document(source, parsed, label, paper.digest, path)


def _rows(path: Path, intake: Intake) -> Iterator[Document]:
    """One document a row. Raises: DocumentUnreadable, naming the line that is no JSON object."""
    for identity, parsed in read_rows(path, intake.id_field):
        source = Source(identity, parsed.facts.get("title") or identity, path.name, language=intake.language)
        yield _document(source, parsed, intake.label, _digest(parsed.text.encode(), intake), path)


def _document(source: Source, parsed: ParsedText, label: Label, digest: str, path: Path) -> Document:
    return Document(source, label, digest, split(parsed, label, source), str(path.resolve()))


def _label(parsed: ParsedText, intake: Intake) -> Label:
    """A document's own label, else the intake's; under `force_label` their join: never lower than given."""
    own = parsed.facts.get("label")
    if not own:
        return intake.label
    label = parse_label(own)
    return label.join(intake.label) if intake.force_label else label


def _digest(data: bytes, intake: Intake) -> str:
    """Of the content and of all that decides what becomes of it, so that a new label or parser takes effect."""
    settings = f"{PARSE_VERSION}|{intake.label}|{intake.force_label}|{intake.language}|"
    return hashlib.sha256(settings.encode() + data).hexdigest()
