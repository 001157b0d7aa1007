"""`python -m selat.process`: a gateway worker, the sequencer or a pull, without the weight of the command line.

The supervisor starts them; each imports what it works with and nothing else, since it stays in memory for good.
"""

# Imports stand in the functions, so that no process carries what only another needs.

from __future__ import annotations

import os
import select
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.errors import Misused, SelatError
from selat.gateway.logs import begin
from selat.home import Home, create_home, find_home
from selat.settings import read_settings

if TYPE_CHECKING:
    from selat.ledger import Place

KEY = "ledger.key"


def serve(home: Path | None, fd: int, worker: str) -> None:
    """One gateway worker on a listening socket that it inherited, until told to stop."""
    import uvloop

    from selat.app import open_platform
    from selat.console import console
    from selat.gateway.worker import work

    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    with open_platform(home, worker) as platform:
        begin(platform.settings)
        platform.supervised = True  # our supervisor keeps the host of models
        uvloop.run(work(platform, listening, console))


def sequence(home: Path | None) -> None:
    """Integrate the journals and sign checkpoints until told to stop."""
    from selat.ledger import Keeping, sequence

    place = create_home(find_home(home))
    settings = read_settings(place.path)
    begin(settings)

    def content_days() -> dict[str, int]:
        from selat.identity import Keys  # brings SQLAlchemy: only where there is content to expire

        keys = Keys.open(settings.database or place.database)
        try:
            return {one.id: one.content_days for one in keys.tenants()}
        finally:
            keys.close()

    ledger = ledger_of(place)
    Keeping(ledger, settings.ledger_keep_days, content_days).start()
    sequence(ledger, place.keys / KEY, settings.ledger_origin, settings.ledger_seal_every_ms / 1000)


def pull(home: Path, pull_id: str) -> None:
    """Do one pull that somebody began, until its end, until it is told to stop, or until the gateway is gone."""
    import threading

    from selat.app import open_platform
    from selat.flows.pulls import end_when_told

    def gone() -> bool:
        return bool(select.select([sys.stdin], [], [], 0)[0]) and not os.read(sys.stdin.fileno(), 1)

    with open_platform(home, "pull") as platform:
        begin(platform.settings)
        desk = platform.pulling
        watch = (desk.pulls, pull_id, gone, lambda: os._exit(0))
        threading.Thread(target=end_when_told, args=watch, name="end", daemon=True).start()
        desk.carry_out(pull_id)


def ledger_of(home: Home) -> Place:
    """Where the ledger of a home lies, as its settings say. Raises: Misused, HomeBroken."""
    from selat.ledger import Place, read_bucket

    said = read_settings(home.path)
    bucket = read_bucket(
        said.ledger_tiles, said.ledger_tiles_endpoint, said.ledger_tiles_region, home.keys, os.environ
    )
    return Place(home.ledger, said.ledger_database, bucket)


def main(arguments: list[str]) -> int:
    """`serve --home DIR --fd N --worker NAME`, `sequence --home DIR`, `pull --home DIR --id ID`; the exit code."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    home = Path(options["--home"])
    try:
        if arguments[0] == "serve":
            serve(home, int(options["--fd"]), options["--worker"])
        elif arguments[0] == "pull":
            pull(home, options["--id"])
        else:
            sequence(home)
    except SelatError as error:
        sys.stderr.write(f"selat: {error}\n")
        return 2 if isinstance(error, Misused) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
