"""Workers and sequencers killed at random under load, and a disk that really is full: the book stays whole."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_house import House, leaf
from waiting import until

from selat.core.errors import LedgerUnavailable
from selat.ledger import Book, Journal, Sequencer
from selat.ledger.check import check

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from ledger_house import leaf
from selat.ledger import Journal, secret
journal = Journal(Path(sys.argv[1]), "w" + sys.argv[2])
journal.start()
number = int(sys.argv[2]) * 1_000_000
while True:
    tickets = [(number + n, journal.append(leaf(number + n), secret("prompt", b"s" * 32))) for n in range(20)]
    for n, ticket in tickets:
        ticket.wait(60)
        print(n, flush=True)
    number += 20
"""
SEQUENCER = """
import sys
from pathlib import Path
from selat.ledger import sequence
sequence(Path(sys.argv[1]), Path(sys.argv[1]).parent / "keys" / "ledger.key", every_s=0.05)
"""


def test_random_kills_lose_and_repeat_nothing(house: House, tmp_path: Path) -> None:
    chance = random.Random(5)
    here, folder = str(Path(__file__).parent), str(house.folder)
    outs, children, started = [], list[subprocess.Popen[bytes]](), 0

    def worker() -> subprocess.Popen[bytes]:
        nonlocal started
        started += 1
        out = (tmp_path / f"out{started}").open("wb")
        outs.append(out)
        return subprocess.Popen([sys.executable, "-c", WORKER, folder, str(started), here], stdout=out)

    def sequencer() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SEQUENCER, folder], stdin=subprocess.DEVNULL)

    children = [worker(), worker(), sequencer()]
    for _ in range(7):
        time.sleep(0.4)
        victim = chance.randrange(3)
        children[victim].send_signal(signal.SIGKILL)
        children[victim].wait()
        children[victim] = sequencer() if victim == 2 else worker()
    files = [tmp_path / f"out{number}" for number in range(1, started + 1)]
    until(lambda: sum(path.read_text().count("\n") for path in files) > 100)
    for child in children:
        child.kill()
        child.wait()
    for out in outs:
        out.close()
    while house.sequence():
        continue
    texts = [(tmp_path / f"out{n}").read_text() for n in range(1, started + 1)]
    acknowledged = {int(line) for text in texts for line in text.split("\n")[:-1]}
    numbers = [int(json.loads(entry)["id"][1:]) for entry in Book(house.folder).entries()]
    assert len(acknowledged) > 100
    assert len(numbers) == len(set(numbers))
    assert acknowledged <= set(numbers)
    report = check(house.folder)
    assert report.ok, report.problems
    assert Book(house.folder).secrets(f"r{numbers[-1]}") == {len(numbers) - 1: {"prompt": b"s" * 32}}


def test_a_full_disk_refuses_then_recovers_with_nothing_lost(small_disk: Path) -> None:
    house = House(small_disk)
    house.sequence()
    journal = Journal(house.folder, "w")
    journal.start()
    acknowledged, number = [], 0
    while True:
        try:
            tickets = [(number + n, journal.append(leaf(number + n) + b" " * 2000)) for n in range(10)]
            number += 10
            for n, ticket in tickets:
                ticket.wait(60)
                acknowledged.append(n)
        except LedgerUnavailable:
            break
    assert 100 < len(acknowledged) < 1000
    sequencer = Sequencer(house.folder, house.signer)
    with pytest.raises((OSError, LedgerUnavailable), match=r"No space|disk"):
        sequencer.step()
    assert Book(house.folder).size == 0
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    end = time.monotonic() + 60
    while True:
        try:
            journal.append(leaf(900_000)).wait(60)
            break
        except LedgerUnavailable:
            assert time.monotonic() < end
            time.sleep(0.05)
    journal.close()
    while sequencer.step():
        continue
    sequencer.close()
    found = {json.loads(entry)["id"] for entry in Book(house.folder).entries()}
    assert {f"r{n}" for n in [*acknowledged, 900_000]} <= found
    assert check(house.folder).ok


def test_a_disk_turned_read_only_refuses(small_disk: Path) -> None:
    house = House(small_disk)
    house.write([leaf(0)])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    journal = Journal(house.folder, "w")
    with pytest.raises(LedgerUnavailable, match="Read-only"):
        journal.start()
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert house.sequence() == 1
