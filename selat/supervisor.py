"""Keeps the processes of one Selat alive: the sequencer and the gateway workers, restarted with back-off.

It stays in memory for as long as they do, so it does without dataclasses and the home, and what those import.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from selat.core.errors import HomeBroken, Misused, Unavailable

log = logging.getLogger("selat.supervisor")

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
DRAIN_S = 35.0
LLAMA, ENGINES = "llama", "engines.toml"
# What glibc is told in each process: threads share two heaps, and what is freed goes back.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "262144"}
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
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


class _Child:
    """One process and how to start it again. Its standard input closes when we are gone, and it then stops."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        descriptors: Sequence[int] = (),
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name, self.arguments, self.descriptors, self.wanted = name, arguments, descriptors, wanted
        self.process: subprocess.Popen[bytes] | None = None
        self.wait_s, self.due, self.started = FIRST_WAIT_S, 0.0, 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
            [sys.executable, "-m", *self.arguments],
            stdin=subprocess.PIPE,
            pass_fds=self.descriptors,
            start_new_session=True,
            env={**os.environ, **MEMORY},
        )
        self.started = time.monotonic()


class Supervisor:
    """Starts the sequencer and `workers` gateways on one socket; `step` restarts what died; `stop` drains."""

    def __init__(self, home: Path, listening: socket.socket, workers: int) -> None:
        at_home = ("--home", str(home))
        self._children = [_Child("sequencer", ("selat.process", "sequence", *at_home))]
        descriptor = listening.fileno()
        for number in range(workers):
            arguments = (
                "selat.process",
                "serve",
                "--fd",
                str(descriptor),
                "--worker",
                f"gateway-{number}",
                *at_home,
            )
            self._children.append(_Child(f"gateway-{number}", arguments, (descriptor,)))
        runs_models = _Watched(home / ENGINES)
        self._children.append(_Child("models", ("selat", "engine", "host", *at_home), wanted=runs_models))

    def start(self) -> None:
        for child in self._children:
            if child.wanted():
                child.start()

    def step(self) -> None:
        """Start again whatever ended by itself, waiting longer each time it ends soon after its start."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and (code := child.process.poll()) is not None:
                child.process = None
                if now - child.started > LONGEST_WAIT_S:
                    child.wait_s = FIRST_WAIT_S
                child.due = now + child.wait_s
                log.error("%s ended with %s; starting it again in %.1f s", child.name, code, child.wait_s)
                child.wait_s = min(child.wait_s * 2, LONGEST_WAIT_S)
            if child.process is None and now >= child.due and child.wanted():
                child.start()

    def fail_early(self) -> None:
        """While starting: a child that ended by itself has said why, and will not do better the next time.

        Raises: Unavailable, naming it.
        """
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                raise Unavailable(f"{child.name} could not start; the line above says why")

    def stop(self) -> None:
        """Drain the gateways first, then the sequencer, so that the last closings are sealed."""
        sequencer, *gateways, models = self._children
        _end(gateways)
        _end([models, sequencer])


class _Watched:
    """Whether `engines.toml` names a model that Selat runs itself, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: object = None
        self._found = False

    def __call__(self) -> bool:
        try:
            stat = self._path.stat()
        except OSError:
            return False
        seen = stat.st_mtime_ns, stat.st_ino, stat.st_size
        if seen != self._seen:
            self._seen = seen
            # What reads the file is imported only where the word occurs: this process lives long and stays small.
            self._found = LLAMA in self._path.read_text("utf-8", "replace") and self._named()
        return self._found

    def _named(self) -> bool:
        from selat.engines import EngineFile

        with contextlib.suppress(HomeBroken):  # the gateways say what is wrong with it
            return any(spec.kind == LLAMA for spec in EngineFile(self._path).read())
        return self._found


def _end(children: Sequence[_Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_S
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
