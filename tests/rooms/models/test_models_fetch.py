"""Fetching from every kind of source: right or not at all, going on after breaks, and no token to strangers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from hub_server import COMMIT, HubServer, Repo
from models_kit import README, gguf, pickled, safetensors

from selat.core.errors import Misused, ModelRefused, NotFound, SelatError, SourceFailed
from selat.models import ModelFile, ModelStore, fetch
from selat.models.fetch import Fetch
from selat.models.offer import Source
from selat.models.sources import Directory, Folder, Hub, source_of
from selat.models.web import Web

WEIGHTS = safetensors(300_000)
FILES = {
    "model.safetensors": WEIGHTS,
    "config.json": b'{"model_type": "llama"}',
    "sub/tokenizer.json": b"{}",
    "README.md": README.encode(),
}
REFUSED = {"pytorch_model.bin": pickled(2) * 40, "modeling_x.py": b"print()"}


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "WAIT_S", 0.01)
    monkeypatch.setattr(fetch, "BUFFER_BYTES", 64 * 1024)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in (FILES | REFUSED).items())
    plain = Repo({**FILES, "SHA256SUMS": sums.encode()})
    with HubServer(a__m=Repo(FILES | REFUSED), plain=plain) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def folder(path: Path) -> Path:
    for inside, data in (FILES | REFUSED).items():
        (path / inside).parent.mkdir(parents=True, exist_ok=True)
        (path / inside).write_bytes(data)
    return path


def take(store: ModelStore, source: Source) -> tuple[list[ModelFile], int]:
    """Every file of the offer, and the bytes that were told of."""
    told: list[int] = []
    with store.taking() as blobs:
        one = Fetch(blobs, source, told.append, Event())
        return [one.file(wanted) for wanted in source.offer().files], sum(told)


@pytest.fixture(params=["hub", "directory", "folder"])
def source(request: pytest.FixtureRequest, hub: HubServer, tmp_path: Path) -> Source:
    if request.param == "hub":
        return Hub(Web(), hub.url, "a/m", "")
    if request.param == "directory":
        return Directory(Web(), f"{hub.url}/plain", "a/m")
    return Folder(folder(tmp_path / "source"), "a/m")


def test_every_source_gives_the_same_files_with_licence_and_what_is_left_out(
    store: ModelStore, source: Source
) -> None:
    offer = source.offer()
    assert offer.name == "a/m"
    assert offer.card.licence == "apache-2.0"
    assert offer.card.lineage.base == ("asal/induk",)
    assert sorted(reason.split("'")[1] for reason in offer.left_out) == sorted(REFUSED)
    assert offer.size_bytes == sum(map(len, FILES.values()))
    files, told = take(store, source)
    assert {file.path: store.blobs.path(file.digest).read_bytes() for file in files} == FILES
    assert told == offer.size_bytes
    assert list(store.blobs.partial.iterdir()) == []
    assert take(store, source) == (files, told)


def test_a_second_time_nothing_large_is_asked_for_again(store: ModelStore, hub: HubServer) -> None:
    source = Hub(Web(), hub.url, "a/m", "main")
    take(store, source)
    take(store, source)
    assert hub.gets("model.safetensors") == [""]


def test_only_the_weights_asked_for_come_with_all_texts(hub: HubServer) -> None:
    hub.repos["a/m"].files = {"m.Q4_K_M.gguf": gguf(), "m.Q8_0.gguf": gguf(), "README.md": b"x"}
    offer = Hub(Web(), hub.url, "a/m", "", ("*Q4_K_M*",)).offer()
    assert [one.path for one in offer.files] == ["m.Q4_K_M.gguf", "README.md"]
    with pytest.raises(ModelRefused, match="Q5"):
        Hub(Web(), hub.url, "a/m", "", ("*Q5*",)).offer()


def test_a_broken_connection_is_taken_up_where_it_broke(store: ModelStore, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "cuts:100000"
    files, told = take(store, Hub(Web(), hub.url, "a/m", ""))
    assert store.blobs.path(files[0].digest).read_bytes() == WEIGHTS
    assert told == sum(map(len, FILES.values()))
    assert len(hub.gets("model.safetensors")) > 3
    assert all(said.startswith("bytes=") for said in hub.gets("model.safetensors")[1:])


def test_what_an_earlier_run_left_is_gone_on_from(store: ModelStore, hub: HubServer) -> None:
    store.blobs.make()
    part = store.blobs.partial / hashlib.sha256(WEIGHTS).hexdigest()
    part.write_bytes(WEIGHTS[:200_000])
    files, told = take(store, Hub(Web(), hub.url, "a/m", ""))
    assert hub.gets("model.safetensors") == ["bytes=200000-"]
    assert store.blobs.path(files[0].digest).read_bytes() == WEIGHTS
    assert told == sum(map(len, FILES.values()))
    part.write_bytes(WEIGHTS)
    store.blobs.remove(files[0].digest)
    take(store, Hub(Web(), hub.url, "a/m", ""))
    assert len(hub.gets("model.safetensors")) == 1


@pytest.mark.parametrize("left", [b"x" * 100_000, WEIGHTS + b"more", b"x" * len(WEIGHTS)])
def test_a_damaged_rest_is_thrown_away(store: ModelStore, hub: HubServer, left: bytes) -> None:
    store.blobs.make()
    (store.blobs.partial / hashlib.sha256(WEIGHTS).hexdigest()).write_bytes(left)
    files, told = take(store, Hub(Web(), hub.url, "a/m", ""))
    assert store.blobs.path(files[0].digest).read_bytes() == WEIGHTS
    assert told == sum(map(len, FILES.values()))


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(store: ModelStore, hub: HubServer) -> None:
    store.blobs.make()
    (store.blobs.partial / hashlib.sha256(WEIGHTS).hexdigest()).write_bytes(WEIGHTS[:200_000])
    hub.faults["model.safetensors"] = "ignores-range"
    files, told = take(store, Hub(Web(), hub.url, "a/m", ""))
    assert store.blobs.path(files[0].digest).read_bytes() == WEIGHTS
    assert told == sum(map(len, FILES.values()))


def test_a_busy_server_is_asked_again(store: ModelStore, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "busy:3"
    assert len(take(store, Hub(Web(), hub.url, "a/m", ""))[0]) == len(FILES)


@pytest.mark.parametrize(
    ("path", "fault", "kind", "told"),
    [
        ("model.safetensors", "lies", ModelRefused, "digest"),
        ("config.json", "lies", ModelRefused, "digest"),
        ("model.safetensors", "longer", ModelRefused, "longer"),
        ("config.json", "longer", ModelRefused, "longer"),
        ("model.safetensors", "missing", NotFound, "no such file"),
        ("model.safetensors", "busy:99", SourceFailed, "503"),
        ("model.safetensors", "cuts:0", SourceFailed, "goes on from here"),
        ("model.safetensors", "downgrade", SourceFailed, "not safe"),
    ],
)
def test_what_is_not_right_is_not_kept(
    store: ModelStore, hub: HubServer, path: str, fault: str, kind: type[SelatError], told: str
) -> None:
    hub.faults[path] = fault
    with pytest.raises(kind, match=told):
        take(store, Hub(Web(), hub.url, "a/m", ""))
    assert hashlib.sha256(FILES[path]).hexdigest() not in set(store.blobs.digests())
    assert all(one.stat().st_size == 0 for one in store.blobs.partial.iterdir())


def test_another_range_than_asked_for_is_refused(store: ModelStore, hub: HubServer) -> None:
    store.blobs.make()
    (store.blobs.partial / hashlib.sha256(WEIGHTS).hexdigest()).write_bytes(WEIGHTS[:200_000])
    hub.faults["model.safetensors"] = "other-range"
    with pytest.raises(SourceFailed, match="another part"):
        take(store, Hub(Web(), hub.url, "a/m", ""))


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("tokenizer.model", pickled(4) + bytes(2000)),
        ("vocab.txt", pickled(0)),
        ("other.safetensors", pickled(2) + bytes(2000)),
        ("other.gguf", b"PK\x03\x04" + bytes(2000)),
        ("special_tokens_map.json", b"not json"),
    ],
)
def test_a_pickle_under_another_name_is_not_kept(
    store: ModelStore, hub: HubServer, path: str, inside: bytes
) -> None:
    hub.repos["a/m"].files = {path: inside, **FILES}
    with pytest.raises(ModelRefused, match=path):
        take(store, Hub(Web(), hub.url, "a/m", ""))
    assert list(store.blobs.digests()) == []
    assert list(store.blobs.partial.iterdir()) == []


def test_paths_that_would_leave_the_model_are_refused_before_a_byte(hub: HubServer) -> None:
    for path in ("../../etc/cron.d/x.json", "/etc/x.json", "a/../x.json"):
        hub.repos["a/m"].files = {**FILES, path: b"{}"}
        with pytest.raises(ModelRefused, match="leave its folder"):
            Hub(Web(), hub.url, "a/m", "").offer()


def test_the_token_goes_to_its_host_and_not_with_a_redirect_to_another(store: ModelStore, hub: HubServer) -> None:
    hub.token = "rahsia"
    with pytest.raises(SourceFailed, match="--token-env"):
        Hub(Web(), hub.url, "a/m", "").offer()
    hub.faults["model.safetensors"] = "away"
    take(store, Hub(Web("rahsia"), hub.url, "a/m", ""))
    away = [said for _, path, said in hub.asked if path.startswith("/away/")]
    assert away
    assert all("authorization" not in said for said in away)


def test_what_is_not_there_is_told(hub: HubServer) -> None:
    for name, revision, told in (("a/x", "", "nothing of that name"), ("a/m", "0" * 40, "no such revision")):
        with pytest.raises(NotFound, match=told):
            Hub(Web(), hub.url, name, revision).offer()
    with pytest.raises(SourceFailed, match="cannot be reached"):
        Hub(Web(), "http://127.0.0.1:1", "a/m", "").offer()
    with pytest.raises(ModelRefused, match="SHA256SUMS"):
        Directory(Web(), f"{hub.url}/nowhere/").offer()


def test_one_file_by_url_and_digest(store: ModelStore, hub: HubServer) -> None:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    files, _ = take(store, Directory(Web(), f"{hub.url}/plain/model.safetensors#sha256={digest}"))
    assert [(file.path, file.digest) for file in files] == [("model.safetensors", digest)]
    with pytest.raises(ModelRefused, match="digest"):
        take(store, Directory(Web(), f"{hub.url}/plain/model.safetensors#sha256={'0' * 64}"))


@pytest.mark.parametrize(
    "text", ["ftp://h/x", "http://u:p@h/x/", "https://h/x?token=1", "http://h/x#md5=1", "s3://b/x"]
)
def test_a_source_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        source_of(text, Web(), "http://127.0.0.1:1").offer()


def test_two_at_once_fetch_a_file_once(store: ModelStore, hub: HubServer) -> None:
    files: list[list[ModelFile]] = []
    threads = [
        Thread(target=lambda: files.append(take(store, Hub(Web(), hub.url, "a/m", ""))[0])) for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert files == [files[0]] * 4
    assert hub.gets("model.safetensors") == [""]
    assert list(store.blobs.partial.iterdir()) == []


def test_the_commit_is_pinned_even_when_the_branch_moves(store: ModelStore, hub: HubServer) -> None:
    source = Hub(Web(), hub.url, "a/m", "main")
    offer = source.offer()
    assert offer.revision == COMMIT
    assert all(f"/resolve/{COMMIT}/" in wanted.place for wanted in offer.files)


def test_a_folder_with_sums_must_hold_to_them(store: ModelStore, tmp_path: Path) -> None:
    made = folder(tmp_path / "source")
    lines = [f"{hashlib.sha256(data).hexdigest()}  ./{path}" for path, data in FILES.items()]
    (made / "SHA256SUMS").write_text("\n".join(lines))
    take(store, Folder(made))
    (made / "config.json").write_bytes(b'{"model_type": "lain"}')
    with pytest.raises(ModelRefused, match="digest"):
        take(ModelStore(tmp_path / "other"), Folder(made))
    (made / "extra.json").write_bytes(b"{}")
    with pytest.raises(ModelRefused, match=r"extra\.json"):
        Folder(made).offer()
    (made / "extra.json").unlink()
    (made / "SHA256SUMS").write_text("nothing of the kind")
    with pytest.raises(ModelRefused, match="sha256sum"):
        Folder(made).offer()


def test_an_unreadable_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="not there"):
        Folder(tmp_path / "tiada").offer()
    assert os.listdir(tmp_path) == []
