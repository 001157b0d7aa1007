"""A model's passport: its results and what exactly was examined, signed, so that a gate can hold it to both.

The passport is a C2SP signed note: a first line, one line of canonical JSON, and an Ed25519 signature. Numbers
are whole: shares are in millionths.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from selat.core.canonical import canonical
from selat.core.errors import LedgerBroken
from selat.core.note import Note, VerifierKey, parse_note
from selat.core.signer import Signer
from selat.evals.item import Pack
from selat.evals.run import Exam, Run, Subject
from selat.evals.summary import Summary
from selat.evals.template import SEED

HEAD = "selat-passport/v1"
Share = tuple[int, int, int]
"""A mean and its 95 % interval, in millionths."""


class Part(msgspec.Struct, frozen=True):
    """The score of a part of a pack."""

    kind: str
    name: str
    n: int
    score: Share


class Result(msgspec.Struct, frozen=True):
    """What a pack showed. `gap` and `asymmetry` are None where the pack has no parallel items or sides."""

    pack: str
    digest: str
    version: str
    run: str
    scoring: str
    max_tokens: int
    n: int
    missing: int
    score: Share
    chance: int | None
    gap: int | None
    asymmetry: int | None
    counts: tuple[tuple[str, int], ...]
    parts: tuple[Part, ...]
    templates: tuple[Exam, ...]
    temperature: int = 0
    seed: int = SEED


class ClaimedScore(msgspec.Struct, frozen=True):
    """A score that somebody else published. `pack` is ours that it may be held against, "" for none."""

    exam: str
    score: int
    by: str
    source: str
    date: str
    pack: str = ""

    def within(self, result: Result) -> bool:
        """Whether our interval holds what is claimed."""
        return result.score[1] <= self.score <= result.score[2]


class Claimed(msgspec.Struct, frozen=True):
    """What a model's makers, and those who passed it on, say of it: none of this was verified here."""

    name: str = ""
    revision: str = ""
    vendor: str = ""
    country: str = ""
    licence: str = ""
    source: str = ""
    base: tuple[str, ...] = ()
    relation: str = ""
    datasets: tuple[str, ...] = ()
    recipe: str = ""
    scores: tuple[ClaimedScore, ...] = ()


class SignedFiles(msgspec.Struct, frozen=True):
    """A signature over the model's files that was verified here: whose, over which manifest, when."""

    signer: str
    manifest: str
    verified: str


class Passport(msgspec.Struct, frozen=True):
    """What was verified here, of which subject, when; and apart from it what others claim of the model."""

    id: str
    time: str
    subject: Subject
    results: tuple[Result, ...]
    claimed: Claimed = Claimed()
    signed: SignedFiles | None = None


def result_of(run: Run, pack: Pack, summary: Summary) -> Result:
    """A run's summary as a passport holds it."""
    asymmetry = max((abs(one.difference.mean) for one in summary.asymmetries), default=None)
    return Result(
        pack=pack.name,
        digest=pack.digest,
        version=pack.version,
        run=run.id,
        scoring=run.scoring,
        max_tokens=pack.max_tokens,
        n=summary.score.n,
        missing=summary.missing,
        score=_share(summary.score.mean, summary.score.low, summary.score.high),
        chance=None if summary.chance is None else _ppm(summary.chance),
        gap=None if summary.gap is None else _ppm(summary.gap.mean),
        asymmetry=None if asymmetry is None else _ppm(asymmetry),
        counts=summary.counts,
        parts=tuple(
            Part(kind, name, one.n, _share(one.mean, one.low, one.high))
            for kind, parts in summary.parts
            for name, one in parts
        ),
        templates=run.templates,
    )


def sign(passport: Passport, signer: Signer) -> str:
    """The signed note's text."""
    plain = msgspec.to_builtins(passport)
    # The line between head and signature must be what every implementation would write.
    text = f"{HEAD}\n{canonical(plain).decode()}\n"
    return str(Note(text, (signer.sign(text),)))


def verify(unverified: str, keys: Sequence[VerifierKey]) -> Passport:
    """The passport that one of `keys` signed. Raises: LedgerBroken, when none did or it is no passport."""
    text, _ = parse_note(unverified).text(keys)
    head, _, line = text.partition("\n")
    if head != HEAD:
        raise LedgerBroken(f"not a passport: its first line is not {HEAD}")
    try:
        return msgspec.json.decode(line, type=Passport)
    except msgspec.DecodeError as error:
        raise LedgerBroken(f"not a passport this Selat reads: {error}") from error


def same_forms(result: Result, current: dict[str, str]) -> bool:
    """Whether the forms of a result are still what they were; `current` gives each form's digest by name."""
    return all(current.get(exam.name) == exam.digest for exam in result.templates)


def _share(mean: float, low: float, high: float) -> Share:
    return _ppm(mean), _ppm(low), _ppm(high)


def _ppm(value: float) -> int:
    return round(value * 1_000_000)
