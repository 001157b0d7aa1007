"""Work in a process of its own, so that what it imports and builds leaves no memory behind in this one."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

TOLD = 128
"""Added to the number of the signal that ended a process: its exit code, as shells have it."""


class Errand:
    """A forked process as its parent sees it: its id, and the end of a pipe on which it tells its stages.

    Both outlive the parent's exec, so the parent may become another, smaller program meanwhile.
    """

    def __init__(self, process: int, stages: int) -> None:
        self.process, self.pipe = process, stages
        self._stages = 0
        self._code: int | None = None

    @classmethod
    def fork(cls, work: Callable[[Callable[[], None]], None], explain: Callable[[Exception], int]) -> Errand:
        """Run `work`, which is given a function to call at each stage that it has reached. No threads may run.

        It shows its results itself; an error goes to `explain`, which gives the exit code. Told to end, it ends
        at once and in silence, by SystemExit: what is open is closed.
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
        self._wait()
        if self._code:
            raise SystemExit(abs(self._code))

    def stop(self) -> None:
        """Have it end, if it is not over yet, and wait for that."""
        if not self.ended:
            os.kill(self.process, signal.SIGTERM)
            self._wait()

    def _wait(self) -> None:
        if self._code is None:
            self._over(os.waitpid(self.process, 0)[1])

    def _over(self, status: int) -> None:
        self._code = os.waitstatus_to_exitcode(status)
        os.close(self.pipe)


@contextlib.contextmanager
def cut_short() -> Iterator[None]:
    """For work of seconds in another language, which hears of a signal at its end: being told to end kills it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(writer: int) -> None:
    try:
        os.write(writer, b".")
    except BrokenPipeError:  # our parent was killed: nobody waits for us
        raise SystemExit(1) from None


def _do(work: Callable[[], None], explain: Callable[[Exception], int]) -> int:
    """Run in the child; its exit code."""
    code, told = 1, []

    def leave(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # by our parent, and by who tells all of us: once is enough
        told.append(TOLD + number)
        raise SystemExit(told[0])

    try:
        signal.signal(signal.SIGTERM, leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the process ends here, and must say why
        code = told[0] if told else explain(error)  # what was interrupted may say so in words of its own
    sys.stdout.flush()
    sys.stderr.flush()
    return code
