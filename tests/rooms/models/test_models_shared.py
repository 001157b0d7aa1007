"""Models in a folder and in a bucket keep the same promises; of a bucket, a machine copies only what it opens."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from models_kit import gguf, put, safetensors
from s3_server import bucket, s3_server

from selat.core.errors import ModelBroken, NotFound, Unavailable
from selat.models import ModelStore
from selat.models import bucket as bucket_module
from selat.models.blobs import digest_file
from selat.models.bucket import Shared
from selat.models.fetch import Fetch
from selat.models.sources import Folder
from selat.s3 import Client, client
from selat.s3.parts import PART_BYTES


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "KEEP_FRESH_S", 0.0)
    monkeypatch.setattr(bucket_module, "RECENT_S", 0.0)


def shared(endpoint: str, prefix: str, cache_bytes: int = 1 << 30, named: str = "-") -> Shared:
    return Shared(Client(bucket(endpoint, prefix)), "s3://tiles", cache_bytes, lambda path: named in path)


@pytest.fixture(params=["folder", "bucket"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], ModelStore]:
    """Makes the store as a machine of that name sees it; a folder is one machine's alone."""
    if request.param == "folder":
        return lambda machine: ModelStore(tmp_path / "models")
    endpoint = request.getfixturevalue("endpoint")
    return lambda machine: ModelStore(tmp_path / machine, shared(endpoint, tmp_path.name))


def whole(store: ModelStore, digest: str, start: int, end: int) -> bytes:
    reading = store.blobs.reading(digest, start, end)
    found = b""
    while len(found) < end - start and (piece := reading.at_hand(1000) or reading.read(1 << 16)):
        found += piece
    reading.close()
    return found


def test_what_is_put_is_found_read_verified_and_removed(opened: Callable[[str], ModelStore]) -> None:
    one, two = opened("one"), opened("two")
    assert one.models() == []
    weights = gguf(100_000)
    model = put(one, "a/m", {"m.gguf": weights, "sub/config.json": b"{}"}, added="2026-01-01")
    newer = put(one, "a/m", {"m.gguf": gguf()}, added="2026-02-01")
    assert two.models() == [newer, model]
    assert two.model(f"a/m@{model.revision[:9]}") == model
    assert two.verify(model) == []
    digest = model.files[0].digest
    assert whole(two, digest, 0, len(weights)) == weights
    assert whole(two, digest, 500, 70_000) == weights[500:70_000]
    assert two.blobs.read(model.files[1].digest) == b"{}"
    assert two.blobs.size(digest) == len(weights)
    assert two.path_of(model, "m.gguf").read_bytes() == weights
    assert (two.path_of(model) / "sub" / "config.json").read_bytes() == b"{}"
    assert whole(two, digest, 5, 9) == weights[5:9]
    two.remove(newer)
    assert one.model("a/m") == model
    with pytest.raises(NotFound):
        one.model(f"a/m@{newer.revision}")
    one.remove(model)
    assert two.models() == []
    assert one.gc(0).files == 3
    assert list(two.blobs.digests()) == []
    with pytest.raises(NotFound):
        two.model("a/m")


def test_gc_keeps_what_a_record_names(opened: Callable[[str], ModelStore]) -> None:
    store = opened("one")
    kept, gone = put(store, "a/kept", {"m.gguf": gguf()}), put(store, "a/gone", {"m.gguf": gguf(8192)})
    store.remove(gone)
    freed = store.gc(0)
    assert (freed.files, freed.size_bytes) == (1, gone.size_bytes)
    assert store.verify(kept) == []
    with store.taking(), pytest.raises(Exception, match="taken in"):
        store.gc(0)


def test_files_come_from_a_source_into_it(opened: Callable[[str], ModelStore], tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "m.safetensors").write_bytes(safetensors(50_000))
    source, store = Folder(tmp_path / "source"), opened("one")
    told: list[int] = []
    with store.taking() as blobs:
        fetch = Fetch(blobs, source, told.append, threading.Event())
        for wanted in source.offer().files:
            assert fetch.file(wanted) == fetch.file(wanted)
    assert list(store.blobs.partial.iterdir()) == []
    assert len(list(opened("two").blobs.digests())) == 1


def test_an_object_that_was_replaced_is_refused_and_found_by_verify(endpoint: str, tmp_path: Path) -> None:
    there = shared(endpoint, tmp_path.name)
    one = ModelStore(tmp_path / "one", there)
    weights = gguf(50_000)
    model = put(one, "a/m", {"m.gguf": weights})
    digest = model.files[0].digest
    name = f"sha256/{digest[:2]}/{digest}"
    two = ModelStore(tmp_path / "two", there)
    reading = two.opener(model, model.files[0])(0, len(weights))
    there.client.put(name, weights[:-1] + b"X")
    with pytest.raises(OSError, match="replaced"):
        reading.read(10)
    for store in (one, two):
        with pytest.raises(ModelBroken):
            store.opener(model, model.files[0])
        assert [(damage.path, damage.state) for damage in store.verify(model)] == [("m.gguf", "changed")]
    with pytest.raises(ModelBroken, match="another content"):
        two.blobs.local(digest)
    assert not two.blobs.path(digest).exists()
    there.client.put(name, weights)
    assert two.verify(model) == []
    there.client.delete(name)
    assert [damage.state for damage in one.verify(model)] == ["missing"]


def test_copies_are_bounded_and_what_an_engine_names_stays(endpoint: str, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "m", shared(endpoint, tmp_path.name, 25_000, named="a--0"))
    models = [put(store, f"a/{number}", {"m.gguf": gguf(10_000)}) for number in range(3)]
    held = store.path_of(models[0], "m.gguf")
    for model in models[1:]:
        time.sleep(0.05)  # a file system's clock may tick no faster
        assert store.path_of(model, "m.gguf").stat().st_size == model.size_bytes
    copies = {path.name for path in store.blobs.folder.glob("??/" + "?" * 64)}
    assert copies == {models[0].files[0].digest, models[2].files[0].digest}
    assert held.exists()
    assert store.verify(models[1]) == []
    large = put(store, "a/large", {"m.gguf": gguf(30_000)})
    with pytest.raises(Unavailable, match="model_cache_mb"):
        store.path_of(large, "m.gguf")


TAKER = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/rooms/models"]
from test_models_shared import shared, take
import selat.s3.parts as upload
real = upload._parts
def parts(client, file, sent, told):
    def killing(size):
        if sent.etags and size > 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(client, file, sent, killing)
if sys.argv[5] == "kill":
    upload._parts = parts
print(take(Path(sys.argv[2]), sys.argv[3], sys.argv[4]), flush=True)
"""


def take(folder: Path, endpoint: str, source: str) -> str:
    """Fetch a folder's one file into the bucket of that name; its digest."""
    store, there = ModelStore(folder, shared(endpoint, "kill")), Folder(Path(source))
    with store.taking() as blobs:
        fetch = Fetch(blobs, there, lambda size: None, threading.Event())
        return fetch.file(there.offer().files[0]).digest


def taker(folder: Path, endpoint: str, source: Path, how: str) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[2])
    words = [sys.executable, "-c", TAKER, tests, str(folder), endpoint, str(source), how]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_of_an_upload_it_goes_on_and_two_at_once_are_one(
    endpoint: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "m.gguf").write_bytes(gguf(PART_BYTES + 1000))
    digest = digest_file(source / "m.gguf")
    killed = taker(tmp_path / "m", endpoint, source, "kill")
    assert killed.wait(60) == -signal.SIGKILL
    store = ModelStore(tmp_path / "m", shared(endpoint, "kill"))
    assert not store.blobs.whole(digest)
    assert len(list(store.blobs.partial.glob("*.upload"))) == 1
    both = [taker(tmp_path / "m", endpoint, source, "go") for _ in range(2)]
    for one in both:
        assert one.communicate(timeout=60)[0].strip() == digest
    killed.communicate()
    assert store.blobs.whole(digest)
    assert list(store.blobs.partial.iterdir()) == []


def test_gc_clears_an_upload_that_nobody_goes_on_with(endpoint: str, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "m", shared(endpoint, tmp_path.name))
    with store.taking() as blobs:
        (blobs.partial / "x.upload").write_text('{"name": "x", "upload": "u", "part_bytes": 5, "etags": []}')
        (blobs.partial / "x").write_bytes(b"12345")
    assert store.gc(0).files == 2
    assert list(store.blobs.partial.iterdir()) == []


def test_a_store_that_goes_away_is_told_and_goes_on_when_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WAIT_S", 0.001)
    with s3_server() as running:
        store = ModelStore(tmp_path / "m", shared(running, "x"))
        model = put(store, "a/m", {"m.gguf": gguf(20_000_000)})
        away = ModelStore(tmp_path / "other", shared(running, "x"))
        reading = away.opener(model, model.files[0])(0, 20_000_000)
        reading.read(1000)
    with pytest.raises(OSError, match=r"object store|onnection"):
        any(not reading.read(1 << 20) for _ in range(30))
    reading.close()
    for broken in (away.models, lambda: away.opener(model, model.files[0]), lambda: away.path_of(model)):
        with pytest.raises(Unavailable, match="object store"):
            broken()
