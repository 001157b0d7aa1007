"""`selat up`: make the home, start everything, ingest the samples, ask the first question, keep serving."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from selat.app import DEFAULT_TENANT, brief_key, furnish, open_platform
from selat.cli.frame import HomeOption, JsonOption, say, show_json
from selat.cli.welcome import first_question, peer, wait_until_ready, what_next, where_to_look
from selat.core.errors import Unavailable
from selat.core.proof import verify
from selat.gateway.logs import begin
from selat.home import create_home, find_home
from selat.kits import guides
from selat.ledger import Book
from selat.settings import read_settings
from selat.supervisor import Supervisor, bind

app = typer.Typer(help="Start Selat.")
POLL_S = 0.2


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
        secret = furnish(at)
        listening = bind(host or settings.host, settings.port if port is None else port)
        certificate = at.path / settings.tls_certificate_file if settings.tls_certificate_file else None
        address = _address(listening, "https" if certificate else "http")
        gateway = peer(address, certificate)
        say(f"Selat is starting on {address}; its home is {at.path}")
        supervisor = Supervisor(at.path, listening, workers or settings.workers)
        stopping = _stop_on_signal()
        try:
            supervisor.start()
            wait_until_ready(gateway, supervisor.fail_early, stopping)
            _ingest_samples(at.path)
            with brief_key(at) as key:
                trust = Book(at.ledger).trust()
                answer = first_question(gateway, key, at.path / "receipts", lambda proof: _checked(proof, trust))
            link = _first_link(at.path)
            console = f"{settings.console_url.rstrip('/') or address}/{f'welcome?link={link}' if link else ''}"
            if json_:
                show_json({"address": address, "key": secret, "console": console, **answer.to_json()})
            else:
                answer.print()
                what_next(address, secret, at.path)
                where_to_look(console, first=link is not None)
            while not once and not stopping:
                supervisor.step()
                time.sleep(POLL_S)
        finally:
            say("stopping: open answers finish, the last entries are sealed")
            supervisor.stop()
            listening.close()


def _first_link(home: Path) -> str | None:
    """The secret of a link that lets the first person in to the console; None once anybody has an account."""
    with open_platform(home, "up") as platform:
        return None if platform.people.any() else platform.people.link(DEFAULT_TENANT)


def _checked(proof: str, trust: str) -> str:
    """What the offline check of a proof found. Raises: LedgerBroken, when it does not verify."""
    receipt = verify(proof, trust)
    head = receipt.checkpoint
    return f"leaf {receipt.index} of {head.size}, under the signed checkpoint of {head.origin}"


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


def _ingest_samples(home: Path) -> None:
    """In a process of its own: the parser and the index writer then leave no memory behind in this one."""
    command = [sys.executable, "-m", "selat", "ingest", str(guides()), "--home", str(home)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise Unavailable("the sample documents could not be ingested; the lines above say why")
