"""A bundle is what it says, whoever carried it: nothing altered, added, cut off or disguised gets through."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_kit import FILES, SIGNER, cover_of, make, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.bundles import (
    COVER,
    MANIFEST,
    Item,
    Manifest,
    open_bundle,
    parse_cover,
    parse_manifest,
    read_keys,
    write_bundle,
)
from selat.bundles.cover import sign_cover
from selat.bundles.opened import tar_head
from selat.core.canonical import canonical
from selat.core.errors import BundleBroken, Misused, SelatError
from selat.core.note import Note
from selat.core.signer import Signer

STRANGER = Signer("selat.local/ffff/bundle", seed=b"\x2e" * 32)


@pytest.fixture(params=["b.tar", "b"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    make(path)
    return path


def test_what_is_written_verifies_and_tar_reads_it(bundle: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    with opened(bundle) as found:
        found.verify(heard.append)
        assert [item.path for item in found.manifest.files] == sorted(FILES)
    assert sum(heard) == sum(map(len, FILES.values()))
    if bundle.suffix == ".tar":
        out = tmp_path / "out"
        out.mkdir()
        subprocess.run(["tar", "-xf", bundle, "-C", out], check=True)
        assert {path: (out / path).read_bytes() for path in FILES} == FILES
        with opened(out) as unpacked:
            unpacked.verify()


def test_the_same_contents_have_one_manifest_and_one_tar(tmp_path: Path) -> None:
    first = make(tmp_path / "a.tar")
    again = make(tmp_path / "b.tar", dict(reversed(FILES.items())))
    assert first.to_bytes() == again.to_bytes()
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert parse_manifest(first.to_bytes()) == first


def test_long_paths_and_large_files_lie_in_a_tar_as_tar_has_them(tmp_path: Path) -> None:
    path = "wheels/" + "panjang" * 20 + ".whl"
    make(tmp_path / "a.tar", {path: b"x"})
    with tarfile.open(tmp_path / "a.tar") as read:
        assert read.getnames() == [COVER, MANIFEST, path]
    assert tarfile.TarInfo.frombuf(tar_head("models/x", 70 << 30), "ascii", "strict").size == 70 << 30


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"duadua") + 7] ^= 1
    path.write_bytes(data)


def test_one_flipped_bit_names_the_file_and_both_digests(bundle: Path) -> None:
    _flip(bundle if bundle.suffix else bundle / "models/b")
    wrong = bytearray(FILES["models/b"])
    wrong[7] ^= 1
    with opened(bundle) as found, pytest.raises(BundleBroken) as told:
        found.verify()
    for part in ("models/b", hashlib.sha256(FILES["models/b"]).hexdigest(), hashlib.sha256(wrong).hexdigest()):
        assert part in str(told.value)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_byte_of_a_tar_can_change(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("t") / "b.tar"
    make(path)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    with pytest.raises(SelatError), opened(path) as found:
        found.verify()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9000))
def test_a_tar_cut_anywhere_is_refused_before_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "b.tar"
    make(path)
    os.truncate(path, min(size, path.stat().st_size - 1))
    with pytest.raises(BundleBroken), opened(path):
        pass


def test_a_cut_tar_names_the_first_file_that_is_not_whole(tmp_path: Path) -> None:
    make(tmp_path / "b.tar")
    os.truncate(tmp_path / "b.tar", (tmp_path / "b.tar").stat().st_size - 3000)
    with pytest.raises(BundleBroken, match=r"cut short.*'models/b' is the first file that is not whole"):
        opened(tmp_path / "b.tar")


def _append_member(path: Path) -> None:
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("tambahan"), io.BytesIO())


def _append_archive(path: Path) -> None:
    with path.open("ab") as file:
        file.write(path.read_bytes())


def _pad(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(8192))


@pytest.mark.parametrize("change", [_append_member, _append_archive, _pad])
def test_nothing_may_follow_in_a_tar(tmp_path: Path, change: Callable[[Path], None]) -> None:
    make(tmp_path / "b.tar")
    change(tmp_path / "b.tar")
    with pytest.raises(BundleBroken, match="files were added or it was cut"):
        opened(tmp_path / "b.tar")


@pytest.mark.parametrize("kind", ["link", "hard", "device", "pipe", "folder", "named"])
def test_a_tar_with_another_kind_of_member_is_refused(tmp_path: Path, kind: str) -> None:
    make(tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    due = tar_head("models/b", 3000)
    info = tarfile.TarInfo("../../etc/passwd" if kind == "named" else "models/b")
    info.size, info.mode = 3000, 0o644
    types = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}
    info.type = {**types, "folder": tarfile.DIRTYPE}.get(kind, tarfile.REGTYPE)
    assert due in data
    (tmp_path / "b.tar").write_bytes(data.replace(due, info.tobuf(tarfile.GNU_FORMAT)))
    with opened(tmp_path / "b.tar") as found, pytest.raises(BundleBroken, match="'models/b' is due"):
        found.verify()


def test_a_tar_that_gnu_tar_made_is_told_what_to_do(tmp_path: Path) -> None:
    make(tmp_path / "b")
    names = [COVER, MANIFEST, *sorted(FILES)]
    subprocess.run(["tar", "-cf", tmp_path / "c.tar", "-C", tmp_path / "b", *names], check=True)
    with pytest.raises(BundleBroken, match="unpack it and give the folder"):
        opened(tmp_path / "c.tar")


@pytest.mark.parametrize("what", ["extra", "missing", "link", "folder-link", "pipe", "in-place-of-folder"])
def test_a_folder_holds_exactly_what_its_manifest_says(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "b"
    make(folder)
    outside = tmp_path / "outside"
    outside.write_bytes(FILES["models/b"])
    if what == "extra":
        (folder / "models/c").write_bytes(b"")
    elif what == "missing":
        (folder / "models/b").unlink()
    elif what == "link":
        (folder / "models/b").unlink()
        (folder / "models/b").symlink_to(outside)
    elif what == "folder-link":
        shutil.move(folder / "models", tmp_path / "elsewhere")
        (folder / "models").symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        (folder / "models/b").unlink()
        os.mkfifo(folder / "models/b")
    else:
        shutil.rmtree(folder / "models")
        (folder / "models").write_bytes(b"")
    with pytest.raises(BundleBroken):
        opened(folder)


def test_a_link_that_comes_after_the_look_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    make(folder)
    with opened(folder) as found:
        (folder / "models/b").rename(tmp_path / "outside")
        (folder / "models/b").symlink_to(tmp_path / "outside")
        with pytest.raises(BundleBroken, match="a link"):
            found.verify()


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "a/../b", "/x", "a//b", ".x", "a/.x", "a\\b", "a\0b", "a b", "ä", "a/", "", "x" * 241),
        *("-rf", "CON.", "a:b", "~x", "a\nb"),
    ],
)
def test_a_path_that_could_lead_elsewhere_is_none(path: str) -> None:
    with pytest.raises(BundleBroken):
        Manifest((Item(path, "document", 0, hashlib.sha256(b"").hexdigest()),))


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("a", "a"), "in its place"),
        (("b", "a"), "in its place"),
        (("A", "a"), "collides"),
        (("Bundle.note",), "collides"),
        (("a", "a/b"), "both a file and a folder"),
        (("manifest.json",), "collides"),
    ],
)
def test_names_that_collide_are_refused(paths: tuple[str, ...], said: str) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    with pytest.raises(BundleBroken, match=said):
        Manifest(tuple(Item(path, "document", 0, empty) for path in paths))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files":[],"format":"selat-bundle-manifest/v2"}',
        b'{"files":[],"format":"selat-bundle-manifest/v1"} ',
        b'{"files":[],"files":[],"format":"selat-bundle-manifest/v1"}',
        b'{"files":[],"format":"selat-bundle-manifest/v1","more":1}',
        b"\xff",
    ],
)
def test_a_manifest_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(BundleBroken):
        parse_manifest(data)


def test_an_unknown_signer_is_told_with_fingerprint_and_next_step(bundle: Path) -> None:
    with pytest.raises(BundleBroken) as told:
        open_bundle(bundle, [STRANGER.key])
    for part in (SIGNER.name, SIGNER.key.id.hex(), "fingerprint", "selat bundle key", "--trust"):
        assert part in str(told.value)
    with open_bundle(bundle, None) as unbelieved:
        assert unbelieved.cover.fingerprint in str(told.value)


def test_a_cover_is_signed_by_the_key_that_is_trusted_and_by_no_other_of_that_name() -> None:
    cover = cover_of(b"")
    forger = Signer(SIGNER.name, seed=b"\x2f" * 32)
    assert parse_cover(sign_cover(cover, SIGNER), [STRANGER.key, SIGNER.key]) == cover
    for note in (sign_cover(cover, forger), sign_cover(cover, SIGNER).replace(b"local", b"lokal", 1)):
        with pytest.raises(BundleBroken):
            parse_cover(note, [SIGNER.key])
    newer = f"selat-bundle/v2\n{canonical({'files': 1}).decode()}\n"
    with pytest.raises(BundleBroken, match=r"of format 2.*upgrade"):
        parse_cover(str(Note(newer, (SIGNER.sign(newer),))).encode(), [SIGNER.key])


def test_another_manifest_under_the_cover_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "b")
    manifest = json.loads((tmp_path / "b" / MANIFEST).read_bytes())
    manifest["files"][0]["kind"] = "weights"
    (tmp_path / "b" / MANIFEST).write_bytes(canonical(manifest))
    with pytest.raises(BundleBroken, match=r"'manifest.json' is wrong"):
        opened(tmp_path / "b")


@pytest.mark.parametrize("path", ["empty", "text", "folder", "none"])
def test_what_is_no_bundle_says_so(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"x" * 5000)
    (tmp_path / "folder").mkdir()
    with pytest.raises((BundleBroken, Misused)):
        open_bundle(tmp_path / path, None)


def test_keys_come_as_text_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# rumah\n{STRANGER.key}\n\n{SIGNER.key}\n")
    assert read_keys([str(tmp_path / "keys")]) == (STRANGER.key, SIGNER.key)
    assert read_keys([str(SIGNER.key)]) == (SIGNER.key,)
    for wrong in (str(SIGNER.key)[:-3], "tiada", f"{SIGNER.name}+00000000+AAAA"):
        with pytest.raises(Misused):
            read_keys([wrong])


def test_an_empty_bundle_is_a_bundle(tmp_path: Path) -> None:
    manifest = Manifest(())
    data = manifest.to_bytes()
    write_bundle(tmp_path / "b.tar", (sign_cover(cover_of(data), SIGNER), manifest), {}, lambda size: None)
    with opened(tmp_path / "b.tar") as found:
        found.verify()
        assert found.manifest.files == ()
