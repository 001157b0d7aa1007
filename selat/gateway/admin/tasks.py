"""Models coming, read again and leaving: look, pull, verify, admit, remove; long work goes on by itself."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from selat.core.errors import NotFound
from selat.core.label import parse_label
from selat.gateway.admin.models import LicenceCard, ModelWish, seen_model
from selat.gateway.admin.route import OFFICER, OPERATOR, OVERSEERS, PREFIX, READERS, Route, Visit
from selat.gateway.admin.words import Asked, Count, Country, Done, Reason, Text, Told
from selat.models.checks import ADMIT, VERIFY, Check
from selat.models.pulls import Pull, Wish
from selat.models.tasks import Progress, Task

TaskId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="OWNER/NAME of the hub, or an https URL",
        examples=["Qwen/Qwen3-4B"],
    ),
]
FROM_SOURCES = (
    (422, "What is offered may not be taken in: no weights that only hold numbers, or of no known form."),
    (502, "The source does not answer, or not as sources do."),
)
Pattern = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SourceWish(Asked):
    """A source to look at. `only`: patterns of weights to take; `name` and `licence`: where it states none."""

    source: Source
    only: Annotated[tuple[Pattern, ...], Meta(max_length=50)] = ()
    name: Text = ""
    licence: Text = ""


class OfferCard(Told):
    """What a source offers; nothing is kept yet. `digest` names just this offer, for who agrees to it."""

    name: str
    revision: str
    source: str
    licence: LicenceCard
    files: int
    size_bytes: int
    need_bytes: int
    free_bytes: int
    fits: bool
    digest: str


class PullWish(Asked):
    """What to pull. `digest` is of the offer that was looked at; left out, what is offered now is taken.

    A licence that is not permissive must be `accepted`.
    """

    source: Source
    only: Annotated[tuple[Pattern, ...], Meta(max_length=50)] = ()
    name: Text = ""
    licence: Text = ""
    vendor: Text = ""
    country: Country | Literal[""] = ""
    accepted: bool = False
    digest: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class TaskCard(Told):
    """Work that goes on by itself. `state`: running, stopped, failed or done; `interrupted`: its process is gone.

    `code` and `reason` tell why it failed.
    """

    id: str
    by: str
    began: str
    ended: str
    state: str
    interrupted: bool
    model: str
    revision: str
    size_bytes: Count
    done_bytes: Count
    per_s: Count
    code: str
    reason: str


_OF_EVERY_TASK = set(TaskCard.__struct_fields__)


class PullCard(TaskCard, kw_only=True):
    """A pull on its way, or ended."""

    source: str


class CheckCard(TaskCard, kw_only=True):
    """A model being read again, or read. `damaged` has the state of each file that is not what it was."""

    does: str
    damaged: dict[str, str]


class WhichTask(Asked):
    """Which pull or check."""

    id: TaskId


class Admission(ModelWish, kw_only=True):
    """Which model leaves quarantine, and why; the reason stands in the ledger."""

    reason: Reason


class Removal(ModelWish, kw_only=True):
    """Which model leaves the shelf, and why; the reason stands in the ledger."""

    reason: Reason


def look(visit: Visit) -> object:
    asked: SourceWish = visit.body
    sight = visit.platform.pulling.look(
        Wish(source=asked.source, only=asked.only, name=asked.name, licence=asked.licence)
    )
    offer = sight.offer
    return {
        "name": offer.name,
        "revision": offer.revision,
        "source": offer.source,
        "licence": sight.licence.to_json(),
        "files": len(offer.files),
        "size_bytes": offer.size_bytes,
        "need_bytes": sight.need_bytes,
        "free_bytes": sight.free_bytes,
        "fits": sight.fits,
        "digest": sight.digest,
    }


def begin_pull(visit: Visit) -> object:
    asked: PullWish = visit.body
    wish = Wish(
        source=asked.source,
        only=asked.only,
        name=asked.name,
        licence=asked.licence,
        vendor=asked.vendor,
        country=asked.country,
        accepted=asked.accepted,
    )
    pulling = visit.platform.pulling
    return _pull_card(visit, pulling.begin(wish, asked.digest or pulling.look(wish).digest, visit.caller.key))


def pulls(visit: Visit) -> object:
    return [_pull_card(visit, one) for one in visit.platform.pulling.runner.tasks.all()]


def stop_pull(visit: Visit) -> object:
    return _pull_card(visit, visit.platform.pulling.stop(visit.body.id, visit.caller.key))


def resume_pull(visit: Visit) -> object:
    return _pull_card(visit, visit.platform.pulling.resume(visit.body.id, visit.caller.key))


def verify(visit: Visit) -> object:
    return _begin_check(visit, VERIFY)


def admit(visit: Visit) -> object:
    return _begin_check(visit, ADMIT, visit.body.reason)


def _begin_check(visit: Visit, does: str, why: str = "") -> object:
    model = seen_model(visit, visit.body)
    which = model.name, model.revision
    return _check_card(visit, visit.platform.checking.begin(does, which, visit.caller.key, why))


def checks(visit: Visit) -> object:
    found = visit.platform.checking.runner.tasks.all()
    return [_check_card(visit, one) for one in found if _cleared(visit, one)]


def stop_check(visit: Visit) -> object:
    found = visit.platform.checking.runner.tasks.find(visit.body.id)
    if not _cleared(visit, found):
        raise NotFound("no such check")
    return _check_card(visit, visit.platform.checking.stop(found.id, visit.caller.key))


def remove(visit: Visit) -> object:
    asked: Removal = visit.body
    model = seen_model(visit, asked)
    visit.platform.shelving(visit.caller.key).remove(model.name, model.revision, asked.reason)
    return {"done": True}


def _cleared(visit: Visit, one: Check) -> bool:
    return not one.label or parse_label(one.label).within(visit.caller.clearance)


def _pull_card(visit: Visit, one: Pull) -> dict[str, object]:
    far = visit.platform.pulling.runner.tasks.progress(one.id)
    return _card(one, far) | {"source": one.wish.source}


def _check_card(visit: Visit, one: Check) -> dict[str, object]:
    far = visit.platform.checking.runner.tasks.progress(one.id)
    return _card(one, far) | {"does": one.does, "damaged": one.damaged}


def _card(one: Task, far: Progress) -> dict[str, object]:
    known = {name: value for name, value in msgspec.structs.asdict(one).items() if name in _OF_EVERY_TASK}
    return known | {"done_bytes": far.done_bytes, "per_s": round(far.per_s)}


ROUTES: tuple[Route, ...] = (
    Route(
        *(
            "POST",
            f"{PREFIX}/models/look",
            OPERATOR,
            "What a source offers, its licence, the room it needs.",
        ),
        *(look, OfferCard),
        body=SourceWish,
        house=True,
        refusals=FROM_SOURCES,
    ),
    Route(
        *("POST", f"{PREFIX}/models/pull", OPERATOR, "Begin to pull a model; it goes on by itself."),
        *(begin_pull, PullCard),
        body=PullWish,
        status=202,
        house=True,
        refusals=FROM_SOURCES,
    ),
    Route(
        *(
            "GET",
            f"{PREFIX}/models/pulls",
            READERS,
            "Pulls on their way or ended lately, newest first.",
        ),
        *(pulls, list[PullCard]),
        house=True,
    ),
    Route(
        *("POST", f"{PREFIX}/models/pulls/stop", OPERATOR, "Stop a pull; what came is kept to go on from."),
        *(stop_pull, PullCard),
        body=WhichTask,
        house=True,
    ),
    Route(
        *("POST", f"{PREFIX}/models/pulls/resume", OPERATOR, "Go on with a pull that does not run."),
        *(resume_pull, PullCard),
        body=WhichTask,
        status=202,
        house=True,
    ),
    Route(
        *("POST", f"{PREFIX}/models/verify", OVERSEERS, "Begin to read every byte of a model again."),
        *(verify, CheckCard),
        body=ModelWish,
        status=202,
        house=True,
    ),
    Route(
        *("POST", f"{PREFIX}/models/admit", OFFICER),
        *("Begin to let a model out of quarantine: once all of it was read again.", admit, CheckCard),
        body=Admission,
        status=202,
        house=True,
    ),
    Route(
        *(
            "GET",
            f"{PREFIX}/models/checks",
            READERS,
            "Models read again, and what came of it, newest first.",
        ),
        *(checks, list[CheckCard]),
        house=True,
    ),
    Route(
        *(
            "POST",
            f"{PREFIX}/models/checks/stop",
            OVERSEERS,
            "Stop reading a model; nothing is changed then.",
        ),
        *(stop_check, CheckCard),
        body=WhichTask,
        house=True,
    ),
    Route(
        *(
            "POST",
            f"{PREFIX}/models/remove",
            OPERATOR,
            "Take a model off the shelf; its bytes go with gc.",
        ),
        *(remove, Done),
        body=Removal,
        house=True,
    ),
)
