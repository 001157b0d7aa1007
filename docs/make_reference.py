"""Write `docs/settings.md` and `docs/commands.md` from the settings table and the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer.main

from selat.cli import COMMANDS, app
from selat.settings import PREFIX, Settings

DOCS = Path(__file__).parent
EVERYWHERE = ("home", "json_", "install_completion", "show_completion")
Named = tuple[str, Any]


def settings() -> str:
    """Every setting with its default, its environment variable and its meaning."""
    page = ["# Settings", "", "Keys of `selat.toml` in the home; an environment variable of the name given wins."]
    for setting in fields(Settings):
        page += ["", f"## `{setting.name}`", "", str(setting.metadata["meaning"])]
        page += ["", f"Default `{setting.default}`; environment `{PREFIX}{setting.name.upper()}`."]
    return "\n".join(page) + "\n"


def built() -> Iterator[Named]:
    """The nouns whose file is there, each as its command."""
    root = typer.main.get_command(app)
    for noun in COMMANDS:
        if find_spec(f"selat.cli.{noun}"):
            yield f"selat {noun}", root.get_command(None, noun)


def verbs(name: str, command: Any) -> Iterator[Named]:
    """A command, or all the commands below a noun."""
    if hasattr(command, "commands"):
        for verb, below in command.commands.items():
            yield from verbs(f"{name} {verb}", below)
    else:
        yield name, command


def options(command: Any) -> Iterator[str]:
    """One line for every argument and option that says what it is."""
    for parameter in command.params:
        if getattr(parameter, "help", None) and parameter.name not in EVERYWHERE:
            yield f"- `{', '.join(parameter.opts)}`: {' '.join(parameter.help.split())}"


def commands() -> str:
    """Every command with its help."""
    page = ["# Commands", "", "Results on stdout, talk on stderr. Exit 0 done, 1 refused or failed, 2 misused."]
    page += ["`--home DIR` says where Selat keeps its state, and `--json` prints the result as JSON."]
    for noun, command in built():
        page += ["", f"## `{noun}`", "", " ".join((command.help or "").split())]
        for name, below in verbs(noun, command):
            if name != noun:
                page += ["", f"### `{name}`", "", " ".join((below.help or "").split("\n\n")[0].split())]
            listed = list(options(below))
            page += ["", *listed] if listed else []
    return "\n".join(page) + "\n"


PAGES = {"settings.md": settings, "commands.md": commands}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
