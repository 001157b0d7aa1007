"""A document becomes labelled, searchable passages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from selat.core.errors import BadRequest, DocumentUnreadable, Misused
from selat.core.label import Label, parse_label
from selat.core.passage import Source
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


def ingest(library: Library, paths: Iterable[Path], intake: Intake, done: Callable[[str], None]) -> Report:
    """Read files and folders into the library; `done` hears each document's id as it is finished.

    A document that cannot be read is recorded with its reason and the rest goes on. What was there
    unchanged is skipped, so a run that was killed goes on where it was.
    Raises: Misused, for a path that does not exist.
    """
    report = Report()
    paths = list(paths)
    seen: set[str] = set()
    with library.writing() as shelf, Child() as child:
        for path, identity in found(paths):
            if path.suffix.lower() in ROWS:
                documents: Iterable[Document] = _rows(path, intake)
            else:
                documents = _file(path, identity, intake, shelf, child)
            for document in documents:
                _put(shelf, intake, document, report)
                seen.add(document.source.document)
                done(document.source.document)
        if intake.sync:
            report.removed = _gone(library, paths, intake, seen)
            for identity in report.removed:
                shelf.remove(intake.tenant, intake.collection, identity)
    return report


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


def _file(path: Path, identity: str, intake: Intake, shelf: Shelf, child: Child) -> Iterator[Document]:
    """The document of one file. An unchanged one is not parsed again."""
    source = Source(identity, path.stem, path.name, language=intake.language)
    try:
        digest = _digest(path.read_bytes(), intake)
    except OSError as error:
        yield Document(
            source, intake.label, "", (), str(path.resolve()), f"the file cannot be opened: {error.strerror}"
        )
        return
    known = shelf.holds(intake.tenant, intake.collection, identity, digest)
    if known:
        yield known
        return
    try:
        parsed = child.parse(path)
        label = _label(parsed, intake)
    except (DocumentUnreadable, BadRequest) as error:
        yield Document(source, intake.label, digest, (), str(path.resolve()), str(error))
        return
    facts = parsed.facts
    source = Source(
        identity,
        facts.get("title") or path.stem,
        facts.get("origin") or path.name,
        facts.get("dated", ""),
        intake.language or facts.get("language", ""),
    )
    yield _document(source, parsed, label, digest, path)


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
