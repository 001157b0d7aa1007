"""An errand tells its stages and its end, and says itself why it failed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import until

from selat.cli.frame import explain
from selat.core.errors import Misused, Unavailable
from selat.errand import Errand, cut_short


def test_stages_are_reached_in_order_and_an_end_is_every_stage() -> None:
    def work(reached: Callable[[], None]) -> None:
        reached()
        time.sleep(60)

    errand = Errand.fork(work, explain)
    until(lambda: errand.reached(1))
    assert not errand.reached(2)
    assert not errand.ended
    errand.stop()
    until(lambda: errand.ended)
    assert errand.reached(2)
    with pytest.raises(SystemExit) as left:
        errand.settle()
    assert left.value.code == 128 + 15


def test_told_to_end_an_errand_closes_what_is_open_in_silence_however_often_it_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(reached: Callable[[], None]) -> None:
        try:
            reached()
            time.sleep(60)
        except SystemExit as ending:
            raise OSError("interrupted, in words of its own") from ending
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            (tmp_path / "closed").touch()

    errand = Errand.fork(work, explain)
    until(lambda: errand.reached(1))
    errand.stop()
    assert errand.ended
    assert (tmp_path / "closed").exists()
    assert capfd.readouterr() == ("", "")


def test_work_that_hears_no_signal_is_cut_short() -> None:
    def work(reached: Callable[[], None]) -> None:
        with cut_short():
            reached()
            while True:
                try:
                    time.sleep(60)
                except SystemExit:  # as compiled code, which goes on to its end
                    continue

    errand = Errand.fork(work, explain)
    until(lambda: errand.reached(1))
    errand.stop()
    with pytest.raises(SystemExit, match="15"):
        errand.settle()


def test_an_errand_whose_parent_was_killed_ends_at_its_next_stage_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(reached: Callable[[], None]) -> None:
        until(lambda: (tmp_path / "killed").exists())
        reached()

    errand = Errand.fork(work, explain)
    os.close(errand.pipe)
    errand.pipe = os.open(os.devnull, os.O_RDONLY)
    (tmp_path / "killed").touch()
    with pytest.raises(SystemExit, match="1"):
        errand.settle()
    assert capfd.readouterr() == ("", "")


def test_what_nobody_foresaw_is_a_line_too(capfd: pytest.CaptureFixture[str]) -> None:
    def work(reached: Callable[[], None]) -> None:
        os.readlink("/")

    with pytest.raises(SystemExit):
        Errand.fork(work, explain).settle()
    assert capfd.readouterr().err == "selat: /: Invalid argument; see to that, then run this again\n"


def test_an_errand_that_is_done_settles_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    Errand.fork(lambda reached: reached(), explain).settle()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("error", "code"), [(Misused("give --home another"), 2), (Unavailable("not there"), 1)])
def test_an_error_of_ours_is_told_as_commands_tell_it(
    capfd: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def work(reached: Callable[[], None]) -> None:
        raise error

    with pytest.raises(SystemExit) as left:
        Errand.fork(work, explain).settle()
    assert left.value.code == code
    assert f"selat: {error}" in capfd.readouterr().err
