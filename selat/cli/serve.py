"""`selat serve`: one gateway worker on a socket that the supervisor bound; `selat up` starts it."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
import uvloop

from selat.app import open_platform
from selat.cli.frame import HomeOption
from selat.console import console
from selat.gateway.logs import begin
from selat.gateway.worker import work

app = typer.Typer(help="One gateway worker, started by `selat up`.")


@app.command()
def serve(
    fd: Annotated[int, typer.Option(help="The listening socket, as an inherited file descriptor.")],
    worker: Annotated[str, typer.Option(help="Name of this worker; its journal carries it.")],
    home: HomeOption = None,
) -> None:
    """Serve until told to stop; started by `selat up`, not by people."""
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    with open_platform(home, worker) as platform:
        begin(platform.settings)
        platform.supervised = True  # our supervisor keeps the host of models
        uvloop.run(work(platform, listening, console))
