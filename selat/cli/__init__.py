"""The `selat` command: parse, call one flow, print; one file per noun."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from selat import __version__
from selat.cli.frame import HomeOption, explain, say
from selat.core.errors import Misused

COMMANDS = {
    "up": "Start Selat: home, gateway, ledger, sample documents, a first question.",
    "top": "Live traffic: requests, latency by phase, engines, tenants, ledger.",
    "tenant": "Tenants: create, list, register purposes.",
    "key": "API keys: create, list, revoke.",
    "person": "People at the console: add, list, link, close.",
    "engine": "Engines: add, list, detect, remove.",
    "drill": "Lose a vendor, a country or hardware, on paper or live: what still answers.",
    "ingest": "Turn documents into labelled, searchable passages.",
    "label": "Labels of documents: show, raise, lower.",
    "search": "Find passages that the caller may see.",
    "ask": "Ask a question; the answer cites the documents.",
    "knowledge": "Documents: list, remove, folders, what waits to be read, and how well they answer.",
    "index": "The full-text index: status, rebuild, measure.",
    "eval": "Local evals: packs, runs, results, comparisons.",
    "model": "Models: the shelf, promotion to a purpose, passports.",
    "bundle": "Carry models, documents and policy over an air gap.",
    "guard": "Find and mask personal data.",
    "quota": "Limits of requests, tokens and ringgit.",
    "rules": "Duties of law and guides, and which clocks are running.",
    "incident": "Incidents, their clocks and their notices.",
    "policy": "Check what policy decides, and why.",
    "ledger": "Verify receipts offline; check and read the ledger.",
    "receipt": "Carry the evidence about a request away, to be verified anywhere.",
    "subject": "Answer a data subject: find, export, erase.",
    "witness": "Cosign other logs' checkpoints, against split views.",
}


STOPPED = "selat: stopped by Ctrl-C; run it again: long work goes on where it was"
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


class _Nouns(typer.core.TyperGroup):
    """Imports a command's file only when that command is named, so that each starts at once."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True  # a line for each is all that is shown: none need be imported
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if self._listing:
            return typer.core.TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        command = typer.main.get_command(import_module(f"selat.cli.{cmd_name}").app)
        command.name = cmd_name
        _take_home(command)
        command.help = COMMANDS.get(cmd_name, command.help)
        return command


def _take_home(command: Any) -> None:
    """Let every command take `--home DIR`, also one that needs no home: a script may then always give it."""
    for verb in getattr(command, "commands", {}).values():
        _take_home(verb)
    if hasattr(command, "commands") or any("--home" in option.opts for option in command.params):
        return
    command.params.append(_spare_home())


def _spare_home() -> Any:
    """The option `--home` of a command that has no use for it: taken, and not passed on."""
    donor = typer.Typer()

    @donor.command()
    def take(home: HomeOption = None) -> None: ...

    (option,) = (one for one in typer.main.get_command(donor).params if "--home" in one.opts)
    option.expose_value = False
    option.help = "Taken by every command; this one needs no home."  # type: ignore[attr-defined]
    return option


app = typer.Typer(cls=_Nouns, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"selat {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Selat: one governed, provable road from a caller to any model."""
    if debug:
        os.environ["SELAT_DEBUG"] = "1"


def _see_that_all_is_said(words: list[str]) -> None:
    """Raises: Misused, for an empty word: in a script an unset variable, which must not widen a wish."""
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=")
        if not word or (word.startswith("--") and word.endswith("=") and not value):
            name = option or (before if before.startswith("-") else "an argument")
            raise Misused(f"{name}: its value is empty; write one, or leave it out (is a variable not set?)")


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 refused or failed, 2 misused."""
    try:
        _see_that_all_is_said(sys.argv[1:])
        app()
    except KeyboardInterrupt:  # while a command is still being read in
        say(STOPPED)
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            say(STOPPED)
        raise
    except BrokenPipeError:
        # The reader of our stdout left (`selat … | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:  # noqa: BLE001 - the last place there is; a person gets a line, --debug the rest
        raise SystemExit(explain(error)) from None
    finally:
        # The process ends: to look for garbage in what it holds took a sixth of the CPU of a short command.
        gc.freeze()
