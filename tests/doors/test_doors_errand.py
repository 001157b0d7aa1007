"""An errand tells its stages and its end, and says itself why it failed."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from waiting import until

from selat.cli.frame import explain
from selat.core.errors import Misused, Unavailable
from selat.errand import Errand


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
    assert left.value.code == 15


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
