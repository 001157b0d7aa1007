"""Models: the shelf, and one model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from selat.core.errors import NotFound
from selat.core.label import parse_label
from selat.gateway.admin.route import PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Told
from selat.models import Model
from selat.models.licence import licence

Name = Annotated[str, Meta(min_length=1, max_length=250)]


class LicenceCard(Told):
    """A licence by our table; of one that is not in it nothing is known, and it counts as not permissive."""

    id: str
    title: str
    permissive: bool
    forbids: str
    forbids_ms: str
    forbids_zh: str
    forbids_ta: str
    source: str


class ModelCard(Told):
    """A model on the shelf. `state` is ready or quarantined; `label` is what it was made from.

    `signer`: whose signature over its files was verified here; "" for nobody's.
    """

    name: str
    revision: str
    format: str
    licence: LicenceCard
    vendor: str
    country: str
    base: list[str]
    source: str
    added: str
    receipt: str
    label: str
    state: str
    signer: str
    files: int
    size_bytes: int


class FileCard(Told):
    """A file of a model, by its SHA-256."""

    path: str
    digest: str
    size_bytes: int


class WholeModel(Told):
    """A model with its files and what it was made of."""

    card: ModelCard
    relation: str
    datasets: list[str]
    recipe: str
    files: list[FileCard]


class ModelQuery(Asked):
    """Which model: NAME or OWNER/NAME, and a revision, else the current one."""

    name: Name
    revision: Annotated[str, Meta(max_length=40)] = ""


class ModelWish(Asked):
    """Which model: NAME or OWNER/NAME, and a revision, else the current one."""

    name: Name
    revision: Annotated[str, Meta(max_length=40)] = ""


def show_all(visit: Visit) -> object:
    return [_card(model) for model in visit.platform.models.models() if _seen(visit, model)]


def show(visit: Visit) -> object:
    model = seen_model(visit, visit.query)
    return {
        "card": _card(model),
        "relation": model.lineage.relation,
        "datasets": list(model.lineage.datasets),
        "recipe": model.lineage.recipe,
        "files": [{"path": one.path, "digest": one.digest, "size_bytes": one.size_bytes} for one in model.files],
    }


def seen_model(visit: Visit, asked: ModelQuery | ModelWish) -> Model:
    """Raises: NotFound, also for one above the caller's clearance."""
    model = visit.platform.models.model(asked.name, asked.revision)
    if not _seen(visit, model):
        raise NotFound("no such model on the shelf; see: GET /admin/v1/models")
    return model


def _seen(visit: Visit, model: Model) -> bool:
    return not model.label or parse_label(model.label).within(visit.caller.clearance)


def _card(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "revision": model.revision,
        "format": model.format,
        "licence": licence(model.licence).to_json(),
        "vendor": model.vendor,
        "country": model.country,
        "base": list(model.lineage.base),
        "source": model.source,
        "added": model.added,
        "receipt": model.receipt,
        "label": model.label,
        "state": model.state,
        "signer": model.signed.signer,
        "files": len(model.files),
        "size_bytes": model.size_bytes,
    }


ROUTES: tuple[Route, ...] = (
    Route(
        *("GET", f"{PREFIX}/models", READERS, "The models on the shelf, those in quarantine too."),
        *(show_all, list[ModelCard]),
        house=True,
    ),
    Route(
        *("GET", f"{PREFIX}/models/show", READERS, "A model with its files and what it was made of."),
        *(show, WholeModel),
        query=ModelQuery,
        house=True,
    ),
)
