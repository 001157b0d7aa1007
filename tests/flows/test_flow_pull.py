"""Pulling, as people do it: the licence first, killed and gone on with, two at once, no room, all of it booked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
from hub_server import HubServer, Repo
from models_kit import README, pickled, safetensors
from waiting import until

from selat.app import open_platform
from selat.core.errors import ModelRefused, Unavailable
from selat.flows.pull import Terms, Watch, pull
from selat.flows.shelve import Shelving
from selat.home import create_home
from selat.house import furnish
from selat.models import ModelStore
from selat.models.sources import Hub
from selat.models.web import Web
from selat.stamps import now

WEIGHTS = safetensors(20_000_000)
FILES = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": README.encode(), "x.bin": pickled(2)}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(a__m=Repo(FILES)) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = create_home(tmp_path / "home")
    furnish(made)
    return made.path


def selat(home: Path, hub: HubServer, *words: str) -> list[str]:
    return [sys.executable, "-m", "selat", "model", "pull", *words, "--endpoint", hub.url, "--home", str(home)]


def run(home: Path, hub: HubServer, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*selat(home, hub, *words)[3:])


def leaves(home: Path, kind: str) -> list[dict[str, Any]]:
    journals = (path.read_bytes().decode("utf-8", "replace") for path in (home / "ledger").rglob("*.journal"))
    text = "".join(journals)
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := text.find('{"caller"', place)) >= 0:
        leaf, place = decoder.raw_decode(text, place)
        found += [leaf] if leaf["kind"] == kind else []
    return found


class Desk:
    """A shelf whose book is a list."""

    def __init__(self, folder: Path) -> None:
        self.booked: list[tuple[str, dict[str, object]]] = []
        self.shelving = Shelving(ModelStore(folder), self._record, now)

    def _record(self, kind: str, facts: dict[str, object]) -> str:
        self.booked.append((kind, facts))
        return "0" * 32


def test_a_model_comes_from_the_hub_with_its_licence_shown_and_is_booked(home: Path, hub: HubServer) -> None:
    done = run(home, hub, "a/m", "--vendor", "Asal", "--country", "MY")
    assert done.returncode == 0, done.stderr
    assert "licence: Apache License 2.0" in done.stderr
    assert "left out: 'x.bin' is a pickle" in done.stderr
    with open_platform(home) as platform:
        model = platform.models.model("a/m")
        assert platform.models.path_of(model, "model.safetensors").read_bytes() == WEIGHTS
    assert (model.licence, model.vendor, model.country) == ("apache-2.0", "Asal", "MY")
    assert model.lineage.base == ("asal/induk",)
    (leaf,) = leaves(home, "model.added")
    assert leaf["id"] == model.receipt
    assert leaf["facts"]["source"] == f"hub:127.0.0.1:{hub.port}/a/m"
    assert leaf["facts"]["files"] == {"model.safetensors": model.files[0].digest}


def test_killed_in_the_middle_it_goes_on_where_it_was(home: Path, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "slow:60"
    first = subprocess.Popen(
        selat(home, hub, "a/m", "--json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    partial = home / "models" / "blobs" / "partial"

    def begun() -> bool:
        try:
            return any(path.stat().st_size > 100_000 for path in partial.glob("*"))
        except FileNotFoundError:
            return False  # a small file that became whole meanwhile

    until(begun)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (part,) = (path for path in partial.glob("*") if path.stat().st_size > 100_000)
    kept = part.stat().st_size
    assert 0 < kept < len(WEIGHTS)
    with open_platform(home) as platform:
        assert platform.models.models() == []
        assert platform.models.gc().files == 0
    del hub.faults["model.safetensors"]
    done = run(home, hub, "a/m", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert hub.gets("model.safetensors") == ["", f"bytes={kept}-"]
    assert json.loads(done.stdout)["name"] == "a/m"
    assert commands.selat("model", "verify", "--home", home).returncode == 0


def test_two_pulls_of_one_model_at_once_fetch_it_once(home: Path, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "slow:1"
    both = [
        subprocess.Popen(
            selat(home, hub, "a/m", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=60) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert hub.gets("model.safetensors") == [""]
    with open_platform(home) as platform:
        assert [model.name for model in platform.models.models()] == ["a/m"]


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("gemma", "prohibited uses"),
        ("cc-by-nc-4.0", "commercial use"),
        ("baru-1.0", "not in our table"),
        ("", "none"),
    ],
)
def test_a_licence_that_is_not_permissive_is_told_before_a_byte_and_must_be_accepted(
    tmp_path: Path, hub: HubServer, licence: str, forbids: str
) -> None:
    hub.repos["a/m"].card = {"license": licence} if licence else {}
    desk = Desk(tmp_path / "models")
    source = Hub(Web(), hub.url, "a/m", "")
    with pytest.raises(ModelRefused, match=forbids) as told:
        pull(desk.shelving, source, Terms(), Watch())
    assert "--accept-license" in str(told.value)
    assert not (tmp_path / "models").exists()
    assert hub.gets("model.safetensors") == []
    assert [kind for kind, _ in desk.booked] == ["model.refused"]
    model = pull(desk.shelving, source, Terms(accepted=True), Watch())
    assert model.licence == licence
    assert desk.booked[-1][1]["licence_accepted"] is True


def test_a_licence_that_the_source_does_not_name_can_be_said(tmp_path: Path, hub: HubServer) -> None:
    hub.repos["a/m"].card = {}
    model = pull(Desk(tmp_path / "m").shelving, Hub(Web(), hub.url, "a/m", ""), Terms(licence="MIT"), Watch())
    assert model.licence == "mit"


def test_a_refused_pull_is_booked_and_leaves_no_model(tmp_path: Path, hub: HubServer) -> None:
    hub.repos["a/m"].files = {**FILES, "tokenizer.model": pickled(4) + bytes(3000)}
    desk = Desk(tmp_path / "models")
    with pytest.raises(ModelRefused, match="pickle under another name"):
        pull(desk.shelving, Hub(Web(), hub.url, "a/m", ""), Terms(), Watch())
    assert desk.shelving.store.models() == []
    assert [kind for kind, _ in desk.booked] == ["model.refused"]


def test_without_an_entry_there_is_no_model(tmp_path: Path, hub: HubServer) -> None:
    def record(kind: str, facts: dict[str, object]) -> str:
        raise Unavailable("buku penuh")

    store = ModelStore(tmp_path / "models")
    with pytest.raises(Unavailable, match="buku penuh"):
        pull(Shelving(store, record, now), Hub(Web(), hub.url, "a/m", ""), Terms(), Watch())
    assert store.models() == []


def test_parts_of_one_revision_come_together(tmp_path: Path, hub: HubServer) -> None:
    hub.repos["a/m"].files = {"a.safetensors": safetensors(), "b.safetensors": safetensors(), "config.json": b"{}"}
    desk = Desk(tmp_path / "models")
    for part in ("a", "b"):
        model = pull(desk.shelving, Hub(Web(), hub.url, "a/m", "", (f"{part}.*",)), Terms(), Watch())
    assert sorted(file.path for file in model.files) == ["a.safetensors", "b.safetensors", "config.json"]
    assert desk.shelving.store.verify(model) == []


def small_disk(path: Path, size: str) -> None:
    path.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "t", path]).returncode
    )
    if not mounted:
        pytest.skip("may not mount a small file system here")


def test_a_disk_without_room_is_told_first(tmp_path: Path, hub: HubServer) -> None:
    small_disk(tmp_path / "small", "70m")
    try:
        desk = Desk(tmp_path / "small" / "models")
        with pytest.raises(Unavailable, match=r"20\.0 MB more"):
            pull(desk.shelving, Hub(Web(), hub.url, "a/m", ""), Terms(), Watch())
        assert hub.gets("model.safetensors") == []
    finally:
        subprocess.run(["umount", tmp_path / "small"], check=True)


def test_a_disk_that_fills_up_is_told_and_gone_on_from(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selat.flows.pull.SPARE_BYTES", 0)
    small_disk(tmp_path / "small", "30m")
    try:
        desk = Desk(tmp_path / "small" / "models")
        other = tmp_path / "small" / "other"

        def fill(size_bytes: int) -> None:
            if not other.exists():
                other.write_bytes(bytes(15_000_000))

        with pytest.raises(Unavailable, match="is full"):
            pull(desk.shelving, Hub(Web(), hub.url, "a/m", ""), Terms(jobs=1), Watch(told=fill))
        assert desk.shelving.store.models() == []
        other.unlink()
        model = pull(desk.shelving, Hub(Web(), hub.url, "a/m", ""), Terms(), Watch())
        assert desk.shelving.store.verify(model) == []
        assert hub.gets("model.safetensors")[-1].startswith("bytes=")
    finally:
        subprocess.run(["umount", tmp_path / "small"], check=True)
