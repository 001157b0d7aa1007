"""The store of models: whole or absent, checked when used, cleared without loss, by many at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from models_kit import gguf, put, safetensors

from selat.core.errors import BadRequest, HomeBusy, ModelBroken, NotFound, Unavailable
from selat.models import Model, ModelFile, ModelStore
from selat.models.blobs import digest_file


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_an_empty_store_lists_nothing_and_clears_nothing(store: ModelStore) -> None:
    assert store.models() == []
    assert store.gc().files == 0
    with pytest.raises(NotFound, match="selat model pull"):
        store.model("a/b")


def test_a_model_has_real_paths_and_files_are_shared(store: ModelStore) -> None:
    weights = gguf()
    one = put(store, "a/one", {"m.gguf": weights, "sub/config.json": b"{}"})
    two = put(store, "b", {"other.gguf": weights})
    assert [model.name for model in store.models()] == ["a/one", "b"]
    assert store.path_of(one, "m.gguf").read_bytes() == weights
    assert (store.path_of(one) / "sub" / "config.json").read_bytes() == b"{}"
    assert store.path_of(two, "other.gguf").resolve() == store.path_of(one, "m.gguf").resolve()
    assert len(list(store.blobs.digests())) == 2
    assert not os.access(store.path_of(one, "m.gguf"), os.W_OK) or os.geteuid() == 0
    with pytest.raises(NotFound, match=r"m\.gguf"):
        store.path_of(one, "tiada.gguf")


def test_revisions_are_found_by_name_prefix_and_main(store: ModelStore) -> None:
    old = put(store, "a/m", {"m.gguf": gguf()}, added="2026-01-01")
    new = put(store, "a/m", {"m.gguf": gguf()}, added="2026-02-01")
    assert store.model("a/m") == store.model("a/m@main") == new
    assert store.model(f"a/m@{old.revision[:8]}") == old
    assert [model.revision for model in store.models()] == [new.revision, old.revision]
    for wrong in ("a/m@abc", "a/m@" + "0" * 40, "a/n", "../x", "a/m@../../x"):
        with pytest.raises(NotFound):
            store.model(wrong)
    store.remove(new)
    assert store.model("a/m") == old
    store.remove(old)
    assert store.models() == []
    assert not list((store.folder / "tree").iterdir())


def test_a_changed_file_is_refused_at_once_and_found_by_verify(store: ModelStore) -> None:
    model = put(store, "a/m", {"m.gguf": gguf(), "config.json": b"{}"})
    assert store.verify(model) == []
    blob = store.blob_of(model, model.files[0])
    before = blob.stat()
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.seek(100)
        file.write(b"X")
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelBroken, match="verify"):
        store.path_of(model, "m.gguf")
    with pytest.raises(ModelBroken):
        store.path_of(model)
    assert store.path_of(model, "config.json").read_bytes() == b"{}"
    assert [(one.path, one.state) for one in store.verify(model)] == [("m.gguf", "changed")]
    blob.unlink()
    assert [(one.path, one.state) for one in store.verify(model)] == [("m.gguf", "missing")]
    with store.taking(), pytest.raises(ModelBroken):
        store.put(Model("a/n", "1" * 40, model.files))


def test_a_touched_but_unchanged_file_is_hashed_once_and_sealed_again(store: ModelStore) -> None:
    model = put(store, "a/m", {"m.gguf": gguf()})
    blob = store.blob_of(model, model.files[0])
    blob.touch()
    assert store.path_of(model, "m.gguf").exists()
    seal = blob.with_name(f"{blob.name}.seal")
    fresh = seal.read_bytes()
    assert store.path_of(model, "m.gguf").exists()
    assert seal.read_bytes() == fresh
    seal.write_text("rosak")
    assert store.path_of(model, "m.gguf").exists()


def test_an_altered_record_is_told_and_stops_gc(store: ModelStore) -> None:
    model = put(store, "a/m", {"m.gguf": gguf()})
    record = store.folder / "records" / "a--m" / f"{model.revision}.json"
    for text in ("{", '{"name": "a/m"}', record.read_text().replace("m.gguf", "../../m.gguf")):
        record.write_text(text)
        with pytest.raises(ModelBroken, match="record"):
            store.models()
        with pytest.raises(ModelBroken):
            store.gc(0)
    assert store.blobs.path(model.files[0].digest).exists()


def test_gc_takes_what_no_record_names_once_it_is_old(store: ModelStore) -> None:
    kept, gone = put(store, "a/kept", {"m.gguf": gguf()}), put(store, "a/gone", {"m.gguf": gguf(8192)})
    (store.blobs.partial / "half").write_bytes(b"x" * 10)
    store.remove(gone)
    assert store.gc().files == 0
    freed = store.gc(0)
    assert (freed.files, freed.size_bytes) == (2, gone.size_bytes + 10)
    assert store.verify(kept) == []
    assert list(store.blobs.digests()) == [kept.files[0].digest]
    assert [path.name for path in (store.blobs.folder).rglob("*.seal")] == [f"{kept.files[0].digest}.seal"]


def test_gc_waits_for_no_one_while_models_are_taken_in(store: ModelStore) -> None:
    with store.taking(), store.taking(), pytest.raises(HomeBusy, match="taken in"):
        store.gc(0)
    assert store.gc(0).files == 0


def test_a_record_with_two_files_of_one_path_or_a_bad_digest_is_none() -> None:
    file = ModelFile("m.gguf", "0" * 64, 1)
    with pytest.raises(BadRequest, match="two files"):
        Model("a", "0" * 40, (file, file))
    with pytest.raises(BadRequest):
        ModelFile("m.gguf", "0" * 63, 1)
    with pytest.raises(BadRequest):
        ModelFile("../m.gguf", "0" * 64, 1)


TAKER = """
import sys
from pathlib import Path
from selat.models import Model, ModelFile, ModelStore, revision_of
store, source, name = ModelStore(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
for turn in range(int(sys.argv[4])):
    print(turn, flush=True)
    with store.taking() as blobs:
        file = ModelFile("m.gguf", *blobs.take(source))
        store.put(Model(name, revision_of([file]), (file,)))
"""


def taker(store: ModelStore, source: Path, name: str, turns: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", TAKER, str(store.folder), str(source), name, str(turns)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_four_at_once_take_in_the_same_file_while_another_clears(store: ModelStore, tmp_path: Path) -> None:
    source = tmp_path / "m.gguf"
    source.write_bytes(gguf(200_000))
    takers = [taker(store, source, f"a/m{number % 2}", 20) for number in range(4)]
    while any(one.poll() is None for one in takers):
        try:
            store.gc(0)
        except HomeBusy:
            time.sleep(0.002)
    for one in takers:
        assert one.wait(60) == 0
        assert one.stdout is not None
        one.stdout.close()
    models = store.models()
    assert [model.name for model in models] == ["a/m0", "a/m1"]
    for model in models:
        assert digest_file(store.path_of(model, "m.gguf")) == digest_file(source)
    assert store.gc(0).files == 0


def test_killed_at_any_time_leaves_whole_models_and_nothing_that_gc_does_not_clear(
    store: ModelStore, tmp_path: Path
) -> None:
    source = tmp_path / "m.gguf"
    for turn in range(6):
        source.write_bytes(gguf(3_000_000))
        one = taker(store, source, f"a/m{turn}", 50)
        assert one.stdout is not None
        one.stdout.readline()
        time.sleep(0.004 * turn)
        one.kill()
        one.wait(60)
        one.stdout.close()
        for model in store.models():
            assert store.verify(model) == []
    store.gc(0)
    named = {file.digest for model in store.models() for file in model.files}
    assert set(store.blobs.digests()) == named
    assert list(store.blobs.partial.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_what_was_whole_stays(store: ModelStore, tmp_path: Path) -> None:
    model = put(store, "a/m", {"m.safetensors": safetensors()})
    mount = tmp_path / "small"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]).returncode:
        pytest.skip("may not mount a small file system here")
    try:
        small = ModelStore(mount / "models")
        first = put(small, "a/small", {"m.gguf": gguf(1000)})
        big = tmp_path / "big.gguf"
        big.write_bytes(gguf(3_000_000))
        with small.taking() as blobs, pytest.raises(Unavailable, match="disk"):
            blobs.take(big)
        assert list(small.blobs.partial.iterdir()) == []
        assert small.verify(first) == []
    finally:
        subprocess.run(["umount", mount], check=True)
    assert store.verify(model) == []


def test_the_page_on_the_format_shows_a_record_that_is_one(store: ModelStore) -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats" / "model.md").read_text()
    specimen = msgspec.json.decode(page.partition("```json")[2].partition("```")[0].encode(), type=Model)
    made = put(store, "a/m", {"m.gguf": gguf()})
    written = msgspec.json.decode((store.folder / "records" / "a--m" / f"{made.revision}.json").read_bytes())
    assert set(written) == set(msgspec.to_builtins(specimen))
    assert specimen.file("README.md") is not None
