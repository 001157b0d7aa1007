"""Tiles in a folder and on an object store keep the same promises, and a ledger works from either."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ledger_house import House, leaf
from s3_server import KEYS, bucket, s3_server

from selat.core.errors import LedgerBroken, LedgerUnavailable, Misused
from selat.core.proof import verify
from selat.ledger import Book, Place, Sequencer, read_bucket, reindex
from selat.ledger.bucket_log import BucketLog
from selat.ledger.check import check
from selat.ledger.log import CHECKPOINT, FolderLog, Log
from selat.ledger.repair import repair
from selat.ledger.rotate import rotate
from selat.s3 import Bucket, Credentials, Wish, client

FULL, PARTIAL = "tile/0/x001/234", "tile/0/x001/235.p/7"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as running:
        yield running


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, house: House) -> Place:
    if request.param == "folder":
        return Place(house.folder)
    prefix = f"{house.folder.parent.name}/log+1"
    return Place(house.folder, bucket=bucket(request.getfixturevalue("endpoint"), prefix))


@pytest.fixture
def tiles(place: Place) -> Iterator[Log]:
    found = place.log
    found.prepare()
    yield found
    found.close()


class Recorder:
    """A log that remembers the order of what is written."""

    def __init__(self, log: Log) -> None:
        self.log, self.told = log, list[tuple[str, bytes]]()
        self.read, self.drop, self.prepare, self.close = log.read, log.drop, log.prepare, log.close

    def write(self, tiles: dict[str, bytes]) -> None:
        self.told += tiles.items()
        self.log.write(tiles)

    def publish(self, name: str, data: bytes) -> None:
        self.told.append((name, data))
        self.log.publish(name, data)


def grow(place: Place, house: House, *sizes: int) -> None:
    """Integrate so many leaves, one step for each number."""
    sequencer, first = Sequencer(place, house.signer), 0
    for size in sizes:
        house.write([leaf(number) for number in range(first, first + size)])
        assert sequencer.step() == size
        first += size
    sequencer.close()


def test_what_is_written_is_read_and_what_was_never_is_missing(tiles: Log) -> None:
    tiles.write({FULL: b"f" * 8192, PARTIAL: b"p" * 224, "tile/entries/x001/235.p/7": b""})
    assert tiles.read(FULL) == b"f" * 8192
    assert tiles.read(PARTIAL) == b"p" * 224
    assert tiles.read("tile/entries/x001/235.p/7") == b""
    with pytest.raises(FileNotFoundError):
        tiles.read("tile/0/x001/236")


def test_writing_a_step_again_changes_nothing(tiles: Log) -> None:
    for _ in range(2):
        tiles.write({FULL: b"f" * 8192, PARTIAL: b"p" * 224})
    assert tiles.read(FULL) == b"f" * 8192


def test_a_checkpoint_is_replaced_and_seen_at_once(place: Place, tiles: Log) -> None:
    other = place.log
    for text in (b"one", b"two"):
        tiles.publish(CHECKPOINT, text)
        assert other.read(CHECKPOINT) == text
    other.close()


def test_partial_tiles_are_dropped_and_their_neighbours_stay(tiles: Log) -> None:
    tiles.write({PARTIAL: b"p", "tile/0/x001/235.p/9": b"q", "tile/0/x001/236.p/9": b"r", FULL: b"f"})
    tiles.drop("tile/0/x001/235.p")
    tiles.drop("tile/0/x001/999.p")
    with pytest.raises(FileNotFoundError):
        tiles.read(PARTIAL)
    assert (tiles.read("tile/0/x001/236.p/9"), tiles.read(FULL)) == (b"r", b"f")


def test_a_ledger_grows_proves_and_checks(place: Place, house: House) -> None:
    grow(place, house, 3, 300, 600)
    book = Book(place)
    assert book.size == 903
    for index in (0, 255, 256, 902):
        assert verify(book.proof(index), book.trust()).leaf == leaf(index)
    assert [json.loads(entry)["id"] for entry in book.entries(250, 260)] == [f"r{n}" for n in range(250, 260)]
    assert check(place).ok
    assert reindex(place) == 903


def test_the_checkpoint_comes_last_and_full_tiles_never_change(place: Place, house: House) -> None:
    recorder = Recorder(place.log)
    sequencer = Sequencer(place, house.signer)
    sequencer._log = recorder  # type: ignore[assignment]
    for turn in range(4):
        house.write([leaf(number) for number in range(turn * 200, turn * 200 + 200)])
        sequencer.step()
        assert [name for name, _ in recorder.told].index(CHECKPOINT) in (0, len(recorder.told) - 1)
        assert recorder.told[-1][0] == CHECKPOINT
    sequencer.close()
    full = [(name, data) for name, data in recorder.told if name != CHECKPOINT and ".p/" not in name]
    assert len(full) == len({name for name, _ in full}) == 6
    with pytest.raises(FileNotFoundError):
        place.log.read("tile/0/000.p/200")


def test_a_damaged_tile_and_a_lost_checkpoint_are_found_and_mended(place: Place, house: House) -> None:
    grow(place, house, 300)
    mender = place.log
    mender.publish("tile/0/000", b"\0" * 8192)
    assert {problem.kind for problem in check(place).problems} == {"bad-tile"}
    done = repair(place, house.signer)
    assert done.left == ()
    assert any("tile/0/000" in what for what in done.done)
    assert check(place).ok
    (mender.drop("tile/1/000.p"))
    assert {problem.kind for problem in check(place).problems} == {"missing-tile"}
    repair(place, house.signer)
    assert check(place).ok
    assert Book(place).size == 302
    mender.close()


def test_a_rotated_key_signs_on(place: Place, house: House) -> None:
    grow(place, house, 5)
    rotate(place, house.key_file)
    assert Book(place).size == 6
    assert check(place).ok


def test_an_object_store_that_goes_away_loses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT_S", 0.001)
    with s3_server() as endpoint:
        place = Place(house.folder, bucket=bucket(endpoint, "log"))
        grow(place, house, 300)
    house.write([leaf(300)])
    sequencer = Sequencer(place, house.signer)
    with pytest.raises(LedgerUnavailable, match="object store 127"):
        sequencer.step()
    with pytest.raises(LedgerUnavailable):
        Book(place).size  # noqa: B018 - the property asks
    sequencer.close()
    assert len(list((house.folder / "journals").glob("*.journal"))) == 1


def test_wrong_credentials_and_a_missing_bucket_are_named_and_never_shown(
    endpoint: str, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = bucket(endpoint, "log", Credentials("NOBODY", SECRET))
    for target, said in (
        (wrong, "403 InvalidAccessKeyId"),
        (Wish("ledger_tiles", "s3://elsewhere", endpoint, "us-east-1").bucket(KEYS), "no bucket 'elsewhere'"),
    ):
        place = Place(house.folder, bucket=target)
        with pytest.raises(LedgerUnavailable, match=said) as caught:
            Sequencer(place, house.signer).start()
        assert SECRET not in f"{caught.value} {place} {target.credentials!r} {caplog.text}"


class Grudging(BaseHTTPRequestHandler):
    """Knows If-None-Match, says 503 first, and has a full tile of another log."""

    refusals = 2

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if Grudging.refusals:
            Grudging.refusals -= 1
            self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
        else:
            self._answer(412 if self.headers["if-none-match"] == "*" else 200, b"")

    def do_GET(self) -> None:
        self._answer(200, b"another log's")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_two_logs_under_one_prefix_are_told_apart_before_a_tile_is_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WAIT_S", 0.001)
    with ThreadingHTTPServer(("127.0.0.1", 0), Grudging) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        log = BucketLog(bucket(f"http://127.0.0.1:{server.server_port}", "log"))
        log.write({PARTIAL: b"p"})
        assert Grudging.refusals == 0, "tried again until the store took it"
        log.write({FULL: b"another log's"})
        with pytest.raises(LedgerBroken, match="two logs share one prefix"):
            BucketLog(bucket(f"http://127.0.0.1:{server.server_port}", "log")).write({FULL: b"ours"})
        log.close()
        server.shutdown()


def test_credentials_come_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    url, end = "s3://tiles/selat/log", "https://s3.example.my"
    assert read_bucket("", end, "my-1", tmp_path, {}) is None
    with pytest.raises(Misused, match=re.escape("AWS_ACCESS_KEY_ID")):
        read_bucket(url, end, "my-1", tmp_path, {})
    found = read_bucket(url, end, "my-1", tmp_path, {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"})
    assert found == Bucket("tiles", "selat/log/", end, "my-1", Credentials("A", "B"))
    file = tmp_path / "tiles.toml"
    file.write_text('access_key = "C"\nsecret_key = "D"\n')
    with pytest.raises(Misused, match="can be read by others"):
        read_bucket(url, end, "my-1", tmp_path, {})
    os.chmod(file, 0o600)
    found = read_bucket(url, end, "my-1", tmp_path, {})
    assert found is not None
    assert (found.credentials.access, found.credentials.secret) == ("C", "D")
    for wrong in ("http://tiles", "s3://T", "s3://"):
        with pytest.raises(Misused, match="ledger_tiles"):
            Wish("ledger_tiles", wrong, end, "my-1").bucket(KEYS)
    with pytest.raises(Misused, match="ledger_tiles_endpoint"):
        Wish("ledger_tiles", url, "s3.example.my", "my-1").bucket(KEYS)


def test_the_folder_is_the_log_where_no_bucket_is_named(tmp_path: Path) -> None:
    assert isinstance(Place(tmp_path).log, FolderLog)
