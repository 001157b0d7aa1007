"""The pages: made from the code and current, linked to things that exist, naming commands that exist."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
DECISIONS = sorted(DOCS.glob("decisions/[0-9]*.md"))
FIX = "run `make map`"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```(sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\S*/)?selat ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
EXAMPLE = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )?(?:\S*/)?selat (.*)$", re.MULTILINE)
TYPED = re.compile(r"^\$ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "make_reference.py"))


@pytest.fixture(scope="module")
def known(reference: dict[str, Any]) -> dict[str, Any]:
    return {
        name: command
        for noun, command in reference["built"]()
        for name, command in [(noun, command), *reference["verbs"](noun, command)]
    }


def test_map_is_current() -> None:
    made = runpy.run_path(str(DOCS / "make_map.py"))["text"]()
    assert (DOCS / "map.md").read_text(encoding="utf-8") == made, FIX


@pytest.mark.parametrize("name", ["settings.md", "commands.md"])
def test_reference_is_current(reference: dict[str, Any], name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == reference["PAGES"][name](), FIX


def test_every_command_and_option_has_help(known: dict[str, Any]) -> None:
    for name, command in known.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None) or parameter.name == "help", f"{name}: {parameter.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_name_commands_that_exist(page: Path, known: dict[str, Any]) -> None:
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        typed = "\n".join(TYPED.findall(block)) if language == "console" else block
        for noun, verb in COMMAND.findall(typed):
            command = known.get(f"selat {noun}")
            assert command is not None, f"selat {noun}"
            if hasattr(command, "commands"):
                assert f"selat {noun} {verb}" in known, f"selat {noun} {verb}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_can_be_typed_as_they_stand(page: Path, known: dict[str, Any]) -> None:
    for _, block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in EXAMPLE.findall(block):
            words = shlex.split(line, comments=True)
            name = next(name for name in (f"selat {' '.join(words[:2])}", f"selat {words[0]}") if name in known)
            known[name].make_context(name, words[len(name.split()) - 1 :])  # raises for what is missing or unknown


def test_decisions_are_numbered_dated_and_whole() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        assert re.match(rf"# {path.name[:4]} \S.*\n\nDate: \d{{4}}-\d\d-\d\d\nStatus: \S", text), path.name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Question", "Decision", "What follows"], path.name
