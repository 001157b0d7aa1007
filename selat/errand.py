"""Work in a process of its own, so that what it imports and builds leaves no memory behind in this one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable

from selat.core.errors import SelatError


class Errand:
    """A forked process as its parent sees it: its id, and the end of a pipe on which it tells its stages.

    Both outlive the parent's exec, so the parent may become another, smaller program meanwhile.
    """

    def __init__(self, process: int, stages: int) -> None:
        self.process, self.pipe = process, stages
        self._stages = 0
        self._code: int | None = None

    @classmethod
    def fork(cls, work: Callable[[Callable[[], None]], None], explain: Callable[[SelatError], int]) -> Errand:
        """Run `work`, which is given a function to call at each stage that it has reached. No threads may run.

        It shows its results itself; an error of ours goes to `explain`, which gives the exit code.
        """
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_inheritable(reader, True)
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process == 0:
            os.close(reader)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to us too; our parent says when
            os._exit(_do(lambda: work(lambda: _tell(writer)), explain))
        os.close(writer)
        return cls(process, reader)

    def reached(self, stage: int) -> bool:
        """Whether it has come so far, or is over; never waits."""
        if self.ended:
            return True
        with contextlib.suppress(BlockingIOError):
            self._stages += len(os.read(self.pipe, 64))
        return self._stages >= stage

    @property
    def ended(self) -> bool:
        if self._code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self._over(status)
        return self._code is not None

    def settle(self) -> None:
        """Wait for its end. Raises: SystemExit, with its code, when it failed."""
        if self._code is None:
            self._over(os.waitpid(self.process, 0)[1])
        if self._code:
            raise SystemExit(abs(self._code))

    def stop(self) -> None:
        """Ask it to end, if it is not over yet."""
        if not self.ended:
            os.kill(self.process, signal.SIGTERM)

    def _over(self, status: int) -> None:
        self._code = os.waitstatus_to_exitcode(status)
        os.close(self.pipe)


def _tell(writer: int) -> None:
    os.write(writer, b".")


def _do(work: Callable[[], None], explain: Callable[[SelatError], int]) -> int:
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
