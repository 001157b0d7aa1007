"""kill -9 at every crash point: no acknowledged entry is lost, none comes twice, no size is signed twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_house import House, leaf

from selat.core.checkpoint import parse_checkpoint
from selat.core.note import parse_note
from selat.core.proof import verify
from selat.ledger import Book
from selat.ledger.check import check
from selat.ledger.points import POINTS

WORK = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from ledger_house import House, leaf
from selat.ledger import Journal, Sequencer, points, secret
home, point, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0
signed = open(home / "signed", "a")
acknowledged = open(home / "acknowledged", "a", buffering=1)
def reach(name):
    global seen
    if name == "checkpoint.signed":
        signed.write(sequencer.about_to_sign + "\\n"); signed.flush()
    if name == point:
        seen += 1
        if seen == nth:
            os.kill(os.getpid(), 9)
house = House(home)
points.on_reaching(reach)
sequencer = Sequencer(house.folder, house.signer)
def announce(head, publish=sequencer._publish):
    sequencer.about_to_sign = f"{head.size} {head.root.hex()}"
    publish(head)
sequencer._publish = announce
for turn in range(3):
    journal = Journal(house.folder, "w")
    journal.start()
    numbers = range(turn * 150, turn * 150 + 150)
    # One in the middle is longer than the room ahead.
    text = secret("prompt.text", b"t" * 300_000)
    secrets = [secret("prompt", b"s" * 32) + text * (n % 150 == 75) for n in numbers]
    tickets = [(n, journal.append(leaf(n), beside)) for n, beside in zip(numbers, secrets)]
    for n, ticket in tickets:
        ticket.wait(60)
        acknowledged.write(f"{n}\\n")
    acknowledged.flush()
    journal.close()
    sequencer.step()
    sequencer.step()
sequencer.close()
"""


def work(home: Path, point: str, nth: int) -> int:
    here = str(Path(__file__).parent)
    arguments = [sys.executable, "-c", WORK, str(home), point, str(nth), here]
    done = subprocess.run(arguments, capture_output=True, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_loses_and_repeats_nothing(tmp_path: Path, point: str, nth: int) -> None:
    killed = work(tmp_path, point, nth)
    if nth == 1:
        assert killed == -signal.SIGKILL, f"the point {point} is never reached"
    house = House(tmp_path)
    more = range(10_000, 10_050)
    house.write([leaf(number) for number in more])
    while house.sequence():
        continue
    acknowledged = {int(line) for line in (tmp_path / "acknowledged").read_text().split()} | set(more)
    book = Book(house.folder)
    numbers = [int(json.loads(entry)["id"][1:]) for entry in book.entries()]
    assert len(numbers) == len(set(numbers)), "integrated twice"
    assert acknowledged <= set(numbers), "acknowledged and lost"
    report = check(house.folder)
    assert report.ok, report.problems
    for number in (numbers[0], numbers[-1]):
        (index,) = book.find(f"r{number}")
        assert verify(book.proof(index), book.trust()).leaf == leaf(number)
        assert book.secrets(f"r{number}") == {index: {"prompt": b"s" * 32}}
    roots: dict[str, str] = {}
    for line in (tmp_path / "signed").read_text().splitlines():
        size, root = line.split()
        assert roots.setdefault(size, root) == root, "two roots signed for one size: a fork"
    assert parse_checkpoint(parse_note(book.checkpoint()).unverified_text).size == len(numbers)
