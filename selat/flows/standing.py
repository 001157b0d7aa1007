"""standing: how far a model is from a purpose: each bar met, missed or not examined yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from selat.core.caller import Site
from selat.core.errors import Misused
from selat.evals.bars import Bars, Verdict, judge, read_bars
from selat.evals.passport import ClaimedScore, Passport
from selat.evals.run import COMPLETE, Subject
from selat.evals.store import Store
from selat.flows.claims import Claims, claimed_of, signed_of
from selat.flows.evaluate import own_weights, subject_of
from selat.flows.promote import Judged, Record, Registry, Weighed, Wish, make_passport, promote, weigh
from selat.home import Home
from selat.models import ModelStore


class Serving(Protocol):
    """An engine that serves a model."""

    @property
    def name(self) -> str: ...
    @property
    def site(self) -> Site: ...
    def upstream_model(self, model: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A model at an engine before a purpose's bars. `examined`: a complete run is of it as it is now."""

    purpose: str
    passport: Passport
    bars: Bars
    verdicts: tuple[Verdict, ...]
    examined: bool

    @property
    def ready(self) -> bool:
        return all(one.met for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Bench:
    """What standings are made from; `fresh` gives an id and the time for a passport."""

    store: Store
    models: ModelStore
    registry: Registry
    bars_file: Path
    fresh: Callable[[], tuple[str, str]]
    claims: Callable[[str], Sequence[ClaimedScore]]

    def standing(self, engine: Serving, model: str, purpose: str) -> Standing:
        """By the latest complete runs of the model as the engine runs it; nothing is written, no weights are read.

        Raises: HomeBroken, for a broken file of bars.
        """
        subject = self.examined(engine, model)
        bars = read_bars(self.bars_file, purpose)
        passport = self._passport(subject or subject_of(engine, model))
        return Standing(purpose, passport, bars, tuple(judge(bars, passport.results)), subject is not None)

    def examined(self, engine: Serving, model: str) -> Subject | None:
        """The subject of the latest complete run that is what this engine runs under the name now."""
        for run in self.store.runs():
            one = run.subject
            if run.state == COMPLETE and one == subject_of(engine, model, one.weights, one.chat_template):
                return one
        return None

    def promote(self, engine: Serving, model: str, purpose: str, record: Record) -> Judged:
        """Weigh the files again, judge, book, and admit where every bar is met.

        Raises: Misused, where nothing was examined or a file is not what it was; LedgerUnavailable.
        """
        subject = self.examined(engine, model)
        if subject is None:
            raise Misused(f"{model} was not examined as it is now at '{engine.name}'; run: selat eval run")
        files = self._weights(engine, subject), Weighed()
        if files[0].digest != subject.weights:
            raise Misused(f"the weights of {model} are not those that were examined; examine it again")
        wish = Wish(subject, purpose, read_bars(self.bars_file, purpose), *files)
        return promote(wish, self._passport(subject), self.registry, record)

    def _weights(self, engine: Serving, subject: Subject) -> Weighed:
        """The file that was examined, read again: the engine's own, else the one on the shelf with its digest."""
        if subject.chat_template:
            raise Misused("it was examined with a chat template of its own; promote it by: selat model promote")
        if not subject.weights:
            return Weighed()
        path = own_weights(engine) or self._on_shelf(subject.weights)
        if path is None:
            raise Misused(
                "its weights' file is not on the shelf; promote it by: selat model promote --weights FILE"
            )
        return weigh(path)

    def _on_shelf(self, digest: str) -> Path | None:
        for model in self.models.models():
            for file in model.files:
                if file.digest == digest:
                    return self.models.path_of(model, file.path)
        return None

    def _passport(self, subject: Subject) -> Passport:
        shelf = self.models.models()
        claimed = claimed_of(shelf, subject.weights, self.claims(subject.model))
        passport = make_passport(*self.fresh(), subject, self.store, claimed)
        return msgspec.structs.replace(passport, signed=signed_of(shelf, subject.weights))


@contextmanager
def bench_at(home: Home, models: ModelStore, fresh: Callable[[], tuple[str, str]]) -> Iterator[Bench]:
    """The bench of a home. Its database belongs to the thread that opens it."""
    registry = Registry.of(home)
    with closing(Store(home.exams)) as store:
        yield Bench(store, models, registry, home.path / "promotion.toml", fresh, Claims(registry.folder).of)
