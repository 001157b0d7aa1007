"""Writing files durably: what is there stays, and a full disk is told in words, with the next step."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from selat import durable
from selat.core.errors import Unavailable


def test_a_file_is_created_closed_to_others_and_never_overwritten(tmp_path: Path) -> None:
    durable.create(tmp_path / "key", b"first")
    with pytest.raises(FileExistsError):
        durable.create(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_what_is_settled_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    with (tmp_path / "notes").open("a", encoding="ascii") as file:
        file.write("a line\n")
        durable.settle(file)
        assert (tmp_path / "notes").read_text() == "a line\n"


@pytest.mark.parametrize("code", durable.NO_ROOM)
def test_a_full_disk_is_told_with_what_to_do_then(tmp_path: Path, code: int) -> None:
    full = pytest.raises(Unavailable, match=f"{tmp_path} is full.*: make room and go on")
    with full, durable.told_if_full(tmp_path, "make room and go on"):
        raise OSError(code, "no room")


def test_other_trouble_of_a_disk_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="worn out") as caught, durable.told_if_full(tmp_path, "make room"):
        raise OSError(errno.EIO, "worn out")
    assert caught.value.errno == errno.EIO
