"""What is appended can be read back with a proof that verifies, from any process, exactly once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from ledger_house import House, leaf

from selat.core.errors import HomeBusy, LedgerUnavailable, NotFound, TooLarge
from selat.core.proof import verify
from selat.ledger import Book, Journal, Sequencer
from selat.ledger.vault import Vault


def test_an_empty_log_is_signed_at_start(house: House) -> None:
    assert house.sequence() == 0
    assert Book(house.folder).size == 0


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700])
def test_every_leaf_has_a_receipt_that_verifies(house: House, count: int) -> None:
    leaves = [leaf(number) for number in range(count)]
    house.write(leaves)
    assert house.sequence() == count
    book = Book(house.folder)
    assert list(book.entries()) == leaves
    for index in {0, count // 2, count - 1}:
        receipt = verify(book.proof(index), book.trust())
        assert (receipt.leaf, receipt.index, receipt.checkpoint.size) == (leaves[index], index, count)


def test_steps_of_any_size_build_the_same_tree(house: House) -> None:
    total = 0
    for count in (1, 1, 200, 60, 300, 3):
        house.write([leaf(total + number) for number in range(count)])
        assert house.sequence() == count
        total += count
    book = Book(house.folder)
    assert list(book.entries()) == [leaf(number) for number in range(total)]
    for index in range(0, total, 37):
        assert verify(book.proof(index), book.trust()).index == index
    partials = list((house.folder / "log" / "tile").rglob("*.p"))
    assert all(int(path.name.split(".")[0]) == total // 256 or path.parent.name == "1" for path in partials)


def test_salts_go_to_the_vault_and_never_into_the_log(house: House) -> None:
    house.write([leaf(1)])
    house.sequence()
    assert Book(house.folder).secrets("r1") == {0: {"prompt": b"s" * 32}}
    for path in (house.folder / "log").rglob("*"):
        assert path.is_dir() or b"s" * 32 not in path.read_bytes()
    assert not list((house.folder / "journals").glob("*.journal"))


def test_forgetting_a_salt_leaves_the_receipt_valid(house: House) -> None:
    house.write([leaf(1)])
    house.sequence()
    assert Vault(house.folder).forget("t1", [0]) == 1
    book = Book(house.folder)
    assert book.secrets("r1") == {}
    assert verify(book.proof(0), book.trust()).leaf == leaf(1)
    for path in house.folder.glob("vault.db*"):
        assert b"s" * 32 not in path.read_bytes()


def test_a_living_writers_records_are_integrated_and_its_segment_stays(house: House) -> None:
    journal = Journal(house.folder, "w0")
    journal.start()
    sequencer = Sequencer(house.folder, house.signer)
    for number in range(3):
        journal.append(leaf(number)).wait(60)
        assert sequencer.step() == 1
    assert len(list((house.folder / "journals").glob("*.journal"))) == 1
    journal.close()
    assert sequencer.step() == 0
    assert not list((house.folder / "journals").glob("*.journal"))
    sequencer.close()
    assert Book(house.folder).find("r2") == [2]


def test_a_second_sequencer_is_refused(house: House) -> None:
    first, second = Sequencer(house.folder, house.signer), Sequencer(house.folder, house.signer)
    first.start()
    with pytest.raises(HomeBusy):
        second.start()
    first.close()
    second.start()
    second.close()


def test_append_is_a_plain_call_and_the_ticket_is_awaited(house: House) -> None:
    async def talk() -> None:
        journal = Journal(house.folder, "w0")
        journal.start()
        tickets = [journal.append(leaf(number)) for number in range(100)]
        await asyncio.gather(*map(_redeem, tickets))
        assert all(ticket.durable for ticket in tickets)
        last = journal.append(leaf(100))
        await asyncio.to_thread(journal.close)
        await last
        await last

    async def _redeem(ticket: object) -> None:
        await ticket  # type: ignore[misc]

    asyncio.run(talk())
    assert house.sequence() == 101


def test_a_closed_or_unstarted_journal_refuses_at_once(house: House) -> None:
    journal = Journal(house.folder, "w0")
    with pytest.raises(LedgerUnavailable):
        journal.append(leaf(0))
    journal.start()
    journal.close()
    with pytest.raises(LedgerUnavailable):
        journal.append(leaf(0))


def test_a_leaf_beyond_the_format_is_refused(house: House) -> None:
    journal = Journal(house.folder, "w0")
    journal.start()
    with pytest.raises(TooLarge):
        journal.append(b"x" * 65_536)
    journal.append(b"x" * 65_535).wait(60)
    journal.close()
    assert house.sequence() == 1


def test_many_threads_share_one_journal(house: House) -> None:
    journal = Journal(house.folder, "w0")
    journal.start()

    def work(start: int) -> None:
        for number in range(start, start + 50):
            journal.append(leaf(number)).wait(60)

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert house.sequence() == 400
    assert sorted(Book(house.folder).entries()) == sorted(leaf(number) for number in range(400))


def test_an_unknown_receipt_is_not_found(house: House) -> None:
    house.sequence()
    with pytest.raises(NotFound):
        Book(house.folder).receipts("nobody")


def test_a_lost_index_is_rebuilt_from_the_log(house: House) -> None:
    house.write([leaf(number) for number in range(300)])
    house.sequence()
    for path in house.folder.glob("index.db*"):
        path.unlink()
    house.sequence()
    assert Book(house.folder).find("r299") == [299]
