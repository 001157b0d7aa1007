"""`selat up`: make the home, start everything, ingest the samples, ask the first question, keep serving."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from typing import Annotated

import typer

from selat.cli.errand import Errand
from selat.cli.frame import HomeOption, JsonOption, say
from selat.gateway.logs import begin
from selat.home import create_home, find_home
from selat.settings import read_settings
from selat.supervisor import Supervisor, bind

app = typer.Typer(help="Start Selat.")
POLL_S = 0.2
FURNISHED, READY, DONE = 1, 2, 3
"""The stages of the welcome: the home has what it needs; the gateway answers; the first question is answered."""


@app.command()
def up(
    home: HomeOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 7352; 0 takes a free one).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Gateway processes (default 1).")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the first answer; for scripts.")] = False,
    json_: JsonOption = False,
) -> None:
    """Start Selat: home, ledger, gateway, sample documents, a first question; then serve until Ctrl-C."""
    at = create_home(find_home(home))
    with at.held():
        at.forget_counters()
        settings = read_settings(at.path)
        begin(settings)
        listening = bind(host or settings.host, settings.port if port is None else port)
        certificate = at.path / settings.tls_certificate_file if settings.tls_certificate_file else None
        address = _address(listening, "https" if certificate else "http")
        supervisor = Supervisor(at.path, listening, workers or settings.workers)
        stopping = _stop_on_signal()

        def welcome(reached: Callable[[], None]) -> None:
            # Imports the whole house, in the errand alone: this process lives long and stays small.
            from selat.cli.opening import Opening, welcome

            welcome(Opening(at, address, certificate, settings.console_url), reached, stopping, as_json=json_)

        opening = Errand(welcome)
        try:
            _see_through(opening, FURNISHED, stopping)
            say(f"Selat is starting on {address}; its home is {at.path}")
            supervisor.start()
            _see_through(opening, READY, stopping, supervisor.fail_early)
            _see_through(opening, DONE, stopping)
            opening.settle()
            while not once and not stopping:
                supervisor.step()
                time.sleep(POLL_S)
        finally:
            opening.stop()
            say("stopping: open answers finish, the last entries are sealed")
            supervisor.stop()
            listening.close()


def _see_through(errand: Errand, stage: int, stopping: list[int], check: Callable[[], object] = bool) -> None:
    """Wait until an errand has come so far. Raises: SystemExit, when it failed; what `check` raises."""
    while not errand.reached(stage):
        check()
        if stopping:
            errand.stop()
            errand.settle()
        time.sleep(POLL_S / 10)
    if errand.ended:
        errand.settle()


def _address(listening: socket.socket, scheme: str) -> str:
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{scheme}://{shown}:{port}"


def _stop_on_signal() -> list[int]:
    """A list that a first SIGINT or SIGTERM fills; a second one ends the process at once."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        signal.signal(number, note)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return received
