"""`selat up`: make the home, bind, send the welcome on its errand, and become the process that only watches."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from selat.cli.frame import HomeOption, JsonOption, explain
from selat.core.errors import Misused
from selat.errand import Errand
from selat.gateway.logs import begin
from selat.home import create_home, find_home
from selat.process import STOPPING
from selat.settings import read_settings
from selat.supervisor import MEMORY

app = typer.Typer(help="Start Selat.")
_BACKLOG = 2048


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
    with at.held() as lock:
        at.forget_counters()
        settings = read_settings(at.path)
        begin(settings.log_format, settings.log_level)
        listening = _bind(host or settings.host, settings.port if port is None else port)
        certificate = at.path / settings.tls_certificate_file if settings.tls_certificate_file else None
        address = _address(listening, "https" if certificate else "http")
        at.address.write_text(address)
        # Held back until there is somebody to take them: handlers do not live through an exec.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

        def welcome(reached: Callable[[], None]) -> None:
            # Imports the whole house, in the errand alone: the process that watches lives long and stays small.
            from selat.cli.opening import Opening, welcome

            welcome(Opening(at, address, certificate, settings.console_url), reached, as_json=json_)

        opening = Errand.fork(welcome, explain)
        os.set_inheritable(lock, True)
        options = {
            "--home": at.path,
            "--fd": listening.fileno(),
            "--address": address,
            "--workers": workers or settings.workers,
            "--errand": opening.process,
            "--stages": opening.pipe,
            "--once": int(once),
            "--log-format": settings.log_format,
            "--log-level": settings.log_level,
        }
        words = [str(word) for option in options.items() for word in option]
        os.execve(sys.executable, [sys.executable, "-m", "selat.process", "up", *words], {**os.environ, **MEMORY})  # noqa: S606 - ourselves


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket for the workers to share. Raises: Misused, when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or "not a port"
        raise Misused(
            f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port"
        ) from error
    listening.listen(_BACKLOG)
    listening.set_inheritable(True)
    return listening


def _address(listening: socket.socket, scheme: str) -> str:
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{scheme}://{shown}:{port}"
