"""`selat top`: live traffic in the terminal, read from the gateways of this home or from a /metrics elsewhere."""

from __future__ import annotations

import contextlib
import select
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from selat.cli.frame import HomeOption, JsonOption, say, show_json
from selat.cli.top_screen import WORDS, screen
from selat.core.errors import Misused, Unavailable
from selat.gateway.metrics import load_fresh, total
from selat.gateway.traffic import Traffic, parse, traffic
from selat.home import Home, find_home, open_home

app = typer.Typer(help="Live traffic in the terminal.")
WINDOW_S = 10.0
"""Rates and latencies are those of so many seconds: long enough for a p99, short enough to be live."""
_TIMEOUT_S = 5.0
_BEGINS_WITHIN_S = 3.0
"""A gateway that starts in this moment has left nothing yet."""

Look = Callable[[], dict[str, float]]


@app.command()
def top(
    url: Annotated[
        str, typer.Option(help="A gateway elsewhere, as in http://10.0.0.5:7352; it shows no tenants.")
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM file of the authority that signs its certificate.")
    ] = None,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look twice, show it and end; for scripts.")] = False,
    language: Annotated[str, typer.Option(help="en or ms.")] = "en",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Show requests, latency by phase, tokens, engines, tenants, queue and ledger as they are now; q ends it."""
    if language not in WORDS:
        raise Misused(f"--language: write {' or '.join(WORDS)}")
    look = looking_at(url, ca_file) if url else looking_into(open_home(find_home(home)))
    if once or json_:
        first, since = look(), time.monotonic()
        time.sleep(every)
        found = traffic(first, look(), time.monotonic() - since)
        if json_:
            show_json(found.to_json())
        else:
            _console().print(screen(found, [found.requests_per_s], language, _console().width))
        return
    with contextlib.suppress(KeyboardInterrupt):
        _watch(look, every, language)


def looking_into(home: Home) -> Look:
    """What the gateways of a home on this machine left in it a second ago."""

    def look() -> dict[str, float]:
        ends = time.monotonic() + _BEGINS_WITHIN_S
        while not (left := load_fresh(home.metrics)):
            if time.monotonic() > ends:
                raise Unavailable(f"no gateway runs on {home.path}; start one: selat up")
            time.sleep(0.1)
        return total(left)

    return look


def looking_at(url: str, ca_file: Path | None) -> Look:
    """The /metrics of a gateway. Raises: Misused, for what is no URL."""
    if not url.startswith(("http://", "https://")):
        raise Misused("--url begins with http:// or https://, as in http://127.0.0.1:7352")
    address = url.rstrip("/").removesuffix("/metrics") + "/metrics"
    trusted = ssl.create_default_context(cafile=ca_file) if address.startswith("https") else None

    def look() -> dict[str, float]:
        try:
            with urllib.request.urlopen(address, timeout=_TIMEOUT_S, context=trusted) as reply:  # noqa: S310 - http(s) alone
                return parse(reply.read().decode())
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unavailable(f"{address} does not answer with metrics: {reason}") from error

    return look


def _watch(look: Look, every_s: float, language: str) -> None:
    looks: deque[tuple[float, dict[str, float]]] = deque([(time.monotonic(), look())])
    past: deque[float] = deque(maxlen=240)
    console = _console()
    with _keys() as ended, Live(console=console, screen=True, auto_refresh=False) as live:
        while not ended(every_s):
            now, samples = time.monotonic(), look()
            found, latest = _between(looks, now, samples)
            past.append(latest)
            live.update(screen(found, list(past), language, console.width), refresh=True)
    say(WORDS[language]["ended"])


def _between(
    looks: deque[tuple[float, dict[str, float]]], now: float, samples: dict[str, float]
) -> tuple[Traffic, float]:
    """The traffic of the window, and the requests a second since the last look."""
    last_at, last = looks[-1]
    looks.append((now, samples))
    while len(looks) > 2 and now - looks[1][0] >= WINDOW_S:
        looks.popleft()
    since, oldest = looks[0]
    return traffic(oldest, samples, now - since), traffic(last, samples, now - last_at).requests_per_s


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """A wait that says whether the person pressed q meanwhile; a plain sleep where stdin is no terminal."""
    if not sys.stdin.isatty():
        yield _pause
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)

    def ended(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([sys.stdin], [], [], left)[0] and sys.stdin.read(1) in ("q", "Q", ""):
                return True
        return False

    try:
        yield ended
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _console() -> Console:
    return Console(highlight=False)
