"""The first half of chat: what is in the texts of an ask, and where policy lets them go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import is_not
from typing import Generic, NamedTuple, Protocol, TypeVar

from selat.core.caller import Site
from selat.core.decision import Decision
from selat.core.errors import GuardFailed
from selat.core.finding import CLEAN, FIELDS_FLAG, MEDIA_FLAG, Scan
from selat.guard import Guard
from selat.policy import AuthorizationRequest, Decider
from selat.wire import Ask, has_others, texts

log = logging.getLogger("selat.chat")

_tells = partial(is_not, CLEAN)


class Placed(Protocol):
    """An engine as policy sees it: a name and a site."""

    @property
    def name(self) -> str: ...
    @property
    def site(self) -> Site: ...


E = TypeVar("E", bound=Placed)


class Option(NamedTuple, Generic[E]):
    """One engine with the decision on sending this ask there."""

    engine: E
    decision: Decision


class Options(NamedTuple, Generic[E]):
    """Where an ask may go as it is, where it may go masked, and where not, each in the shelf's order."""

    permitted: list[Option[E]]
    masked: list[Option[E]]
    denied: list[Option[E]]


class Scanned(NamedTuple):
    """Texts, each once, and the scan of each. Not by text: to hash a long one costs more than to know it again."""

    texts: list[str]
    scans: list[Scan]

    def by_text(self) -> dict[str, Scan]:
        return dict(zip(self.texts, self.scans, strict=True))


def scan_ask(guard: Guard, ask: Ask) -> Scanned:
    """The scan of each text of an ask. That of the text "" tells of what is no text: media, which go unscanned,
    and fields beside the protocol's."""
    if ask.said is not None:
        return scan_texts(guard, ask.said)
    media: list[str] = []
    scanned = scan_texts(guard, texts(ask.document, media))
    flags = [MEDIA_FLAG] * bool(media) + [FIELDS_FLAG] * has_others(ask.document, ask.api.path)
    return Scanned([*scanned.texts, ""], [*scanned.scans, Scan(flags=frozenset(flags))]) if flags else scanned


def scan_all(guard: Guard, found: list[str]) -> Scan:
    """What is in all of some texts, where nobody asks in which."""
    return _scan(guard, found[0]) if len(found) == 1 else merge(scan_texts(guard, found).scans)


def scan_texts(guard: Guard, found: list[str]) -> Scanned:
    """The scan of each distinct text; a scanner that fails gives `ok=False`, which policy denies."""
    if len({*map(len, found)}) < len(found):
        found = [*dict.fromkeys(found)]  # only where two are as long, since that hashes them
    try:
        return Scanned(found, [*map(guard.scan, found)])
    except GuardFailed:
        return Scanned(found, [_scan(guard, text) for text in found])


def _scan(guard: Guard, text: str) -> Scan:
    try:
        return guard.scan(text)
    except GuardFailed as error:
        log.error("scan failed: %s", error)
        return Scan(ok=False)


def merge(scans: Iterable[Scan]) -> Scan:
    """All findings and flags of several texts; positions are each within its own text."""
    told = [*filter(_tells, scans)]
    if not told:
        return CLEAN
    if len(told) == 1:
        return told[0]
    return Scan(
        tuple(finding for scan in told for finding in scan.findings),
        frozenset().union(*(scan.flags for scan in told)),
        all(scan.ok for scan in told),
    )


def decide_all(
    decider: Decider, ask: Ask, scan: Scan, engines: Sequence[E], passported: Callable[[Ask, E], bool]
) -> Options[E]:
    """The decision for each engine that runs the model. Only a purpose that needs a passport asks for one."""
    needed = ask.purpose in ask.caller.passport_purposes
    action = "embed" if ask.api.name in ("embeddings", "rerank") else "infer"
    options: Options[E] = Options([], [], [])
    for engine in engines:
        request = AuthorizationRequest(
            ask.caller,
            action,
            engine.name,
            engine.site,
            ask.purpose,
            ask.label,
            scan,
            passport=needed and passported(ask, engine),
            passport_needed=needed,
        )
        decision = decider.decide(request)
        group = {"permit": options.permitted, "redact": options.masked}.get(decision.effect, options.denied)
        group.append(Option(engine, decision))
    return options
