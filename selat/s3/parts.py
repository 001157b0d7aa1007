"""Uploads in parts that go on after an interruption: what was sent is noted beside the file.

Source: Amazon S3 API, CreateMultipartUpload, UploadPart and CompleteMultipartUpload.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import msgspec

from selat.core.errors import Unavailable
from selat.durable import replace
from selat.s3.client import Answer, Client

PART_BYTES = 32 << 20
MAX_PARTS = 10_000
_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")


class Sent(msgspec.Struct):
    """How far an upload came: its id, the size of its parts in bytes, the ETags of those that were sent."""

    name: str
    upload: str
    part_bytes: int
    etags: list[str]


def note_of(file: Path) -> Path:
    """Where the progress of a file's upload is noted."""
    return file.with_name(f"{file.name}.upload")


def upload(client: Client, name: str, file: Path, told: Callable[[int], None] = lambda size_bytes: None) -> None:
    """Put a file, in parts where it is larger than one; it is there whole when this returns, else not at all.

    Killed in between, the next call goes on with the first part that was not sent. `told` hears of bytes.
    Raises: Unavailable; OSError.
    """
    size = file.stat().st_size
    if size <= PART_BYTES:
        client.put(name, file.read_bytes())
        told(size)
        return
    earlier = _earlier(file, name)
    sent = earlier or _begin(client, name, size)
    for turn in range(2):
        try:
            done = _parts(client, file, sent, told) and _complete(client, sent)
        except Unavailable:
            if sent is not earlier:
                raise
            done = False  # What an earlier run left may be damaged: once more, from the beginning.
        if done:
            note_of(file).unlink(missing_ok=True)
            return
        if (seen := client.head(name)) and seen.size_bytes == size:
            # Another has put the same, or our own end was told to nobody.
            note_of(file).unlink(missing_ok=True)
            return
        if not turn:
            sent = _begin(client, name, size)
    raise Unavailable(f"object store: the upload of {name} was ended there twice; try again")


def abort(client: Client, note: Path) -> None:
    """End what an upload left on the server, by its note, and remove the note. Raises: Unavailable."""
    try:
        sent = msgspec.json.decode(note.read_bytes(), type=Sent)
    except (FileNotFoundError, msgspec.DecodeError):
        note.unlink(missing_ok=True)
        return
    client.abort(sent.name, sent.upload)
    note.unlink(missing_ok=True)


def _earlier(file: Path, name: str) -> Sent | None:
    try:
        found = msgspec.json.decode(note_of(file).read_bytes(), type=Sent)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if found.name == name and found.part_bytes > 0 else None


def _begin(client: Client, name: str, size: int) -> Sent:
    answer = client.post(name, {"uploads": ""})
    found = _UPLOAD.search(answer.body)
    if found is None:
        raise Unavailable(f"object store: {name}: no upload could be begun (status {answer.status})")
    return Sent(name, found[1].decode(), max(PART_BYTES, -(-size // MAX_PARTS)), [])


def _parts(client: Client, file: Path, sent: Sent, told: Callable[[int], None]) -> bool:
    """Send what is missing; False where the server knows the upload no more."""
    with file.open("rb") as opened:
        opened.seek(len(sent.etags) * sent.part_bytes)
        told(opened.tell())
        while data := opened.read(sent.part_bytes):
            number = {"partNumber": str(len(sent.etags) + 1), "uploadId": sent.upload}
            answer: Answer = client.put_part(sent.name, number, data)
            if answer.status == 404:
                told(-opened.tell() + len(data))
                return False
            sent.etags.append(answer.headers.get("etag", ""))
            replace(note_of(file), msgspec.json.encode(sent))
            told(len(data))
    return True


def _complete(client: Client, sent: Sent) -> bool:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
        for number, etag in enumerate(sent.etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return client.post(sent.name, {"uploadId": sent.upload}, body).status != 404
