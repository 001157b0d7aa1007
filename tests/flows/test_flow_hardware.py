"""A vendor of hardware is taken away by a policy: the calls go to engines on another's, and the book says why."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from chat_kit import Office
from compiled import compiled

from selat.core.caller import Site
from selat.core.errors import Forbidden
from selat.policy import DEFAULT, Decider, PolicySet
from selat.testing import EchoEngine

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "engines.md"
VENDORS = ("nvidia", "amd", "ascend", "intel", "apple", "cpu")


def without_nvidia(folder: Path) -> Decider:
    """The policy that the page on engines shows, beside the default ones."""
    shutil.copytree(DEFAULT, folder)
    shown = re.search(r"```cedar\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    (folder / "policies" / "90-drill.cedar").write_text(shown[1])
    return Decider(PolicySet.load(folder))


def test_losing_a_vendor_moves_its_calls_to_the_others_and_refuses_what_only_it_serves(tmp_path: Path) -> None:
    engines = [EchoEngine(f"on-{vendor}", Site("MY", hardware=vendor)) for vendor in VENDORS]
    alone = EchoEngine("alone", Site("MY", hardware="nvidia"), ("only-here",))
    office = Office(tmp_path / "ledger", compiled(), *engines, alone)

    async def ask(times: int) -> set[str]:
        for number in range(times):
            await office.answer(office.ask(f"soalan {number}"))
        return {engine.name for engine in engines if engine.calls}

    assert asyncio.run(ask(60)) == {engine.name for engine in engines}
    for engine in engines:
        engine.calls.clear()
    office.desk = replace(office.desk, decider=without_nvidia(tmp_path / "policy"))
    assert asyncio.run(ask(60)) == {f"on-{vendor}" for vendor in VENDORS if vendor != "nvidia"}
    with pytest.raises(Forbidden) as refused:
        asyncio.run(office.answer(office.ask("hai", model="only-here")))
    assert "no-nvidia" in refused.value.rules
    assert alone.calls == []
    openings = [leaf for leaf in office.leaves() if leaf["kind"] == "opened"]
    assert {leaf["site"]["hardware"] for leaf in openings} == set(VENDORS)
