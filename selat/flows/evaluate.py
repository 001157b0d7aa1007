"""evaluate: a model sits an eval; every sample goes through the chat flow, so it is decided and booked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec

from selat.core.caller import Caller
from selat.core.errors import EngineError, Forbidden, Misused, NotFound
from selat.evals import GENERATION, Pack, Reply, Sample, Scored, samples, score, template_digest
from selat.evals.item import CHAT
from selat.evals.read import read_means, read_reply
from selat.evals.run import COMPLETE, PARTIAL, Budget, Exam, Run, Subject
from selat.evals.store import Store
from selat.evals.template import DEFAULT
from selat.flows.chat import Desk, Whole, chat
from selat.jobs import Done, Here, Open, Pool
from selat.wire import APIS, read_ask

log = logging.getLogger("selat.evaluate")

PURPOSE = "eval"
_TRIES = 3
_WAIT_S = 0.5
_FAILURES_IN_A_ROW = 20

Put = Callable[[Sample], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, `seconds` after it began. `done` counts answered samples, those kept from before too.

    `why` is what the engine said of the last that failed.
    """

    done: int
    total: int
    cached: int
    failed: int
    seconds: float = 0.0
    why: str = ""

    @property
    def per_s(self) -> float:
        """Samples answered a second in this sitting."""
        return (self.done - self.cached) / self.seconds if self.seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at this rate; None before the first answer."""
        return (self.total - self.done) / self.per_s if self.per_s else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sat: `now` gives RFC 3339 UTC text; `tell` hears of each sample, also of one that failed."""

    run: Run
    packs: tuple[Pack, ...]
    budget: Budget
    now: Callable[[], str]
    tell: Callable[[Progress], None] = lambda progress: None


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which conditions an exam is sat: the forms, how replies are read, and where it stops."""

    templates: tuple[str, ...] = (DEFAULT,)
    scoring: str = GENERATION
    budget: Budget = field(default_factory=Budget)


def planned(run_id: str, now: Callable[[], str], subject: Subject, packs: Sequence[Pack], terms: Terms) -> Plan:
    """A plan for a fresh run. Raises: NotFound, for a form that is not there; Misused, for a pack named twice."""
    if len({pack.name for pack in packs}) < len(packs):
        raise Misused("a pack is named twice; each is sat once")
    exams = tuple(Exam(pack.name, pack.digest, pack.version) for pack in packs)
    forms = tuple(Exam(name, template_digest(name)) for name in terms.templates)
    return Plan(Run(run_id, now(), subject, exams, forms, terms.scoring), tuple(packs), terms.budget, now)


class _Engine(Protocol):
    @property
    def name(self) -> str: ...

    def upstream_model(self, model: str) -> str: ...


class _Llama(Protocol):
    @property
    def gguf(self) -> str: ...
    @property
    def context(self) -> int: ...
    @property
    def chat_template(self) -> str: ...
    @property
    def adapters(self) -> Sequence[tuple[str, str]]: ...


class _Shelf(Protocol):
    def lookup(self, model: str) -> Sequence[_Engine]: ...
    def models(self) -> tuple[str, ...]: ...


def subject_of(engine: _Engine, model: str, weights: str = "", chat_template: str = "") -> Subject:
    """What an engine is known to run under a model's name; digests of files where they were given."""
    spec = getattr(engine, "spec", None)  # an engine that is built in has none
    return Subject(
        model=model,
        engine=engine.name,
        kind=getattr(spec, "kind", "built-in"),
        url=getattr(spec, "url", ""),
        upstream=engine.upstream_model(model),
        weights=weights,
        chat_template=chat_template,
        settings=_settings(getattr(spec, "llama", None), model),
    )


def own_weights(engine: _Engine) -> Path | None:
    """The weights' file of an engine that Selat runs itself; None for others: their files are theirs to know."""
    llama = getattr(getattr(engine, "spec", None), "llama", None)
    return Path(llama.gguf) if llama is not None else None


def _settings(llama: _Llama | None, model: str) -> tuple[tuple[str, str], ...]:
    """What a model's answers depend on beside its weights; an adapter's file as it was when it was looked at."""
    if llama is None:
        return ()
    told = [("gguf", llama.gguf), ("context", str(llama.context)), ("chat_template", llama.chat_template)]
    for name, path in llama.adapters:
        if name == model:
            seen = Path(path).stat() if Path(path).is_file() else None
            told.append(("adapter", f"{path} {seen.st_size} {seen.st_mtime_ns}" if seen else path))
    return tuple(told)


def choose_engine(shelf: _Shelf, model: str, engine: str = "") -> _Engine:
    """The engine of a model that sits the exam: the one named, else the first. Raises: NotFound."""
    found = list(shelf.lookup(model))
    if not found:
        raise NotFound(f"no such model; registered: {', '.join(shelf.models())}. Add one: selat engine add")
    for one in found:
        if engine in ("", one.name):
            return one
    raise NotFound(f"no engine of that name serves this model; known: {', '.join(one.name for one in found)}")


class _OneEngine:
    """A shelf with one engine of one model: an exam is sat by one engine, named in its result."""

    def __init__(self, desk: Desk, model: str, engine: str) -> None:
        self._shelf = desk.shelf
        self._model = model
        self._engine = engine

    def lookup(self, model: str) -> Sequence[object]:
        return [engine for engine in self._shelf.lookup(model) if engine.name == self._engine]

    def models(self) -> tuple[str, ...]:
        return (self._model,)


def putting(desk: Desk, caller: Caller, subject: Subject) -> Put:
    """How a sample is put to a subject: as the purpose `eval`, by the chat flow, at one engine."""
    narrowed = replace(desk, shelf=_OneEngine(desk, subject.model, subject.engine))  # type: ignore[arg-type]
    model = b'{"model":' + msgspec.json.encode(subject.model) + b","

    async def put(sample: Sample) -> Reply:
        started = time.monotonic()
        ask = read_ask(APIS[sample.path], caller, model + sample.body[1:], PURPOSE, caller.prompt_label)
        ask = ask._replace(background=True)
        try:
            reply = await chat(narrowed, ask)
        except Forbidden as error:
            return Reply("", outcome="denied", receipt=error.receipt or "")
        assert isinstance(reply, Whole)
        if reply.status >= 400:
            raise EngineError(f"engine '{subject.engine}' refused the sample with status {reply.status}")
        read = (read_reply if sample.path == CHAT else read_means)(reply.body, subject.engine)
        return replace(
            read,
            masked=reply.opening.about.decision.effect == "redact",
            receipt=reply.opening.id,
            duration_ms=int((time.monotonic() - started) * 1000),
        )

    return put


def patient(put: Put) -> Put:
    """A put that tries three times before it raises EngineError."""

    async def tried(sample: Sample) -> Reply:
        for attempt in range(1, _TRIES):
            try:
                return await put(sample)
            except EngineError as error:
                log.info("sample %s of %s, try %d: %s", sample.item.id, sample.pack, attempt, error)
                await asyncio.sleep(_WAIT_S * 2 ** (attempt - 1))
        return await put(sample)

    return tried


def opened(put: Put) -> Open[Sample, Reply]:
    """A put of this process as a pool of this process takes it."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Put]:
        yield patient(put)

    return opening


@dataclass(slots=True)
class _Sitting:
    """One run under way: what was answered, what it cost, and why it stopped early, if it did."""

    plan: Plan
    store: Store
    total: int
    answered: dict[str, Reply]
    cached: int
    started: float = field(default_factory=time.monotonic)
    tokens: int = 0
    asked: int = 0
    failed: int = 0
    in_a_row: int = 0
    stopped: str = ""

    async def sit(self, todo: Sequence[Sample], opening: Open[Sample, Reply], pool: Pool) -> None:
        work = pool.work(opening, self._drawn(todo), self.plan.budget.at_once)
        async with aclosing(work) as told:
            async for one in told:
                self._take(one)

    def _drawn(self, todo: Sequence[Sample]) -> Iterator[Sample]:
        for sample in todo:
            if self._spent():
                return
            self.asked += 1
            yield sample

    def _take(self, one: Done[Sample, Reply]) -> None:
        """Keep a reply at once; a sample without one is missing, never wrong."""
        if one.result is None:
            if not isinstance(one.error, EngineError):
                raise one.error or AssertionError("a piece has a result or an error")
            self.failed += 1
            self.in_a_row += 1
            self.tell(str(one.error))
            if self.in_a_row >= _FAILURES_IN_A_ROW:
                self.stopped = "failures"
            return
        self.in_a_row = 0
        self.store.keep(self.plan.run.subject.digest, {one.piece.digest: one.result})
        self.answered[one.piece.digest] = one.result
        self.tokens += one.result.prompt_tokens + one.result.completion_tokens
        self.tell()

    def tell(self, why: str = "") -> None:
        seconds = time.monotonic() - self.started
        self.plan.tell(Progress(len(self.answered), self.total, self.cached, self.failed, seconds, why))

    def _spent(self) -> bool:
        budget = self.plan.budget
        if budget.samples and self.asked >= budget.samples:
            self.stopped = "samples"
        elif budget.tokens and self.tokens >= budget.tokens:
            self.stopped = "tokens"
        elif budget.seconds and time.monotonic() - self.started >= budget.seconds:
            self.stopped = "time"
        return bool(self.stopped)


async def evaluate(
    plan: Plan, opening: Open[Sample, Reply], store: Store, pool: Pool | None = None
) -> tuple[Run, list[Scored]]:
    """Sit the plan's packs in a pool, asking only what is not kept already; the run as it ended, and its scores.

    A run that was killed goes on when it is planned again with the same run: kept samples are not asked.
    Raises: LedgerUnavailable and TooMany at once; what was answered until then is kept.
    """
    run = plan.run
    wanted = [
        sample
        for pack in plan.packs
        for template in run.templates
        for sample in samples(pack, template.name, run.scoring)
    ]
    run = replace(run, total=len(wanted), state="running")
    store.save(run, plan.packs)
    kept = store.replies(run.subject.digest, list({sample.digest for sample in wanted}))
    sitting = _Sitting(plan, store, len(wanted), dict(kept), len(kept))
    sitting.tell()
    todo = {sample.digest: sample for sample in wanted if sample.digest not in kept}
    if todo:
        await sitting.sit(list(todo.values()), opening, pool or Here())
    answered = [(sample, sitting.answered.get(sample.digest)) for sample in wanted]
    scored = [_scored(sample, reply, run.scoring) for sample, reply in answered if reply is not None]
    run = replace(
        run,
        ended=plan.now(),
        state=COMPLETE if len(scored) == len(wanted) else PARTIAL,
        asked=sitting.asked,
        cached=len(kept),
        failed=sitting.failed,
        tokens=sitting.tokens,
    )
    store.finish(run, scored)
    return run, scored


def _scored(sample: Sample, reply: Reply, scoring: str) -> Scored:
    item = sample.item
    return Scored(
        pack=sample.pack,
        item=item.id,
        template=sample.template,
        language=item.language,
        cluster=item.cluster,
        score=score(item, reply, scoring),
        topic=item.topic,
        side=item.side,
        expect=item.expect,
        sample=sample.digest,
    )


def resumed(run: Run, store: Store, now: Callable[[], str], budget: Budget) -> Plan:
    """The plan of an earlier run, with the packs as they were. Raises: NotFound, when a form has changed since."""
    for template in run.templates:
        if template_digest(template.name) != template.digest:
            raise NotFound(f"template '{template.name}' is not what it was in this run; start a new run")
    return Plan(run, tuple(store.pack(exam.digest) for exam in run.packs), budget, now)
