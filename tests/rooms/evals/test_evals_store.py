"""What was answered is kept, whole, and found again; a file that is no database of ours is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from selat.core.errors import HomeBroken, NotFound
from selat.evals import Reply, ToolUse
from selat.evals.item import Score, Scored
from selat.evals.run import Exam, Run, Subject
from selat.evals.store import Store

REPLY = Reply("ya", "length", tool_uses=(ToolUse("t", "{}"),), top=(("A", -0.5),), masked=True, receipt="R")
RUN = Run("01AB", "t", Subject("m", "e", "openai"), (Exam("p", "d"),), (Exam("biasa", "f"),))


def test_replies_come_back_as_they_were_however_many(tmp_path: Path) -> None:
    store = Store(tmp_path / "evals.db")
    names = [f"{number:064x}" for number in range(1700)]
    store.keep("s", dict.fromkeys(names, REPLY))
    assert store.replies("s", [*names, "f" * 64]) == dict.fromkeys(names, REPLY)
    assert store.replies("other", names) == {}
    store.close()
    again = Store(tmp_path / "evals.db")
    assert len(again.replies("s", names)) == 1700
    again.close()


def test_a_runs_scores_replace_its_earlier_ones(tmp_path: Path) -> None:
    store = Store(tmp_path / "evals.db")
    rows = [Scored("p", str(n), "biasa", "ms", str(n), Score(1.0, answer="A")) for n in range(3)]
    store.finish(RUN, rows)
    store.finish(RUN, rows[:2])
    assert store.scored(RUN.id) == rows[:2]
    assert store.runs() == [RUN]
    with pytest.raises(NotFound, match="pack"):
        store.pack("d")
    store.close()


@pytest.mark.parametrize("asked", ["", "zz"])
def test_a_run_that_is_not_there_is_not_guessed(tmp_path: Path, asked: str) -> None:
    store = Store(tmp_path / "evals.db")
    store.save(RUN)
    assert store.run("01a") == RUN
    with pytest.raises(NotFound):
        store.run(asked)
    store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "evals.db"
    path.write_bytes(b"bukan pangkalan data" * 100)
    with pytest.raises(HomeBroken, match=r"evals\.db"):
        Store(path)
