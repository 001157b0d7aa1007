"""What a step takes from the journals, however they are read: in which pieces, of how many writers and tenants."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from itertools import starmap

import pytest
from ledger_house import House, leaf

from selat.ledger import Book, Journal, Sequencer, intake, secret
from selat.ledger.check import check
from selat.ledger.vault import Vault

TENANTS = ("t1", "t1", "t2", "")
SECRETS: tuple[dict[str, bytes], ...] = (
    {"prompt": b"p" * 32},
    {"answer": b"a" * 32},
    {},
    {"prompt": b"q" * 32, "prompt.text": b"words" * 900},
    {"prompt": b"short"},
    {"answer.text": b"t" * 32},
    {"": b"e" * 32},
)


def written(house: House, count: int) -> dict[str, dict[str, dict[str, bytes]]]:
    """Records of all kinds in one journal; what of them is secret, by tenant and receipt."""
    kept: dict[str, dict[str, dict[str, bytes]]] = defaultdict(dict)
    journal = Journal(house.folder, "w")
    journal.start()
    for number in range(count):
        tenant, secrets = (
            TENANTS[number // 300 % len(TENANTS) if number < 600 else number % 4],
            SECRETS[number % 7],
        )
        if number < 300:
            secrets = SECRETS[number % 2]
        journal.append(leaf(number, tenant=tenant), b"".join([*starmap(secret, secrets.items())]))
        if secrets:
            kept[tenant][f"r{number}"] = secrets
    journal.close()
    return kept


@pytest.mark.parametrize("piece", [9, 1000, 128 * 1024])
def test_records_are_the_same_in_whatever_pieces_they_are_read(
    house: House, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    count = 40 if piece == 9 else 1100
    monkeypatch.setattr(intake, "_FIRST", piece)
    monkeypatch.setattr(intake, "_PIECE", piece)
    kept = written(house, count)
    assert house.sequence() == count
    book, vault = Book(house.folder), Vault(house.folder)
    numbers = [int(json.loads(entry)["id"][1:]) for entry in book.entries()]
    assert numbers == list(range(count))
    for tenant in {*TENANTS}:
        found = vault.of(tenant, range(count))
        assert {f"r{at}": secrets for at, secrets in found.items()} == kept[tenant]
    vault.close()
    assert check(house.folder).ok


def test_a_piece_that_ends_inside_a_length_is_not_taken_for_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(house.folder, "w")
    journal.start()
    for number in range(10, 40):
        journal.append(leaf(number)).wait(60)
    size = 8 + 2 + len(leaf(10))
    monkeypatch.setattr(intake, "_FIRST", 3 * size + 2)
    monkeypatch.setattr(intake, "_PIECE", 2 * size)
    assert house.sequence() == 30, "in one step, while the journal is being written"
    journal.close()


def test_a_backlog_is_taken_at_once_and_not_a_part_each_second(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "READ_BYTES", 4096)
    for worker in ("a", "b", "c"):
        house.write([leaf(number) for number in range(ord(worker) * 1000, ord(worker) * 1000 + 60)], worker)
    stop, sequencer = threading.Event(), Sequencer(house.folder, house.signer)
    stop.set()
    sequencer.run(stop)
    assert Book(house.folder).size == 180
    assert check(house.folder).ok


def test_a_step_that_is_refused_leaves_the_backlog_to_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "READ_BYTES", 4096)
    house.write([leaf(number) for number in range(100)])
    sequencer, tries = Sequencer(house.folder, house.signer), list[int]()

    def refuse() -> int:
        tries.append(1)
        raise OSError(28, "No space left on device")

    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(sequencer, "step", refuse)
    sequencer.run(stop)
    assert tries == [1]


class Stop(threading.Event):
    """Notes how long it is waited for, does something at given turns, and is set at the last."""

    def __init__(self, turns: int, at: dict[int, Callable[[], object]]) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._turns, self._at = turns, at

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self._at.get(len(self.waits), bool)()
        return len(self.waits) == self._turns


def test_after_a_rest_the_next_step_comes_soon_and_after_one_that_sealed_a_whole_pause_later(house: House) -> None:
    stop = Stop(5, {2: lambda: house.write([leaf(1)]), 3: lambda: house.write([leaf(2)])})
    Sequencer(house.folder, house.signer).run(stop, 2)
    assert stop.waits == [0.4, 0.4, 2, 2, 0.4]
    assert Book(house.folder).size == 2


def test_a_step_that_is_refused_is_tried_again_after_a_whole_pause(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError(28, "No space left on device")

    sequencer, stop = Sequencer(house.folder, house.signer), Stop(3, {})
    monkeypatch.setattr(sequencer, "step", refuse)
    sequencer.run(stop, 2)
    assert stop.waits == [0.4, 2, 2]
