"""promote: a model may serve a purpose because its passport meets the bars; or may not, with reasons."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from selat.core.errors import LedgerBroken, Misused, NotFound
from selat.core.note import VerifierKey
from selat.core.signer import Signer
from selat.durable import replace
from selat.evals import template_digest, templates
from selat.evals.bars import Bars, Verdict, judge
from selat.evals.passport import Claimed, Passport, Result, result_of, same_forms, sign, verify
from selat.evals.results import results_of
from selat.evals.run import COMPLETE, Subject
from selat.evals.store import Store
from selat.evals.weigh import digest_file
from selat.flows.evaluate import subject_of
from selat.home import Home
from selat.ledger import load_signer, make_signer, save_signer

log = logging.getLogger("selat.promote")

_KEY_NAME = "selat.passport"
_TRUST = "passport.vkey"
_LIST = "promotions.json"

Record = Callable[[str, dict[str, object]], str]


class Weighed(msgspec.Struct, frozen=True):
    """A file whose digest a subject has, as it was when it was weighed: `seen` is its change time, inode and size.

    A file that was touched since is not read again for each request, which for weights would take minutes: it
    voids the promotion until the model is promoted anew.
    """

    path: str = ""
    digest: str = ""
    seen: tuple[int, ...] = ()

    @property
    def untouched(self) -> bool:
        return not self.path or self.seen == _seen(Path(self.path))


def weigh(path: Path | None) -> Weighed:
    """A file's digest and how it was seen before it was read. Raises: Misused."""
    if path is None:
        return Weighed()
    seen = _seen(path)
    return Weighed(str(path.absolute()), digest_file(path), seen)


class Promotion(msgspec.Struct, frozen=True):
    """Leave for a model at an engine to serve a purpose. `receipt` is its entry in the ledger."""

    purpose: str
    model: str
    engine: str
    subject: str
    passport: str
    weights: Weighed
    chat_template: Weighed
    time: str
    until: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a request for promotion: every bar with its verdict, and the passport that was looked at."""

    promoted: bool
    purpose: str
    passport: Passport
    digest: str
    verdicts: tuple[Verdict, ...]
    receipt: str

    def to_json(self) -> dict[str, object]:
        return {
            "promoted": self.promoted,
            "purpose": self.purpose,
            "model": self.passport.subject.model,
            "engine": self.passport.subject.engine,
            "subject": self.passport.subject.digest,
            "passport": self.digest,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "receipt": self.receipt,
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for promotion: of whom, for what, by which bars, with the files that were weighed."""

    subject: Subject
    purpose: str
    bars: Bars
    weights: Weighed = field(default_factory=Weighed)
    chat_template: Weighed = field(default_factory=Weighed)


class Registry:
    """The passports and promotions of a home: `folder` holds them, `key_file` signs them."""

    @classmethod
    def of(cls, home: Home) -> Registry:
        return cls(home.path / "passports", home.keys / "passport.key")

    def __init__(self, folder: Path, key_file: Path) -> None:
        self.folder = folder
        self._key_file = key_file

    def signer(self) -> Signer:
        """The key that signs passports, made when first needed. Raises: LedgerBroken."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._key_file.exists():
            save_signer(self._key_file, make_signer(_KEY_NAME))
        signer = load_signer(self._key_file)
        trust = self.folder / _TRUST
        if not trust.exists():
            replace(trust, f"{signer.key}\n".encode())
        return signer

    def key(self) -> VerifierKey:
        """The key that passports are verified with. Raises: LedgerBroken."""
        try:
            return VerifierKey.parse((self.folder / _TRUST).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise LedgerBroken(
                f"{self.folder / _TRUST} cannot be read: no passport verifies without it"
            ) from error

    def issue(self, passport: Passport) -> tuple[str, str]:
        """Sign and keep a passport; its text and the text's SHA-256."""
        text = sign(passport, self.signer())
        digest = hashlib.sha256(text.encode()).hexdigest()
        replace(self.folder / f"{digest}.passport", text.encode())
        return text, digest

    def text(self, digest: str) -> str:
        """A passport as it was signed. Raises: NotFound."""
        try:
            return (self.folder / f"{digest}.passport").read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NotFound("no passport of that digest; see: selat model passport NAME") from error

    def passport(self, digest: str) -> Passport:
        """A passport, verified. Raises: NotFound; LedgerBroken, when it was altered."""
        return verify(self.text(digest), [self.key()])

    def promotions(self) -> list[Promotion]:
        path = self.folder / _LIST
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[Promotion])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise LedgerBroken(f"{path} cannot be read: {error}. Promote the models again") from error

    def admit(self, promotion: Promotion) -> None:
        """Keep a promotion in place of an earlier one of the same model, engine and purpose."""
        key = (promotion.purpose, promotion.model, promotion.engine)
        rest = [one for one in self.promotions() if (one.purpose, one.model, one.engine) != key]
        replace(self.folder / _LIST, msgspec.json.encode([*rest, promotion]))


def make_passport(
    passport_id: str, time: str, subject: Subject, store: Store, claimed: Claimed | None = None
) -> Passport:
    """The subject's latest complete results, one a pack, by the forms as they are now, beside what is claimed."""
    current = {name: template_digest(name) for name in templates()}
    found: dict[str, Result] = {}
    for run in store.runs():
        if run.subject != subject or run.state != COMPLETE:
            continue
        for pack, summary in results_of(store, run):
            result = result_of(run, pack, summary)
            if pack.name not in found and same_forms(result, current):
                found[pack.name] = result
    results = tuple(found[name] for name in sorted(found))
    return Passport(passport_id, time, subject, results, claimed or Claimed())


def promote(wish: Wish, passport: Passport, registry: Registry, record: Record) -> Judged:
    """Judge a passport by the bars, book the outcome, and on success admit the model to the purpose.

    A refusal is booked too. Without its entry there is no promotion.
    Raises: Misused, for a passport of another subject; LedgerUnavailable.
    """
    if passport.subject != wish.subject:
        raise Misused("the passport is another model's; examine this one: selat eval run")
    _, digest = registry.issue(passport)
    verdicts = tuple(judge(wish.bars, passport.results))
    promoted = all(verdict.met for verdict in verdicts)
    facts: dict[str, object] = {
        "purpose": wish.purpose,
        "model": wish.subject.model,
        "engine": wish.subject.engine,
        "subject": wish.subject.digest,
        "passport": digest,
        "passport_key": str(registry.key()),
        "packs": {result.pack: result.digest for result in passport.results},
        "met": sum(verdict.met for verdict in verdicts),
        "bars": len(verdicts),
    }
    receipt = record("model.promoted" if promoted else "model.not_promoted", facts)
    if promoted:
        until = _parse(passport.time) + timedelta(days=wish.bars.days)
        registry.admit(
            Promotion(
                purpose=wish.purpose,
                model=wish.subject.model,
                engine=wish.subject.engine,
                subject=wish.subject.digest,
                passport=digest,
                weights=wish.weights,
                chat_template=wish.chat_template,
                time=passport.time,
                until=until.isoformat().replace("+00:00", "Z"),
                receipt=receipt,
            )
        )
    return Judged(promoted, wish.purpose, passport, digest, verdicts, receipt)


class _Engine(Protocol):
    @property
    def name(self) -> str: ...

    def upstream_model(self, model: str) -> str: ...


class Gate:
    """Whether a model may serve a purpose now: what the chat flow asks, as policy's attribute `passport`.

    Looks at the list of promotions and at the passports whenever they have changed, and never reads a weights'
    file: a few calls of stat a request. Anything in doubt is a no, and is logged.
    """

    def __init__(self, registry: Registry, now: Callable[[], str]) -> None:
        self._registry = registry
        self._now = now
        self._seen: object = ()
        self._promotions: dict[tuple[str, str, str], Promotion] = {}
        self._verified: dict[tuple[str, object], bool] = {}

    def permits(self, purpose: str, model: str, engine: _Engine) -> bool:
        """Whether a promotion holds for this purpose, model and engine as they are now."""
        return not self.why_not(purpose, model, engine)

    def why_not(self, purpose: str, model: str, engine: _Engine) -> str:
        """Why there is no leave, for people; "" where there is."""
        try:
            self._look()
            promotion = self._promotions.get((purpose, model, engine.name))
            if promotion is None:
                return "not promoted for this purpose; see: selat model promote"
            if _parse(self._now()) > _parse(promotion.until):
                return f"its promotion ended on {promotion.until[:10]}; examine it again"
            weights, chat_template = promotion.weights, promotion.chat_template
            now = subject_of(engine, model, weights.digest, chat_template.digest)
            untouched = weights.untouched and chat_template.untouched
            if not untouched or now.digest != promotion.subject:
                return "the engine, its weights or its chat template are not those that were examined"
            if not self._holds(promotion):
                return "its passport was examined in forms that have changed since"
        except (LedgerBroken, NotFound) as error:
            log.warning("no leave for %s at %s: %s", model, engine.name, error)
            return str(error)
        return ""

    def _look(self) -> None:
        seen = _stat(self._registry.folder / _LIST)
        if seen != self._seen:
            found = self._registry.promotions()
            self._promotions = {(one.purpose, one.model, one.engine): one for one in found}
            self._seen = seen

    def _holds(self, promotion: Promotion) -> bool:
        folder = self._registry.folder
        key = (promotion.passport, (_stat(folder / f"{promotion.passport}.passport"), _stat(folder / _TRUST)))
        if key not in self._verified:
            passport = self._registry.passport(promotion.passport)
            if passport.subject.digest != promotion.subject:
                raise LedgerBroken("the promotion names a passport of another subject; promote the model again")
            current = {name: template_digest(name) for name in templates()}
            self._verified[key] = all(same_forms(result, current) for result in passport.results)
        return self._verified[key]


def _stat(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _seen(path: Path) -> tuple[int, ...]:
    """Change time, inode and size: a program can set a file's time of writing, but not that of its change."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_ctime_ns, stat.st_ino, stat.st_size


def _parse(time: str) -> datetime:
    found = datetime.fromisoformat(time)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
