"""Keeps the processes of one Selat alive: the sequencer and the gateway workers, restarted with back-off.

It stays in memory for as long as they do, so it does without dataclasses, paths, sockets and the log's writer, and
what those import: descriptors and file names are numbers and text here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from selat.core.errors import HomeBroken, Unavailable

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
DRAIN_S = 35.0
LLAMA, ENGINES = "llama", "engines.toml"
# What glibc is told in each process: threads share two heaps, and what is freed goes back.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "262144"}


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

    def __init__(self, home: str, listening: int, workers: int, tell: Callable[[str], None]) -> None:
        """`listening` is the socket's descriptor; `tell` logs that a process ended by itself."""
        self._tell = tell
        at_home = ("--home", home)
        self._children = [_Child("sequencer", ("selat.process", "sequence", *at_home))]
        for number in range(workers):
            arguments = (
                "selat.process",
                "serve",
                "--fd",
                str(listening),
                "--worker",
                f"gateway-{number}",
                *at_home,
            )
            self._children.append(_Child(f"gateway-{number}", arguments, (listening,)))
        runs_models = _Watched(os.path.join(home, ENGINES))
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
                self._tell(f"{child.name} ended with {code}; starting it again in {child.wait_s:.1f} s")
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

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: object = None
        self._found = False

    def __call__(self) -> bool:
        try:
            stat = os.stat(self._path)
        except OSError:
            return False
        seen = stat.st_mtime_ns, stat.st_ino, stat.st_size
        if seen != self._seen:
            self._seen = seen
            # What reads the file is imported only where the word occurs: this process lives long and stays small.
            with open(self._path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            self._found = LLAMA in text and self._named()
        return self._found

    def _named(self) -> bool:
        from pathlib import Path

        from selat.engines import EngineFile

        with contextlib.suppress(HomeBroken):  # the gateways say what is wrong with it
            return any(spec.kind == LLAMA for spec in EngineFile(Path(self._path)).read())
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
