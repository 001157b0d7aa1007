"""`selat serve`: one gateway worker on a socket that the supervisor bound; started by `selat up`, not by people."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Annotated

import typer
import uvloop

from selat.app import open_platform
from selat.cli.frame import HomeOption
from selat.gateway.app import Gateway
from selat.gateway.server import serve

app = typer.Typer(help="One gateway worker, started by `selat up`.", hidden=True)


@app.command()
def main(
    fd: Annotated[int, typer.Option(help="The listening socket, as an inherited file descriptor.")],
    worker: Annotated[str, typer.Option(help="Name of this worker; its journal carries it.")],
    home: HomeOption = None,
) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    uvloop.run(_serve(listening, worker, home))
