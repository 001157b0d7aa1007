"""Whatever is given to an ingestion gives a reason or its text, and takes nothing else with it."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selat.core.errors import Unavailable
from selat.core.label import HIGHEST, LOWEST
from selat.flows.ingest import Intake, Report, ingest
from selat.knowledge import Library, Query, documents_of


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.close()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    return folder


def read(library: Library, papers: Path, sync: bool = False) -> Report:
    return ingest(library, [papers], Intake("t", "c", LOWEST, sync=sync), lambda document: None)


def seen(library: Library, text: str) -> list[str]:
    return documents_of(library, Query("t", "c", text, HIGHEST))


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * 20_000_000)
    return out.getvalue()


def test_what_cannot_be_read_says_why_and_the_rest_goes_on(library: Library, papers: Path) -> None:
    wrong = {
        "a-empty.txt": (b"", "the file is empty"),
        "b-empty.jsonl": (b"", "the file is empty"),
        "c-picture.pdf": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "pdf: the file is broken"),
        "d-text.pdf": (b"ini teks sahaja", "pdf: the file is broken"),
        "e-program.docx": (b"MZ" + bytes(200), "docx: the file is broken"),
        "f-bomb.zip": (bomb(), "refused as a bomb"),
        "g-rows.jsonl": (b'{"id": "satu", "nota": "teh tarik"}\nno row\n[1]\n{"id": "dua", "nota": "roti"}\n',
                         "line 2: not a JSON object; line 3: not a JSON object; mend it"),
    }  # fmt: skip
    for name, (data, _) in wrong.items():
        (papers / name).write_bytes(data)
    (papers / "z.txt").write_text("Kedai kopi buka pukul lapan.")
    report = read(library, papers)
    assert report.failed.keys() == wrong.keys()
    for name, (_, reason) in wrong.items():
        assert reason in report.failed[name]
    assert sorted(report.added) == ["dua", "satu", "z.txt"]
    assert seen(library, "kedai kopi") == ["z.txt"]


def test_a_file_of_rows_that_breaks_takes_none_of_its_rows_out(library: Library, papers: Path) -> None:
    rows = papers / "rows.jsonl"
    rows.write_text('{"id": "satu", "nota": "teh tarik"}\n{"id": "dua", "nota": "roti canai"}\n')
    read(library, papers, sync=True)
    rows.write_text('{"id": "satu", "nota": "teh halia"}\n{"id": "dua", "no')
    report = read(library, papers, sync=True)
    assert (report.added, report.removed, list(report.failed)) == (["satu"], [], ["rows.jsonl"])
    assert (seen(library, "teh halia"), seen(library, "roti canai")) == (["satu"], ["dua"])
    rows.write_text('{"id": "satu", "nota": "teh halia"}\n')
    assert sorted(read(library, papers, sync=True).removed) == ["dua", "rows.jsonl"]


def test_a_file_of_rows_that_was_mended_is_no_longer_told_of(library: Library, papers: Path) -> None:
    rows = papers / "rows.jsonl"
    rows.write_text('{"id": "satu", "nota": "teh"}\nrosak\n')
    read(library, papers)
    assert library.status().failed == 1
    assert read(library, papers).unchanged == 2
    rows.write_text('{"id": "satu", "nota": "teh"}\n')
    assert read(library, papers).removed == ["rows.jsonl"]
    assert (library.status().failed, library.status().documents) == (0, 1)


@pytest.mark.parametrize("size", ["500k", "2m"])
def test_a_full_disk_is_told_of_and_with_room_all_is_there(tmp_path: Path, papers: Path, size: str) -> None:
    rows = [{"id": f"r{number}", "nota": f"kedai nombor {number} " * 60} for number in range(600)]
    (papers / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = Library(tmp_path / "whole")
    read(whole, papers)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs to mount a small disk, which takes root")
    try:
        broken = Library(disk)
        with pytest.raises(Unavailable, match="is full"):
            read(broken, papers)
        broken.close()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        mended = Library(disk)
        read(mended, papers)
        assert mended.status().digest == whole.status().digest
        assert seen(mended, "kedai nombor 77") == seen(whole, "kedai nombor 77")
        mended.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        whole.close()
