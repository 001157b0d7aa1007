"""One model of the shelf: what was verified of it here, what its maker claims, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from selat.console import names
from selat.console.pages.model_leave import registry_of, share
from selat.console.pages.model_pulls import rows
from selat.console.view import View
from selat.console.words import _
from selat.core.errors import BadRequest, NotFound, SelatError
from selat.core.label import parse_label
from selat.evals.passport import ClaimedScore, Passport
from selat.flows.claims import Claims
from selat.gateway.admin.route import OFFICER, OPERATOR, OVERSEERS
from selat.models import Model
from selat.models.checks import ADMIT, VERIFY
from selat.models.licence import licence

REASON_LEAST, REASON_MOST = 10, 500


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model here. `whole` counts files that are still as they were when they were verified."""

    model: Model
    whole: int
    passports: tuple[tuple[str, Passport], ...]
    claims: tuple[ClaimedScore, ...]
    engines: tuple[str, ...]


def href(one: Any) -> str:
    """The page of a model."""
    return "/models/one?" + urlencode({"name": one.name, "revision": one.revision})


async def show(view: View) -> Response:
    """GET /models/one?name=…&revision=…"""
    return await _page(view, view.query("name"), view.query("revision"))


async def _page(view: View, name: str, revision: str, status: int = 200, **values: object) -> Response:
    known: Known = await view.thread(_known, view, name, revision)
    filled: dict[str, object] = {"wrong": "", "detail": "", **values}
    return view.show(
        "model-one.html",
        status,
        known=known,
        one=known.model,
        pulls=await view.thread(rows, view, known.model.name, known.model.revision),
        live=f"/models/pulls/events?{urlencode({'name': known.model.name, 'revision': known.model.revision})}",
        terms=licence(known.model.licence),
        share=share,
        operator=view.may(*OPERATOR),
        officer=view.may(*OFFICER),
        overseer=view.may(*OVERSEERS),
        least=REASON_LEAST,
        most=REASON_MOST,
        **filled,
    )


def _known(view: View, name: str, revision: str) -> Known:
    platform, registry = view.house.platform, registry_of(view)
    model = _model(view, name, revision)
    digests = {file.digest for file in model.files}
    passports = {}
    for one in registry.promotions():
        found = registry.passport(one.passport)
        if found.subject.weights in digests:
            passports[one.passport] = found
    tree = str(platform.models.tree(model))
    specs = [
        (engine.name, getattr(getattr(engine, "spec", None), "llama", None)) for engine in platform.shelf.engines
    ]
    return Known(
        model,
        sum(platform.models.blobs.whole(file.digest) for file in model.files),
        tuple(passports.items()),
        Claims(registry.folder).of(model.name),
        tuple(name for name, llama in specs if llama is not None and llama.gguf.startswith(tree)),
    )


def _model(view: View, name: str, revision: str) -> Model:
    """Raises: NotFound, also for one above the person's clearance."""
    model = view.house.platform.models.model(name, revision)
    if model.label and not parse_label(model.label).within(view.caller.clearance):
        raise NotFound("no such model on the shelf")
    return model


def _reason(view: View) -> str:
    """Raises: BadRequest."""
    said = " ".join(view.field("reason").split())
    if not REASON_LEAST <= len(said) <= REASON_MOST:
        raise BadRequest(f"reason: {REASON_LEAST} to {REASON_MOST} characters", param="reason")
    return said


async def verify(view: View) -> Response:
    """POST /models/verify: read every byte again, by a process of its own; damage is booked."""

    def begin() -> Model:
        return _begun(view, VERIFY)

    return await _done(view, begin, "check-begun")


async def admit(view: View) -> Response:
    """POST /models/admit: out of quarantine, by an officer who says why; every byte is read again before."""

    def begin() -> Model:
        return _begun(view, ADMIT, _reason(view))

    return await _done(view, begin, "check-begun")


def _begun(view: View, does: str, why: str = "") -> Model:
    model = _model(view, view.field("name"), view.field("revision"))
    which = model.name, model.revision
    view.house.platform.checking.begin(does, which, view.caller.key, why)
    return model


async def stop(view: View) -> Response:
    """POST /models/check/stop: nothing is changed by a check that did not end."""
    platform, key = view.house.platform, view.caller.key
    check = await view.thread(platform.checking.stop, view.field("task"), key)
    return view.go(href(await view.thread(_model, view, check.model, check.revision)), "check-stopped")


async def remove(view: View) -> Response:
    """POST /models/remove: off the shelf, with the reason in the ledger."""
    name, revision = view.field("name"), view.field("revision")

    def take_off() -> Model:
        _model(view, name, revision)
        return view.house.platform.shelving(view.caller.key).remove(name, revision, _reason(view))

    return await _done(view, take_off, "model-removed")


async def _done(view: View, does: Any, said: str) -> Response:
    """Do it and go on; what went wrong is told on the model's own page."""
    try:
        model: Model = await view.thread(does)
    except NotFound:
        raise
    except SelatError as error:
        why = _("Tulis sebabnya, 10 hingga 500 aksara; ia akan tercatat dalam lejar.")
        wrong = why if isinstance(error, BadRequest) else names.error(error.code)
        return await _page(
            view, view.field("name"), view.field("revision"), error.status, wrong=wrong, detail=str(error)
        )
    return view.go("/models" if said == "model-removed" else href(model), said)
