"""`python -m selat.process`: what `selat up` becomes, a worker, the sequencer, a pull, a check; no command line.

Each imports what it works with and nothing else, since it stays in memory for good.
"""

# Imports stand in the functions, so that no process carries what only another needs; nor what types alone do:
# the module `typing` is 0.4 MB.

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping

from selat.core.errors import Misused, SelatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from selat.errand import Errand
    from selat.home import Home
    from selat.ledger import Place

KEY = "ledger.key"
POLL_S = 0.2
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
FURNISHED, READY, DONE = 1, 2, 3
"""The stages of the welcome: the home has what it needs; the gateway answers; the first question is answered."""
STOPPING = (signal.SIGINT, signal.SIGTERM)
AGAIN_S = 1.0


def stand(options: Mapping[str, str]) -> None:
    """What `selat up` becomes once its welcome is under way: start everything, watch it, stop it when told to."""
    from selat.errand import Errand
    from selat.supervisor import Supervisor

    def tell(message: str) -> None:
        import logging  # with what it brings 2 MB, for what may never happen

        from selat.gateway.logs import begin

        begin(options["--log-format"], options["--log-level"])
        logging.getLogger("selat.supervisor").error(message)

    home, listening = options["--home"], int(options["--fd"])
    opening = Errand(int(options["--errand"]), int(options["--stages"]))
    supervisor = Supervisor(home, listening, int(options["--workers"]), tell)
    stopping = stop_on_signal()
    serving = False
    try:
        _see_through(opening, FURNISHED, stopping)
        _say(f"Selat is starting on {options['--address']}; its home is {home}")
        supervisor.start()
        _see_through(opening, READY, stopping, supervisor.fail_early)
        _see_through(opening, DONE, stopping)
        serving = True
        opening.settle()  # it shows what came of it
        while options["--once"] == "0" and not stopping:
            supervisor.step()
            time.sleep(POLL_S)
    finally:
        opening.stop()
        if serving:
            _say("stopping: open answers finish, the last entries are sealed")
        elif stopping:  # else who failed says why
            _say("stopping before it was ready: run it again, and it goes on from here")
        os.close(listening)  # each worker closes its own: whoever comes now is refused, not left waiting
        supervisor.stop()


def stop_on_signal() -> list[int]:
    """A list that a first SIGINT or SIGTERM fills, one held back until now too; Ctrl-C again ends the process.

    Not within AGAIN_S: what is between a terminal and us (`timeout`, `make`, a runner) tells us a second time.
    Also where the parent left SIGINT ignored, as a shell does to what a script starts in the background.
    """
    received: list[int] = []
    patient_until = 0.0

    def note(number: int, _frame: object) -> None:
        nonlocal patient_until
        if not received:
            received.append(number)
            patient_until = time.monotonic() + AGAIN_S
        elif number == signal.SIGINT and time.monotonic() > patient_until:
            raise KeyboardInterrupt

    for number in STOPPING:
        signal.signal(number, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    return received


def _see_through(errand: Errand, stage: int, stopping: list[int], check: Callable[[], object] = bool) -> None:
    """Wait until an errand has come so far. Raises: SystemExit, when it failed or we stop; what `check` raises."""
    while not stopping and not errand.reached(stage):
        check()
        time.sleep(POLL_S / 10)
    if stopping and not errand.reached(stage):
        from selat.errand import TOLD

        raise SystemExit(TOLD + stopping[0])
    if errand.ended:
        errand.settle()


def _say(text: str) -> None:
    """Talk to the person, on stderr; stdout is for results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def serve(home: Path | None, fd: int, worker: str) -> None:
    """One gateway worker on a listening socket that it inherited, until told to stop."""
    import socket

    import uvloop

    from selat.app import open_platform
    from selat.console import console
    from selat.gateway.logs import begin
    from selat.gateway.worker import work

    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    with open_platform(home, worker) as platform:
        begin(platform.settings.log_format, platform.settings.log_level)
        platform.supervised = True  # our supervisor keeps the host of models
        uvloop.run(work(platform, listening, console))


def sequence(home: Path | None) -> None:
    """Integrate the journals and sign checkpoints until told to stop."""
    import gc

    from selat import spare
    from selat.gateway.logs import begin
    from selat.home import create_home, find_home
    from selat.ledger import Keeping, sequence
    from selat.settings import read_settings

    place = create_home(find_home(home))
    settings = read_settings(place.path)
    begin(settings.log_format, settings.log_level)

    def content_days() -> dict[str, int]:
        from selat.identity import Keys  # brings SQLAlchemy: only where there is content to expire

        keys = Keys.open(settings.database or place.database)
        try:
            return {one.id: one.content_days for one in keys.tenants()}
        finally:
            keys.close()

    gc.collect()
    gc.freeze()  # what is imported by now stays for good; a step's values die by themselves
    gc.set_threshold(20_000, 20, 50)
    ledger = ledger_of(place)
    spare.let_go_of_files()
    spare.keep_trimmed()
    Keeping(ledger, settings.ledger_keep_days, content_days).start()
    sequence(ledger, place.keys / KEY, settings.ledger_origin, settings.ledger_seal_every_ms / 1000)


def task(home: Path, verb: str, task_id: str) -> None:
    """Do one pull or check that somebody began: to its end, or until told to stop, or the gateway is gone."""
    import select
    import threading

    from selat.app import open_platform
    from selat.flows.tasks import end_when_told
    from selat.gateway.logs import begin

    def gone() -> bool:
        return bool(select.select([sys.stdin], [], [], 0)[0]) and not os.read(sys.stdin.fileno(), 1)

    with open_platform(home, verb) as platform:
        begin(platform.settings.log_format, platform.settings.log_level)
        desk = platform.pulling if verb == "pull" else platform.checking
        watch = (desk.runner.tasks, task_id, gone, lambda: os._exit(0))
        threading.Thread(target=end_when_told, args=watch, name="end", daemon=True).start()
        desk.carry_out(task_id)


def ledger_of(home: Home) -> Place:
    """Where the ledger of a home lies, as its settings say. Raises: Misused, HomeBroken."""
    from selat.ledger import Place, read_bucket
    from selat.settings import read_settings

    said = read_settings(home.path)
    bucket = read_bucket(
        said.ledger_tiles, said.ledger_tiles_endpoint, said.ledger_tiles_region, home.keys, os.environ
    )
    return Place(home.ledger, said.ledger_database, bucket)


def _work(verb: str, options: Mapping[str, str]) -> None:
    from pathlib import Path

    home = Path(options["--home"])
    if verb == "serve":
        serve(home, int(options["--fd"]), options["--worker"])
    elif verb == "sequence":
        sequence(home)
    else:
        task(home, verb, options["--id"])


def main(arguments: list[str]) -> int:
    """`up`, `serve`, `sequence`, `pull` or `check`, with its options; the exit code, as the commands'."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    try:
        if arguments[0] == "up":
            stand(options)
        else:
            _work(arguments[0], options)
    except SelatError as error:
        if os.environ.get("SELAT_DEBUG"):
            import traceback

            traceback.print_exc()
        _say(f"selat: {error}")
        return 2 if isinstance(error, Misused) else 1
    except KeyboardInterrupt:
        _say("selat: stopped at once")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
