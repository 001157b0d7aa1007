"""Every command takes `--home` and `--json`, so that a script may always give both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from selat.cli import COMMANDS, app

LONG_RUNNING = {"engine host", "witness serve", "ledger sequence"}


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, verb in command.commands.items():
            yield from leaves(verb, f"{path} {name}")
    else:
        yield path, command


ROOT: Any = typer.main.get_command(app)
ALL = [pair for name in COMMANDS for pair in leaves(ROOT.get_command(None, name), name)]


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_every_command_takes_home_and_json(path: str, command: Any) -> None:
    options = {name for option in command.params for name in option.opts}
    assert "--home" in options
    assert "--json" in options or path in LONG_RUNNING
    assert command.help


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = "import sys; sys.argv = ['selat', '--help']\ntry: from selat.cli import main; main()\n"
    code += "finally: print(sorted(name for name in sys.modules if name in ('selat.app', 'selat.cli.key')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(words in done.stdout for words in COMMANDS)
    assert done.stdout.endswith("[]\n")
