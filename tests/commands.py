"""The `selat` command as tests run it: each time a process of its own, forked from one that imported the house.

A command's imports are two thirds of its CPU, and tests run hundreds. What a person would see is the same: words,
environment, exit code, and standard streams that are files. `SELAT_TEST_SPAWN=1` starts Python anew each time.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module
from typing import IO, Any

TIMEOUT_S = 300.0


def selat(*words: object, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """`selat WORDS`, given a text on standard input and more variables in its environment."""
    command = [sys.executable, "-m", "selat", *map(str, words)]
    told = {**os.environ, **environment}
    if os.environ.get("SELAT_TEST_SPAWN"):
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, env=told)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        code = _run({"argv": command[3:], "env": told, "cwd": os.getcwd()}, stdin, stdout, stderr)
        said = []
        for file in (stdout, stderr):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(command, code, *said)


def _run(wish: dict[str, Any], *streams: IO[bytes]) -> int:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            descriptors = [theirs.fileno(), *(stream.fileno() for stream in streams)]
            socket.send_fds(_forker(), [b"x"], descriptors)
        ours.settimeout(TIMEOUT_S)
        with ours.makefile("rwb") as line:
            line.write(json.dumps(wish).encode() + b"\n")
            line.flush()
            process = int(line.readline())
            try:
                return int(line.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise


@cache
def _forker() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork for each that asks; in the process that is to run it, what to run; None once nobody asks any more."""
    while True:
        _, descriptors, _, _ = socket.recv_fds(asked, 1, 4)
        if not descriptors:
            return None
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
        while _reaped():
            pass
    asked.close()
    line = socket.socket(fileno=descriptors[0]).makefile("rwb")
    wish: dict[str, Any] = json.loads(line.readline())
    running = os.fork()
    if running:
        line.write(b"%d\n" % running)
        line.flush()
        line.write(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(running, 0)[1]))
        line.flush()
        os._exit(0)
    line.close()
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return wish


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _become(wish: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    sys.argv = ["selat", *wish["argv"]]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - the process's own


if __name__ == "__main__":
    from selat.cli import COMMANDS, main

    for noun in COMMANDS:
        import_module(f"selat.cli.{noun}")
    gc.freeze()
    wish = _serve(socket.socket(fileno=int(sys.argv[1])))
    if wish is not None:
        _become(wish)
        main()
