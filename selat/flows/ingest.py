"""A document becomes labelled, searchable passages."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from selat.core.errors import BadRequest, DocumentUnreadable, Misused
from selat.core.label import Label, parse_label
from selat.core.passage import Source
from selat.jobs import Here, Pool
from selat.knowledge import PARSE_VERSION, SUFFIXES, Child, Document, Library, ParsedText, Shelf, read_rows
from selat.knowledge.split import split

PAUSED_S = 0.5
TOGETHER = 32  # documents that go in under one lock
INDEX_EVERY = 2048
ROWS = (".jsonl", ".ndjson")
FAULTS = 3  # lines of a file of rows whose faults are told of one by one


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


def ingest(
    library: Library, paths: Iterable[Path], intake: Intake, done: Callable[[str], None], pool: Pool | None = None
) -> Report:
    """Read files and folders into the library; `done` hears each document's id as it is finished.

    Files are read by the workers of a pool, as many at once as it has cores, and shelved here; nothing is
    locked while they are read. A document that cannot be read is recorded with its reason and the rest goes on.
    What was there unchanged is skipped, so a run that was killed goes on where it was. Not to be called from a
    running event loop.
    Raises: Misused, for a path that does not exist.
    """
    report = Report()
    paths = list(paths)
    shelving = _Shelving(library, intake, report, done)
    asyncio.run(_read(_papers(library, paths, intake, shelving), pool or Here(), shelving.put))
    shelving.flush()
    with library.writing() as shelf:
        report.removed = _gone(library, paths, intake, shelving)
        for identity in report.removed:
            shelf.remove(intake.tenant, intake.collection, identity)
    library.catch_up()
    return report


async def _read(papers: Iterator[Paper], pool: Pool, put: Callable[[Document], None]) -> None:
    async with aclosing(pool.work(reading, papers, pool.cores)) as told:
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
                return await asyncio.to_thread(read_paper, paper, child)
            finally:
                free.append(child)

        yield read


class _Shelving:
    """Puts documents in, so many under one lock; `seen` are the ids of all that came.

    `rows` are the files of rows that were read with their own ids, `faulty` those that hold what is no row.
    """

    def __init__(self, library: Library, intake: Intake, report: Report, done: Callable[[str], None]) -> None:
        self.seen: set[str] = set()
        self.rows: dict[str, str] = {}
        self.faulty: set[str] = set()
        self._library, self._intake, self._report, self._done = library, intake, report, done
        self._batch: list[Document] = []
        self._unindexed = 0

    def put(self, document: Document) -> None:
        self._batch.append(document)
        if len(self._batch) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """What was put so far is in the library on return, and told as done."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        with self._library.writing(index=False) as shelf:
            for document in batch:
                _put(shelf, self._intake, document, self._report)
        for document in batch:
            self.seen.add(document.source.document)
            self._done(document.source.document)
        self._unindexed += len(batch)
        if self._unindexed >= INDEX_EVERY:
            self._library.catch_up()
            self._unindexed = 0


def _papers(library: Library, paths: Iterable[Path], intake: Intake, shelving: _Shelving) -> Iterator[Paper]:
    """The files that have to be parsed, in order; rows and unchanged files are put at once."""
    for path, identity in found(paths):
        while library.inbox.is_paused(intake.tenant):
            shelving.flush()
            time.sleep(PAUSED_S)
        if path.suffix.lower() in ROWS:
            shelving.rows[str(path.resolve())] = identity
            for document in _rows(path, identity, intake):
                shelving.put(document)
                if document.reason:
                    shelving.faulty.add(document.path)
            continue
        paper = paper_of(library, path, identity, intake)
        if known := _known(library, paper):
            shelving.put(known)
        else:
            yield paper


def paper_of(library: Library, path: Path, identity: str, intake: Intake) -> Paper:
    """The paper of a file below a folder that was given; where it lies in it is its folder in the collection."""
    folder = str(PurePosixPath(identity).parent)
    folder = "" if folder == "." else folder
    inherited = library.folders.rule(intake.tenant, intake.collection, folder).label
    return Paper(path, identity, intake, folder=folder, inherited=inherited)


def _gone(library: Library, paths: Iterable[Path], intake: Intake, shelving: _Shelving) -> list[str]:
    """Ids of what came from the given files and folders and is no longer there: files of rows that failed before
    and are whole now; and, to keep in step, documents. A row that can no longer be read is not gone.
    """
    if not intake.sync:
        whole = [identity for path, identity in shelving.rows.items() if path not in shelving.faulty]
        records = [library.store.record(intake.tenant, intake.collection, identity) for identity in whole]
        return [one.document for one in records if one and one.reason and not one.passages]
    roots = [path.resolve() for path in paths]
    return [
        record.document
        for record in library.store.records(intake.tenant, intake.collection)
        if record.document not in shelving.seen
        and record.path not in shelving.faulty
        and any(Path(record.path).is_relative_to(root) for root in roots)
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


def never_lower(document: Document, held: Label | None) -> Document:
    """A document under no lower label than the one it is held under: only an officer lowers one."""
    if held is None or (label := document.label.join(held)) == document.label:
        return document
    passages = [replace(passage, label=passage.label.join(held)) for passage in document.passages]
    return replace(document, label=label, passages=passages)


def _put(shelf: Shelf, intake: Intake, document: Document, report: Report) -> None:
    identity = document.source.document
    kept = never_lower(document, shelf.label(intake.tenant, intake.collection, identity))
    if kept is not document:
        report.kept.append(identity)
    document = kept
    if not shelf.add(intake.tenant, intake.collection, document):
        report.unchanged += 1
    elif document.reason:
        report.failed[identity] = document.reason
    else:
        report.added.append(identity)


@dataclass(frozen=True, slots=True)
class Paper:
    """One file to read, with all that decides what becomes of it: values only, so it can go to another process.

    `name` is the file's as people know it; `inherited` the label of its folder; `original` its name where it was
    sent in.
    """

    path: Path
    identity: str
    intake: Intake
    name: str = ""
    folder: str = ""
    inherited: Label | None = None
    original: str = ""

    @property
    def found_at(self) -> str:
        """Where the file is found again; nowhere for one that was sent in."""
        return "" if self.original else str(self.path.resolve())


def digest_of(paper: Paper) -> str:
    """What the paper was made from: its bytes, its labels and the parser. Raises: OSError."""
    return _digest(paper.path.read_bytes(), paper.intake, paper.inherited)


def read_paper(paper: Paper, child: Child) -> Document:
    """The document of one file, or why it has none. The same paper gives the same document anywhere."""
    intake, name = paper.intake, paper.name or paper.path.name
    stem = PurePosixPath(name).stem
    source = Source(paper.identity, stem, name, language=intake.language)
    blank = Document(source, intake.label, "", (), paper.found_at, "", paper.folder, paper.original)
    if paper.inherited:
        blank = replace(blank, label=intake.label.join(paper.inherited))
    try:
        blank = replace(blank, digest=digest_of(paper))
        parsed = child.parse(paper.path)
        label = _label(parsed, paper)
    except OSError as error:
        return replace(blank, reason=f"the file cannot be opened: {error.strerror}")
    except (DocumentUnreadable, BadRequest) as error:
        return replace(blank, reason=str(error))
    facts = parsed.facts
    source = Source(
        paper.identity,
        facts.get("title") or stem,
        facts.get("origin") or name,
        facts.get("dated", ""),
        intake.language or facts.get("language", ""),
    )
    return replace(blank, source=source, label=label, passages=split(parsed, label, source))


def _known(library: Library, paper: Paper) -> Document | None:
    """The document of an unchanged file, as it is held."""
    try:
        digest = digest_of(paper)
    except OSError:
        return None
    return library.holds(paper.intake.tenant, paper.intake.collection, paper.identity, digest)


def _rows(path: Path, identity: str, intake: Intake) -> Iterator[Document]:
    """One document a row; and the file itself as one that failed, where some line of it is no row."""
    faults: list[str] = []
    some = False
    try:
        for row, parsed in read_rows(path, intake.id_field, faults):
            some = True
            source = Source(row, parsed.facts.get("title") or row, path.name, language=intake.language)
            digest = _digest(parsed.text.encode(), intake, None)
            yield Document(source, intake.label, digest, split(parsed, intake.label, source), str(path.resolve()))
    except OSError as error:
        faults.append(f"the file cannot be opened: {error.strerror}")
    if not (some or faults):
        faults.append("the file is empty")
    if faults:
        more = f" (and {len(faults) - FAULTS} more lines)" if len(faults) > FAULTS else ""
        reason = f"{'; '.join(faults[:FAULTS])}{more}; mend it and ingest it again"
        digest = hashlib.sha256(reason.encode()).hexdigest()
        yield Document(Source(identity, path.name), intake.label, digest, (), str(path.resolve()), reason)


def _label(parsed: ParsedText, paper: Paper) -> Label:
    """A document's own label, else the intake's where that was given, else its folder's, else the intake's.

    It is never lower than its folder's nor, under `force_label`, than the intake's.
    """
    own, intake, inherited = parsed.facts.get("label"), paper.intake, paper.inherited
    if own:
        label = parse_label(own)
        label = label.join(intake.label) if intake.force_label else label
    else:
        label = inherited if inherited and not intake.force_label else intake.label
    return label.join(inherited) if inherited else label


def _digest(data: bytes, intake: Intake, inherited: Label | None) -> str:
    """Of the content and of all that decides what becomes of it, so that a new label or parser takes effect."""
    settings = f"{PARSE_VERSION}|{intake.label}|{intake.force_label}|{intake.language}|"
    settings += f"{inherited}|" if inherited else ""
    return hashlib.sha256(settings.encode() + data).hexdigest()
