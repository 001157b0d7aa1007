"""What an ask meets that others like it meet too: where it may go, and the parts of its entry that stay."""

from __future__ import annotations

from typing import Final, NamedTuple

from selat.core.decision import Redact
from selat.core.entry import About, Form, form_of
from selat.core.finding import Scan
from selat.engines import Engine
from selat.flows.chat.decide import Option, Options, decide_all
from selat.flows.chat.desk import Desk
from selat.policy import UNREGISTERED, PolicySet
from selat.wire import Ask

MOST: Final = 2048
"""Lanes that are kept: a caller's key, a model, a purpose, an endpoint and what a scan tells make one."""


class Course(NamedTuple):
    """What an ask of a lane meets at one engine.

    `about` and `form`: what an opening tells beside its own id, time, prompt and language, and the leaf that says
    so. `path` is that of the call, `model` the engine's own name for the model; `masks`: it gets placeholders.
    """

    engine: Engine
    name: str
    about: About
    form: Form
    path: str
    model: str
    masks: bool


class Lane:
    """The decisions on an ask, for each engine that runs its model, with what follows from them.

    The rest is what it was decided on: as long as these are the same objects, so are the decisions. Keys, tenants,
    engines and policies that change are made anew, and with them the lane. Of a scan policies see, and entries
    tell, what its `leaf_text` says; `scan` stands for every one that says the same.

    `only`: the whole way, where one engine may have it and nothing else is to choose from; `course` is then its.
    """

    __slots__ = ("_courses", "caller", "course", "engines", "label", "only", "options", "policies", "scan")

    def __init__(
        self, ask: Ask, scan: Scan, policies: PolicySet, engines: tuple[Engine, ...], options: Options[Engine]
    ) -> None:
        self.caller, self.label, self.scan = ask.caller, ask.label, scan
        self.policies, self.engines, self.options = policies, engines, options
        allowed = [*options.permitted, *options.masked]
        self.only = allowed if len(allowed) == 1 else None
        self.course: Course | None = None
        self._courses: dict[str, Course] = {}

    def course_at(self, desk: Desk, ask: Ask, option: Option[Engine]) -> Course:
        """What the ask meets at one of the engines."""
        name = option.engine.name
        course = self._courses.get(name)
        if course is None:
            course = self._courses[name] = course_of(desk, ask, self.scan, option)
            if self.only is not None:
                self.course = course
        return course


def lane_of(desk: Desk, ask: Ask, scan: Scan, engines: tuple[Engine, ...]) -> Lane:
    """The lane of an ask: a known one where nothing has changed, else a new one."""
    caller, policies = ask.caller, desk.decider.policies
    key = caller.key, ask.model, ask.purpose, ask.api.name, scan.leaf_text
    lane = desk.lanes.get(key)
    if (
        lane is not None
        and lane.caller is caller
        and lane.engines is engines
        and lane.policies is policies
        and (lane.label is ask.label or lane.label == ask.label)
    ):
        return lane
    lane = Lane(ask, scan, policies, engines, decide_all(desk.decider, ask, scan, engines, desk.passported))
    # Not where a passport counts, which comes and goes; nor by a caller's own word for a purpose.
    if scan.ok and ask.purpose in caller.purposes and ask.purpose not in caller.passport_purposes:
        if len(desk.lanes) >= MOST:
            desk.lanes.clear()
        desk.lanes[key] = lane
    return lane


def course_of(desk: Desk, ask: Ask, scan: Scan, option: Option[Engine]) -> Course:
    """What an ask meets at an engine."""
    caller, engine = ask.caller, option.engine
    about = About(
        caller.tenant,
        caller.key,
        ask.purpose if ask.purpose in caller.purposes else UNREGISTERED,
        ask.api.name,
        ask.model,
        engine.name,
        engine.site,
        ask.label.with_personal(scan.personal),
        scan,
        option.decision,
        desk.packs.get(caller.profile, ""),
    )
    return Course(
        engine,
        engine.name,
        about,
        form_of(about),
        "/v1" + ask.api.path,
        engine.upstream_model(ask.model),
        isinstance(option.decision, Redact),
    )
