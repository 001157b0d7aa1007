"""The hub protocol under /hf, served from the shelf: clients load with HF_ENDPOINT=http://HOST:PORT/hf unchanged.

What each real client asks for was logged, and that is served (docs/howto/models.md). The token is an API key.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from selat.core.caller import Caller
from selat.core.errors import BadRequest, CallerError, NotFound, SelatError
from selat.flows.mirror import FileUnknown, RevisionUnknown
from selat.gateway.app import HUB
from selat.gateway.completions import caller_of
from selat.gateway.door import Door
from selat.gateway.errors import MethodNotAllowed
from selat.gateway.http import JSON, Request
from selat.gateway.straight import send_straight
from selat.identity import KEY_PREFIX
from selat.models import Model, ModelFile
from selat.models.reading import FileReading, Reading

R = TypeVar("R")
PIECE_BYTES, AT_HAND_BYTES = 1 << 20, 1 << 18
STALL_S = 60.0
"""A caller who takes nothing for so long is hung up on."""
BINARY = "application/octet-stream"
_NAME = r"(?P<name>[^/]+(?:/[^/]+)?)"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_QUANT = re.compile(r"[._-]((?:UD-)?(?:I?Q\d\w*|TQ\d\w*|BF16|F16|F32|MXFP4\w*))\.gguf$", re.IGNORECASE)
_reader = ThreadPoolExecutor(4, "mirror")
"""Threads of their own: reading large files from a slow disk must not keep other work waiting."""


class RangeUnsatisfiable(CallerError):
    status = 416
    code = "range_not_satisfiable"


class Ask:
    """One request of a hub's client: who asks, and the door and connection it came by."""

    def __init__(self, door: Door, request: Request, caller: Caller) -> None:
        self.door, self.request, self.caller = door, request, caller
        self.query = parse_qs(request.query, keep_blank_values=True)

    async def model(self, name: str, revision: str = "main") -> Model:
        return await _in_thread(self.door.house.mirror.model, self.caller, name, revision)

    async def json(self, value: object) -> None:
        await self.request.respond(200, msgspec.json.encode(value), JSON)


async def enter(door: Door, request: Request) -> None:
    """Every request under the prefix. Errors carry the hub's codes, by which its clients tell them apart."""
    path = "/" + request.path[len(HUB) :]
    try:
        _take_hub_token(request)
        ask = Ask(door, request, caller_of(door, request))
        for pattern, methods, handler in ROUTES:
            if match := pattern.fullmatch(path):
                if request.method not in methods:
                    raise MethodNotAllowed(methods)
                return await handler(ask, **match.groupdict())
        raise NotFound("no such endpoint of a hub")
    except SelatError as error:
        if request.started:
            raise
        await _refuse(request, error)


def _take_hub_token(request: Request) -> None:
    """An API key may be written as the hub's tokens are, for llama.cpp sends no other: `hf_` for `sk-selat-`."""
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip().startswith(b"hf_"):
        request.headers[b"authorization"] = b"Bearer " + KEY_PREFIX.encode() + token.strip()[3:]


async def whoami(ask: Ask) -> None:
    """GET /api/whoami-v2: clients ask it to check a token."""
    caller = ask.caller
    await ask.json({"type": "user", "name": caller.tenant, "fullname": caller.key, "orgs": [], "auth": {}})


async def listed(ask: Ask) -> None:
    """GET /api/models: what the caller may have; `search` and `author` narrow it."""
    models = await _in_thread(ask.door.house.mirror.models, ask.caller)
    search, author = ask.query.get("search", [""])[0].lower(), ask.query.get("author", [""])[0]
    rows = [
        described(model)
        for model in models
        if search in model.name.lower() and (not author or model.name.startswith(f"{author}/"))
    ]
    await ask.json(rows)


async def info(ask: Ask, name: str, revision: str | None = None) -> None:
    """GET /api/models/NAME[/revision/REV]: the model with its files and their digests."""
    model = await ask.model(name, revision or "main")
    await ask.json({**described(model), "siblings": [_sibling(file) for file in model.files]})


async def tree(ask: Ask, name: str, revision: str, folder: str | None = None) -> None:
    """GET /api/models/NAME/tree/REV[/FOLDER]: files and folders, all below where `recursive` is set."""
    model = await ask.model(name, revision)
    start = f"{folder.strip('/')}/" if folder else ""
    below = [file for file in model.files if file.path.startswith(start)]
    if folder and not below:
        raise FileUnknown(f"{model.name} has no such folder")
    deep = ask.query.get("recursive", ["false"])[0].lower() in ("true", "1")
    folders = sorted({parent for file in below for parent in _parents(file.path, start)})
    rows: list[dict[str, object]] = [
        {"type": "directory", "path": path, "size": 0, "oid": _sha1(path.encode())}
        for path in folders
        if deep or "/" not in path[len(start) :]
    ]
    rows += [_entry(file) for file in below if deep or "/" not in file.path[len(start) :]]
    await ask.json(rows)


async def paths(ask: Ask, name: str, revision: str) -> None:
    """POST /api/models/NAME/paths-info/REV: some files of a tree."""
    model = await ask.model(name, revision)
    body = await ask.request.body(ask.door.limits.body_bytes, ask.door.limits.body_s)
    try:
        said = msgspec.json.decode(body) if body.lstrip()[:1] == b"{" else parse_qs(body.decode("utf-8"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("the body is neither a form nor JSON") from None
    wanted = said.get("paths", [])
    await ask.json([_entry(file) for file in model.files if file.path in wanted])


async def refs(ask: Ask, name: str) -> None:
    """GET /api/models/NAME/refs: `main` is the current revision."""
    model = await ask.model(name)
    branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": model.revision}
    await ask.json({"branches": [branch], "tags": [], "converts": [], "pullRequests": []})


async def manifest(ask: Ask, name: str, tag: str) -> None:
    """GET /v2/NAME/manifests/TAG: llama.cpp asks which GGUF a quantisation is; `latest` takes Q4_K_M, else any."""
    model = await ask.model(name)
    weights = sorted(
        (file for file in model.files if file.path.endswith(".gguf") and "mmproj" not in file.path),
        key=lambda file: file.path,
    )
    named = {found[1].upper(): file for file in reversed(weights) if (found := _QUANT.search(file.path))}
    first = weights[0] if weights else None
    chosen = named.get("Q4_K_M", first) if tag == "latest" else named.get(tag.upper())
    if chosen is None:
        raise FileUnknown(
            f"{model.name} has no GGUF of '{tag[:40]}'; it has: {', '.join(sorted(named)) or 'none'}"
        )
    said: dict[str, object] = {"ggufFile": _sibling(chosen), "metadata": {}}
    if sight := next(
        (file for file in model.files if "mmproj" in file.path and file.path.endswith(".gguf")), None
    ):
        said["mmprojFile"] = _sibling(sight)
    await ask.json(said)


async def resolve(ask: Ask, name: str, revision: str, path: str) -> None:
    """GET or HEAD /NAME/resolve/REV/PATH: the file or a range of it. Sources: RFC 9110 sections 13 and 14."""
    model, request = await ask.model(name, revision), ask.request
    try:
        file, opener = await _in_thread(ask.door.house.mirror.file, model, path)
    except FileUnknown as error:
        # Clients keep it in mind, by commit, that a file is not there.
        return await _refuse(request, error, (("x-repo-commit", model.revision),))
    tag = f'"{file.digest}"'
    extra = [
        ("etag", tag),
        ("accept-ranges", "bytes"),
        ("x-repo-commit", model.revision),
        ("x-linked-size", str(file.size_bytes)),
        ("x-linked-etag", tag),
        ("cache-control", "private, no-transform"),
    ]
    if file.digest in request.header(b"if-none-match"):
        request.started = True
        return await request.respond(304, b"", BINARY, extra)
    start, end = span(request.header(b"range"), request.header(b"if-range"), file)
    whole = (start, end) == (0, file.size_bytes)
    if not whole:
        extra.append(("content-range", f"bytes {start}-{end - 1}/{file.size_bytes}"))
    if request.method == "HEAD":
        request.start(200, BINARY, extra, size_bytes=file.size_bytes)
        request.ended = True
        return
    if file.path.endswith((".safetensors", ".gguf")):
        receipt = await asyncio.to_thread(ask.door.house.mirror.give, ask.caller, model, file)
        request.receipt = receipt
        extra.append(("selat-receipt", receipt))
    reading = await _in_thread(opener, start, end)
    await _send(request, reading, end - start, (200 if whole else 206, extra))


def span(wanted: str, unless: str, file: ModelFile) -> tuple[int, int]:
    """Start and end (exclusive) of what is sent: of several ranges, or of what cannot be read, the whole file.

    `unless` is If-Range: a range of another content is not sent. Raises: RangeUnsatisfiable.
    """
    match = _RANGE.fullmatch(wanted.strip())
    size = file.size_bytes
    if match is None or match[0] == "bytes=-" or (unless and file.digest not in unless):
        return 0, size
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return 0, size
    if start >= size:
        raise RangeUnsatisfiable(f"the file has {size} bytes")
    return start, end


async def _send(request: Request, reading: Reading, left: int, head: tuple[int, list[tuple[str, str]]]) -> None:
    """`left` bytes: from this machine's disk by the kernel, else in pieces, two of them in memory at most.

    Of those, what the kernel has in memory is read at once; the rest in a thread, one ahead of what goes out.
    """
    status, extra = head
    ahead: Future[bytes] | None = None
    try:
        request.start(status, BINARY, extra, size_bytes=left)
        if isinstance(reading, FileReading) and left > AT_HAND_BYTES:
            left = await send_straight(request, reading, left, _reader, STALL_S)
        while left:
            piece = b"" if ahead is not None else reading.at_hand(AT_HAND_BYTES)
            if piece:
                await asyncio.sleep(0)  # others' turn: a caller who reads fast is never waited for
            else:
                ahead = ahead or _reader.submit(reading.read, PIECE_BYTES)
                piece = await asyncio.wrap_future(ahead)
                ahead = _reader.submit(reading.read, PIECE_BYTES) if 0 < len(piece) < left else None
            left -= len(piece)
            if not piece:
                return request.abort()
            async with asyncio.timeout(STALL_S):
                await request.write(piece, more=left > 0)
        request.ended = True
    except (TimeoutError, OSError):
        request.abort()
    finally:
        if ahead is None:
            reading.close()
        else:  # Behind what is still being read of it.
            ahead.add_done_callback(lambda done: reading.close())


def _in_thread(does: Callable[..., R], *args: object) -> asyncio.Future[R]:
    return asyncio.get_running_loop().run_in_executor(_reader, does, *args)


def described(model: Model) -> dict[str, object]:
    """A model as hubs describe it. Nothing here is public, so all is `private`."""
    name, time = model.name, model.added or "1970-01-01T00:00:00.000Z"
    tags = [*model.format.split("+"), *([f"license:{model.licence}"] if model.licence else ())]
    card: dict[str, object] = {"license": model.licence} if model.licence else {}
    if model.lineage.base:
        card["base_model"] = list(model.lineage.base)
    return {
        "_id": model.revision[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0] if "/" in name else None,
        "sha": model.revision,
        "createdAt": time,
        "lastModified": time,
        "private": True,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [tag for tag in tags if tag],
        "library_name": "transformers" if "safetensors" in model.format else "gguf",
        "cardData": card,
        "usedStorage": model.size_bytes,
    }


def pointer(file: ModelFile) -> bytes:
    """What Git holds in the file's place. Source: the Git LFS specification, "The Pointer"."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize %d\n" % (
        file.digest.encode(),
        file.size_bytes,
    )


def _sibling(file: ModelFile) -> dict[str, object]:
    text = pointer(file)
    return {
        "rfilename": file.path,
        "size": file.size_bytes,
        "blobId": _sha1(text),
        "lfs": {"sha256": file.digest, "size": file.size_bytes, "pointerSize": len(text)},
    }


def _entry(file: ModelFile) -> dict[str, object]:
    text = pointer(file)
    return {
        "type": "file",
        "path": file.path,
        "size": file.size_bytes,
        "oid": _sha1(text),
        "lfs": {"oid": file.digest, "size": file.size_bytes, "pointerSize": len(text)},
    }


def _sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _parents(path: str, start: str) -> list[str]:
    parts = path.split("/")
    return [parent for n in range(1, len(parts)) if (parent := "/".join(parts[:n])).startswith(start)]


async def _refuse(request: Request, error: SelatError, extra: tuple[tuple[str, str], ...] = ()) -> None:
    # As hubs do: who has no key is not told apart from what is not there.
    code = "RepoNotFound" if error.status in (401, 404) else ""
    if isinstance(error, RevisionUnknown):
        code = "RevisionNotFound"
    elif isinstance(error, FileUnknown):
        code = "EntryNotFound"
    said = str(error) if error.code != SelatError.code else "Selat failed; the log of the gateway says why"
    lines = [("x-error-message", said.encode("ascii", "replace").decode().replace("\n", " ")), *extra]
    if code:
        lines.append(("x-error-code", code))
    if error.status == 401:
        lines.append(("www-authenticate", "Bearer"))
    if isinstance(error, MethodNotAllowed):
        lines.append(("allow", error.allowed))
    await request.respond(error.status, msgspec.json.encode({"error": said}), JSON, lines)


Handler = Callable[..., Awaitable[None]]
_GET, _BOTH = ("GET",), ("GET", "HEAD")
ROUTES: tuple[tuple[re.Pattern[str], tuple[str, ...], Handler], ...] = (
    (re.compile(r"/api/whoami-v2"), _GET, whoami),
    (re.compile(r"/api/models"), _GET, listed),
    (re.compile(rf"/api/models/{_NAME}/refs"), _GET, refs),
    (re.compile(rf"/api/models/{_NAME}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?"), _GET, tree),
    (re.compile(rf"/api/models/{_NAME}/paths-info/(?P<revision>[^/]+)"), ("POST",), paths),
    (re.compile(rf"/api/models/{_NAME}/revision/(?P<revision>[^/]+)"), _GET, info),
    (re.compile(rf"/api/models/{_NAME}"), _GET, info),
    (re.compile(rf"/v2/{_NAME}/manifests/(?P<tag>[^/]+)"), _GET, manifest),
    (re.compile(rf"/{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)"), _BOTH, resolve),
)
