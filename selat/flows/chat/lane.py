"""What an ask meets that others like it meet too: where it may go, and the parts of its entry that stay."""

from __future__ import annotations

from typing import NamedTuple

from selat.core.entry import About, Form, form_of
from selat.core.finding import CLEAN, Scan
from selat.engines import Engine
from selat.flows.chat.decide import Option, Options, decide_all
from selat.flows.chat.desk import Desk
from selat.policy import UNREGISTERED, PolicySet
from selat.wire import Ask

MOST = 4096
"""Lanes that are kept: a caller's key, a model, a purpose and an endpoint make one."""


class Told(NamedTuple):
    """What an opening tells beside its own id, time, prompt and language; and the leaf that says so."""

    about: About
    packs: str
    form: Form


class Lane:
    """The decisions on an ask, for each engine that runs its model, with the openings that follow from them.

    The rest is what it was decided on: as long as these are the same objects, so are the decisions. Keys, tenants,
    engines and policies that change are made anew, and with them the lane.

    `only`: the whole way, where one engine may have it as it is and nothing else is to choose from.
    """

    __slots__ = ("_told", "caller", "engines", "label", "only", "options", "policies")

    def __init__(
        self, ask: Ask, policies: PolicySet, engines: tuple[Engine, ...], options: Options[Engine]
    ) -> None:
        self.caller, self.label = ask.caller, ask.label
        self.policies, self.engines, self.options = policies, engines, options
        permitted, masked, _ = options
        self.only = permitted if len(permitted) == 1 and not masked else None
        self._told: dict[str, Told] = {}

    def told(self, desk: Desk, ask: Ask, scan: Scan, option: Option[Engine]) -> Told:
        """What the opening tells for one of the engines."""
        told = self._told.get(option.engine.name)
        if told is None:
            told = self._told[option.engine.name] = told_of(desk, ask, scan, option)
        return told


def lane_of(desk: Desk, ask: Ask, scan: Scan, engines: tuple[Engine, ...]) -> Lane:
    """The lane of an ask: a known one where nothing was found in it and nothing has changed, else a new one."""
    caller, policies = ask.caller, desk.decider.policies
    key = caller.key, ask.model, ask.purpose, ask.api.name
    lane = desk.lanes.get(key)
    if (
        lane is not None
        and scan is CLEAN
        and lane.caller is caller
        and lane.label is ask.label
        and lane.engines is engines
        and lane.policies is policies
    ):
        return lane
    lane = Lane(ask, policies, engines, decide_all(desk.decider, ask, scan, engines, desk.passported))
    # Not where a passport counts, which comes and goes; nor by a caller's own word for a purpose.
    if scan is CLEAN and ask.purpose in caller.purposes and ask.purpose not in caller.passport_purposes:
        if len(desk.lanes) >= MOST:
            desk.lanes.clear()
        desk.lanes[key] = lane
    return lane


def told_of(desk: Desk, ask: Ask, scan: Scan, option: Option[Engine]) -> Told:
    """What the opening of an ask at an engine tells."""
    caller, engine = ask.caller, option.engine
    about = (
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
    )
    packs = desk.packs.get(caller.profile, "")
    return Told(about, packs, form_of(about, packs))
