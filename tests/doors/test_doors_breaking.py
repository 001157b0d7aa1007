"""Kill it, starve it, start it twice: afterwards the log verifies and every loss is visible."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import commands
import httpx2 as httpx
import openai
import pytest
from doors_kit import Running, children, kill
from waiting import CEILING_S, gone, until

SAY = [{"role": "user", "content": "apa khabar"}]
Begin = Callable[..., Running]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return commands.selat(*arguments)


def answered(selat: Running) -> bool:
    with selat.client() as client:
        try:
            return bool(client.chat.completions.create(model="echo", messages=SAY).choices)
        except openai.APIError:
            return False


def test_kill_9_mid_stream_leaves_an_orphan_no_gap_and_a_log_that_verifies(fresh: Begin) -> None:
    selat = fresh()
    stream = selat.client().chat.completions.with_raw_response.create(
        model="endless:0.05", messages=SAY, stream=True
    )
    receipt = stream.headers["selat-receipt"]
    events = iter(stream.parse())
    next(events)
    kill(children(selat.process)["gateway-0"])
    with pytest.raises(openai.APIError):
        for _ in events:
            pass
    until(lambda: answered(selat))
    kill(children(selat.process)["sequencer"])
    until(lambda: answered(selat))
    assert selat.stop() == 0
    told = [json.loads(line) for line in selat.log.read_text().splitlines() if line.startswith("{")]
    ended = [one["message"].partition(";")[0] for one in told if one["logger"] == "selat.supervisor"]
    assert ended[0] == "gateway-0 ended with -9"
    again = fresh()
    assert again.said["key"] is None
    check = command("ledger", "check", "--home", selat.home, "--json")
    report = json.loads(check.stdout)
    assert receipt in json.dumps(report)
    assert check.returncode == 0, check.stdout
    opened = again.leaves_of(receipt, "opened")
    assert opened["decision"]["effect"] == "permit"


def test_a_killed_supervisor_takes_its_children_with_it(fresh: Begin) -> None:
    selat = fresh()
    pids = children(selat.process)
    assert set(pids) == {"gateway-0", "sequencer"}
    kill(selat.process.pid)
    selat.ended()
    until(lambda: all(map(gone, pids.values())))
    assert fresh().said["verified"]


def test_a_second_up_on_the_same_home_is_refused_by_name(selat: Running) -> None:
    second = command("up", "--home", selat.home, "--port", 0)
    assert second.returncode == 1
    assert "holds" in second.stderr
    assert str(selat.process.pid) in second.stderr


def test_a_port_in_use_is_refused_with_the_next_step(selat: Running, tmp_path: Path) -> None:
    second = command("up", "--home", tmp_path / "home", "--port", selat.port)
    assert second.returncode == 2
    assert "--port" in second.stderr


def test_while_the_last_answers_are_given_nobody_else_is_kept_waiting(fresh: Begin) -> None:
    selat = fresh("--workers", "2")
    stream = selat.client().chat.completions.create(model="endless:0.05", messages=SAY, stream=True)
    next(iter(stream))
    selat.process.send_signal(signal.SIGTERM)
    until(lambda: refused(selat))
    assert {"gateway-0", "gateway-1"} & children(selat.process).keys()  # which gives the answer that was begun
    stream.close()
    assert selat.ended() == 0


def refused(selat: Running) -> bool:
    try:
        socket.create_connection(("127.0.0.1", selat.port), timeout=CEILING_S).close()
    except ConnectionRefusedError:
        return True
    return False


def test_several_workers_share_the_port_and_the_book(fresh: Begin) -> None:
    selat = fresh("--workers", "3")
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(answered(selat))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 24
    until(lambda: sum(leaf["kind"] == "closed" for leaf in selat.leaves()) >= 25)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was up once."""
    home = tmp_path_factory.mktemp("whole") / "home"
    first = command("up", "--home", home, "--port", 0, "--once")
    assert first.returncode == 0, first.stderr
    return home


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda home: (home / "home.toml").write_text("version = "), "damaged"),
        (lambda home: (home / "home.toml").write_text("version = 99"), "version 99"),
        (lambda home: (home / "selat.toml").write_text("warna = 'merah'"), "unknown setting 'warna'"),
        (lambda home: (home / "selat.toml").write_text("port = 'pintu'"), "port"),
        (lambda home: (home / "engines.toml").write_text("[[engine]]\nname = 'x'\n"), "engines.toml"),
        (lambda home: (home / "selat.db").write_bytes(b"not a database at all, not even nearly" * 50), "selat.db"),
        (lambda home: (home / "keys" / "ledger.key").write_text("PRIVATE+KEY+?"), "signing key"),
        (lambda home: next((home / "policy").rglob("*.cedar")).write_text("permit (prin"), ".cedar"),
    ],
)
def test_a_damaged_home_says_what_is_damaged(
    whole: Path, tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole, home, symlinks=True)
    damage(home)
    again = command("up", "--home", home, "--port", 0, "--once")
    assert again.returncode in (1, 2)
    assert words in again.stderr
    assert "Traceback" not in again.stderr


def test_a_folder_with_other_things_in_it_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "surat.txt").write_text("hai")
    refused = command("up", "--home", tmp_path, "--port", 0, "--once")
    assert refused.returncode == 1
    assert "not empty" in refused.stderr


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """A disk that is full, and is kept so: what the ledger gives back of its own room is taken too."""
    path, stop = disk / "filler", threading.Event()

    def fill() -> None:
        with path.open("wb", buffering=0) as file:
            while not stop.is_set():
                try:
                    file.write(b"x" * 4096)
                except OSError:
                    filled.set()
                    stop.wait(0.01)

    filled, filler = threading.Event(), threading.Thread(target=fill)
    filler.start()
    try:
        assert filled.wait(60)
        yield
    finally:
        stop.set()
        filler.join()
        path.unlink()


def refusal(client: openai.OpenAI) -> openai.APIStatusError | None:
    try:
        client.chat.completions.create(model="echo", messages=SAY)
    except openai.APIStatusError as error:
        return error
    return None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real small disk, on which the journals of the test's home stand."""
    disk, ledger = tmp_path / "disk", tmp_path / "home" / "ledger"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs to mount a small disk, which takes root")
    ledger.mkdir(parents=True)
    (tmp_path / "home" / "home.toml").write_text("version = 1\n")
    (ledger / "journals").symlink_to(disk)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def refusals(selat: Running, client: openai.OpenAI, most: int) -> Iterator[openai.APIStatusError]:
    """Ask until so many were refused: in the room that the journal made ahead some hundred entries still fit."""
    left = most
    for _ in range(3000):
        sent = len(selat.upstream.received)
        if error := refusal(client):
            assert (error.status_code, error.code) == (503, "ledger_unavailable")
            assert len(selat.upstream.received) == sent
            yield error
            left -= 1
        if not left:
            return
    raise AssertionError("it was never refused")


def test_a_full_disk_stops_prompts_and_not_the_process(disk: Path, fresh: Begin, tmp_path: Path) -> None:
    """When it is full nothing is sent, and with space all goes on."""
    selat = fresh()
    with full(disk), selat.client() as client:
        for error in refusals(selat, client, 3):
            assert str(tmp_path) not in str(error)
    until(lambda: answered(selat))
    assert selat.stop() == 0


def test_a_stream_that_ends_on_a_full_disk_has_its_closing_once_there_is_room(disk: Path, fresh: Begin) -> None:
    selat = fresh()
    raw = selat.client().chat.completions.with_raw_response
    streams = [raw.create(model="endless:0.05", messages=SAY, stream=True) for _ in range(3)]
    receipts = [stream.headers["selat-receipt"] for stream in streams]
    with full(disk), selat.client() as client:
        list(refusals(selat, client, 1))
        for stream in streams:
            stream.http_response.close()
        assert len(list(refusals(selat, client, 20))) == 20
    for receipt in receipts:
        assert selat.leaves_of(receipt, "closed")["outcome"] == "cancelled"
    until(lambda: answered(selat))
    assert selat.stop() == 0
    assert "not booked" not in selat.log.read_text()
    fresh("--once").ended()
    report = json.loads(command("ledger", "check", "--home", selat.home, "--json").stdout)
    assert (report["problems"], report["notes"], report["orphan_count"]) == ([], [], 0)
    booked = Counter((leaf["id"], leaf["kind"]) for leaf in selat.leaves())
    assert set(booked.values()) == {1}


def test_callers_may_come_by_tls(fresh: Begin, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "home.toml").write_text("version = 1\n")
    (home / "selat.toml").write_text('tls_certificate_file = "keys/tls.pem"\ntls_key_file = "keys/tls.key"\n')
    (home / "keys").mkdir()
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    make += ["-subj", "/CN=selat", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", home / "keys/tls.key"]
    make += ["-out", home / "keys/tls.pem"]
    subprocess.run(make, check=True, capture_output=True)
    selat = fresh()
    assert selat.address.startswith("https://")
    trusted = ssl.create_default_context(cafile=home / "keys/tls.pem")
    with httpx.Client(verify=trusted) as transport, selat.client(http_client=transport) as client:
        stream = client.chat.completions.create(model="echo:3", messages=SAY, stream=True)
        assert "apa khabar" in "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    with selat.client() as client, pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="echo", messages=SAY)
