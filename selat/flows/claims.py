"""What others claim of a model, kept apart from what was verified here, and both side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from selat.core.errors import LedgerBroken
from selat.durable import replace
from selat.evals.passport import Claimed, ClaimedScore, Passport, Result, SignedFiles
from selat.evals.run import Subject
from selat.flows.promote import Promotion, Registry
from selat.models import Model

_FILE = "claims.json"


class Claims:
    """The scores that others published of this home's models, by the model's public name."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def all(self) -> dict[str, tuple[ClaimedScore, ...]]:
        """Raises: LedgerBroken, when the file is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, tuple[ClaimedScore, ...]])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise LedgerBroken(
                f"{self._path} cannot be read: {error}. Remove it and enter the claims again"
            ) from error

    def of(self, model: str) -> tuple[ClaimedScore, ...]:
        return self.all().get(model, ())

    def add(self, model: str, claim: ClaimedScore) -> None:
        """Keep a claim, in place of an earlier one of the same exam by the same."""
        claims = self.all()
        rest = [one for one in claims.get(model, ()) if (one.exam, one.by) != (claim.exam, claim.by)]
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self._path, msgspec.json.encode({**claims, model: (*rest, claim)}))


def scores_of(claims: Claims, models: Iterable[Model], subject: Subject) -> tuple[ClaimedScore, ...]:
    """What was published of a subject: under its public name, and under the shelf's name of its weights."""
    held = next((one.name for one in _holding(models, subject.weights)), subject.model)
    public = claims.of(subject.model)
    known = {(one.exam, one.by) for one in public}
    return (*public, *(one for one in claims.of(held) if (one.exam, one.by) not in known))


def claimed_of(models: Iterable[Model], weights: str, scores: Sequence[ClaimedScore]) -> Claimed:
    """What the shelf's record of these weights says, and what was published of the model's scores."""
    model = next(_holding(models, weights), None)
    if model is None:
        return Claimed(scores=tuple(scores))
    return Claimed(
        name=model.name,
        revision=model.revision,
        vendor=model.vendor,
        country=model.country,
        licence=model.licence,
        source=model.source,
        base=model.lineage.base,
        relation=model.lineage.relation,
        datasets=model.lineage.datasets,
        recipe=model.lineage.recipe,
        scores=tuple(scores),
    )


def signed_of(models: Iterable[Model], weights: str) -> SignedFiles | None:
    """Whose signature over a model with these weights was verified on the shelf; None for nobody's."""
    held = (one.signed for one in _holding(models, weights) if one.signed.signer)
    return next((SignedFiles(one.signer, one.manifest, one.verified) for one in held), None)


def _holding(models: Iterable[Model], weights: str) -> Iterator[Model]:
    return (one for one in models if weights and any(file.digest == weights for file in one.files))


@dataclass(frozen=True, slots=True)
class Row:
    """A pack or exam: what was verified of it here, and what is claimed."""

    exam: str
    verified: Result | None
    claimed: tuple[ClaimedScore, ...]

    def agrees(self, claim: ClaimedScore) -> bool | None:
        """Whether our interval holds the claim; None where there is nothing to hold it against."""
        return None if self.verified is None else claim.within(self.verified)

    def to_json(self) -> dict[str, object]:
        claimed = [{**msgspec.to_builtins(one), "agrees": self.agrees(one)} for one in self.claimed]
        return {"exam": self.exam, "verified": msgspec.to_builtins(self.verified), "claimed": claimed}


def beside(passport: Passport) -> list[Row]:
    """Every pack that was sat and every exam that is claimed, each with both."""
    claims = passport.claimed.scores
    sat = {result.pack for result in passport.results}
    rows = [Row(one.pack, one, tuple(c for c in claims if c.pack == one.pack)) for one in passport.results]
    return rows + [Row(claim.exam, None, (claim,)) for claim in claims if claim.pack not in sat]


def show_passport(
    registry: Registry, subject: Subject, promotions: Sequence[Promotion]
) -> list[dict[str, object]]:
    """The promotions of a subject's model with their passports, as JSON; `current` says that they still fit it."""
    shown: list[dict[str, object]] = []
    for one in promotions:
        if (one.model, one.engine) != (subject.model, subject.engine):
            continue
        passport = registry.passport(one.passport)
        row = msgspec.to_builtins(one)
        current = one.subject == subject.digest
        told = {"passport": msgspec.to_builtins(passport), "beside": [row.to_json() for row in beside(passport)]}
        shown.append({**row, "current": current, **told})
    return shown
