"""Repair rebuilds what can be derived, refuses to touch what was signed, and says in the ledger what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_house import House, leaf

from selat.core.errors import LedgerBroken
from selat.ledger import Book, Sequencer, frame, intake, points
from selat.ledger.check import check
from selat.ledger.repair import repair


@pytest.fixture
def written(house: House) -> House:
    house.write([leaf(number) for number in range(600)])
    house.sequence()
    return house


def mended(house: House) -> tuple[str, ...]:
    before = list(Book(house.folder).entries())
    repairs = repair(house.folder, house.signer)
    after = list(Book(house.folder).entries())
    assert after[: len(before)] == before, "history was rewritten"
    report = check(house.folder)
    assert report.ok, report.problems
    if repairs.done:
        assert "ledger.repaired" in [json.loads(entry)["kind"] for entry in after[len(before) :]]
    return repairs.done


def test_nothing_is_done_to_a_sound_ledger(written: House) -> None:
    assert mended(written) == ()
    assert Book(written.folder).size == 600


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("how", ["lost", "rotten"])
def test_hash_tiles_are_computed_anew(written: House, name: str, how: str) -> None:
    path = written.folder / "log" / name
    path.unlink() if how == "lost" else path.write_bytes(bytes(len(path.read_bytes())))
    assert not check(written.folder).ok
    assert mended(written) == (f"computed {name} anew from its entries",)


def test_a_changed_entry_is_left_and_named_never_accepted(written: House) -> None:
    path = written.folder / "log" / "tile" / "entries" / "001"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"r300"', b'"r30O"'))
    repairs = repair(written.folder, written.signer)
    assert repairs.done == ()
    assert "an entry was changed" in repairs.left[0]
    assert not check(written.folder).ok
    path.write_bytes(data)
    assert check(written.folder).ok


@pytest.mark.parametrize("how", ["lost", "rotten", "lost, and more than a step takes"])
def test_a_lost_state_is_found_again_in_the_log(house: House, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the journals' records are in the log already: none comes twice, none is lost."""
    journals = house.folder / "journals"
    house.write([leaf(number) for number in range(40)])
    (path,) = journals.glob("*.journal")
    whole = path.read_bytes()
    at = frame.start(whole)
    assert at is not None
    some = frame.scan(whole[at.offset :], at, 25).end.offset
    path.write_bytes(whole[:some])
    sequencer = Sequencer(house.folder, house.signer)
    sequencer._clear = lambda parts: None  # type: ignore[method-assign]
    assert sequencer.step() == 25
    sequencer.close()
    path.write_bytes(whole)
    state = house.folder / "state.json"
    state.write_text("{") if how == "rotten" else state.unlink()
    if "more" in how:
        monkeypatch.setattr(intake, "READ_BYTES", 1024)
    with pytest.raises(LedgerBroken, match="repair"):
        house.sequence()
    done = mended(house)
    assert "rebuilt state.json" in done[0]
    found = [json.loads(entry)["id"] for entry in Book(house.folder).entries()]
    assert [name for name in found if name[1:].isdecimal()] == [f"r{n}" for n in range(40)]


def test_an_older_checkpoint_put_back_is_replaced_by_the_later_one(written: House) -> None:
    path = written.folder / "log" / "checkpoint"
    old = path.read_text()
    written.write([leaf(700)])
    written.sequence()
    path.write_text(old)
    with pytest.raises(LedgerBroken, match="repair"):
        written.sequence()
    assert "finished it from its tiles at 601" in mended(written)[0]
    path.write_text(old)
    written_before = list(Book(written.folder).entries(0, 600))
    done = " ".join(mended(written))
    assert "signed the later one (601) anew" in done
    assert "finished it from its tiles at 602" in done
    assert list(Book(written.folder).entries())[:600] == written_before
    assert Book(written.folder).find("r700") == [600]


def test_a_lost_checkpoint_is_signed_anew_over_the_same_tree(written: House) -> None:
    path = written.folder / "log" / "checkpoint"
    old = path.read_text()
    path.unlink()
    repair(written.folder, written.signer)
    assert Book(written.folder).size == 601
    assert old.split("\n")[0] == Book(written.folder).checkpoint().split("\n")[0]


def _cut_short_at(house: House, point: str) -> Path:
    """A step that ended at a point, then had its journal altered."""

    class Cut(Exception):
        pass

    def stop(name: str) -> None:
        if name == point:
            raise Cut

    house.write([leaf(number) for number in range(1000, 1010)])
    points.on_reaching(stop)
    try:
        with pytest.raises(Cut):
            house.sequence()
    finally:
        points.on_reaching(lambda name: None)
    (path,) = (house.folder / "journals").glob("*.journal")
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    return path


def test_a_journal_altered_after_the_plan_is_integrated_anew(written: House) -> None:
    _cut_short_at(written, "plan.renamed")
    with pytest.raises(LedgerBroken, match="altered"):
        written.sequence()
    assert "never signed" in mended(written)[0]
    assert len(Book(written.folder).find("r1008")) == 1
    assert Book(written.folder).find("r1009") == [], "its record was destroyed by hand"


def test_a_journal_altered_after_the_tiles_is_finished_from_them(written: House) -> None:
    _cut_short_at(written, "tiles.synced")
    assert "finished it from its tiles" in mended(written)[0]
    assert Book(written.folder).find("r1009") == [609]


def test_records_behind_damage_are_saved(house: House) -> None:
    house.write([leaf(number) for number in range(20)])
    (path,) = (house.folder / "journals").glob("*.journal")
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"r7"', b'"rX"'))
    assert house.sequence() == 7
    assert [note.kind for note in check(house.folder).notes] == ["kept-aside"]
    assert "saved 12 records" in mended(house)[0]
    found = [json.loads(entry)["id"] for entry in Book(house.folder).entries()]
    assert [name for name in found if name[1:].isdecimal()] == [f"r{n}" for n in range(20) if n != 7]
