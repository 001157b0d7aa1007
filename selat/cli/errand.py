"""Work in a process of its own, so that what it imports and builds leaves no memory behind in this one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable

from selat.cli.frame import explain
from selat.core.errors import SelatError


class Errand:
    """A forked process that runs `work`, which is given a function to call at each stage that it has reached.

    It shows its results itself and, of an error of ours, says why, as commands do. Fork while no threads run.
    """

    def __init__(self, work: Callable[[Callable[[], None]], None]) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        sys.stdout.flush()
        sys.stderr.flush()
        self._stages = 0
        self._code: int | None = None
        self._process = os.fork()
        if self._process == 0:
            os.close(self._reader)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to us too; our parent says when
            os._exit(_do(lambda: work(lambda: _tell(writer))))
        os.close(writer)

    def reached(self, stage: int) -> bool:
        """Whether it has come so far, or is over; never waits."""
        if self.ended:
            return True
        with contextlib.suppress(BlockingIOError):
            self._stages += len(os.read(self._reader, 64))
        return self._stages >= stage

    @property
    def ended(self) -> bool:
        if self._code is None:
            process, status = os.waitpid(self._process, os.WNOHANG)
            if process:
                self._over(status)
        return self._code is not None

    def settle(self) -> None:
        """Wait for its end. Raises: SystemExit, with its code, when it failed."""
        if self._code is None:
            self._over(os.waitpid(self._process, 0)[1])
        if self._code:
            raise SystemExit(abs(self._code))

    def stop(self) -> None:
        """Ask it to end, if it is not over yet."""
        if not self.ended:
            os.kill(self._process, signal.SIGTERM)

    def _over(self, status: int) -> None:
        self._code = os.waitstatus_to_exitcode(status)
        os.close(self._reader)


def _tell(writer: int) -> None:
    os.write(writer, b".")


def _do(work: Callable[[], None]) -> int:
    """Run in the child; its exit code."""
    code = 1
    try:
        work()
        code = 0
    except SelatError as error:
        code = explain(error)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends here, and must say why
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    return code
