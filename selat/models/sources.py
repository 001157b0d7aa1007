"""Sources of models: a hub (or a mirror that speaks its protocol), an HTTP directory, a folder of this machine."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from selat.core.errors import BadRequest, Misused, ModelRefused, NotFound, SourceFailed
from selat.models.blobs import digest_file
from selat.models.folder import look
from selat.models.licence import Card, card_of, read_card, recognise
from selat.models.offer import Offer, Source, Stream, Wanted, choose
from selat.models.record import check_name, check_revision
from selat.models.web import Web

SUMS = "SHA256SUMS"
MAX_CARD_BYTES = 1 << 20
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_HEX64, _HEX40 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


class Hub:
    """A repository of a hub. Source: huggingface_hub's `HfApi.model_info(files_metadata=True)` and its answers."""

    def __init__(self, web: Web, endpoint: str, name: str, revision: str, only: tuple[str, ...] = ()) -> None:
        self._web, self._endpoint, self._only = web, endpoint.rstrip("/"), only
        self._name, self._revision = check_name(name), revision or "main"

    def offer(self) -> Offer:
        """The revision is pinned here, to a commit: what is fetched later is of that commit."""
        said = self._web.json(
            f"{self._endpoint}/api/models/{self._name}/revision/{quote(self._revision, safe='')}?blobs=true"
        )
        try:
            commit = check_revision(str(said["sha"]))
            listed = [self._wanted(one, commit) for one in said["siblings"]]
        except (KeyError, TypeError, AttributeError, BadRequest) as error:
            raise SourceFailed(f"{self._host} does not describe models as hubs do") from error
        files, left_out = choose(listed, self._only)
        card = said.get("cardData")
        known = card_of(card if isinstance(card, dict) else {})
        return Offer(self._name, commit, files, f"hub:{self._host}/{self._name}", known, left_out, self._only)

    def open(self, wanted: Wanted, start: int) -> Stream:
        return self._web.get(wanted.place, start)

    @property
    def _host(self) -> str:
        return urlsplit(self._endpoint).netloc

    def _wanted(self, one: dict[str, Any], commit: str) -> Wanted:
        path = str(one["rfilename"])
        large = one.get("lfs") or {}
        sha256, blob = str(large.get("sha256", "")), str(one.get("blobId", ""))
        size = large.get("size", one.get("size"))
        return Wanted(
            path=path,
            place=f"{self._endpoint}/{self._name}/resolve/{commit}/{quote(path)}",
            size_bytes=size if isinstance(size, int) and size >= 0 else None,
            sha256=sha256 if _HEX64.fullmatch(sha256) else "",
            git_sha1=blob if not sha256 and _HEX40.fullmatch(blob) else "",
        )


class Directory:
    """A directory of a web server that holds `SHA256SUMS`, or one file as URL#sha256=HEX."""

    def __init__(self, web: Web, url: str, name: str = "", only: tuple[str, ...] = ()) -> None:
        self._web, self._only = web, only
        address, _, mark = url.partition("#")
        parts = urlsplit(address)
        self._single = mark.removeprefix("sha256=").lower() if mark else ""
        if mark and not _HEX64.fullmatch(self._single):
            raise Misused("after '#' a file's digest is expected: URL#sha256=HEX, 64 hex digits")
        self._url = address if self._single or address.endswith("/") else f"{address}/"
        if parts.query:
            raise Misused("a source's URL has no query: secrets in it would be kept; use --token-env")
        last = PurePosixPath(unquote(parts.path)).name
        self._file = last
        self._name = check_name(name or (PurePosixPath(last).stem if self._single else last))
        self._source = f"{parts.scheme}:{parts.netloc}{parts.path}"

    def offer(self) -> Offer:
        if self._single:
            files, left_out = choose([Wanted(self._file, self._url, self._size(self._url), self._single)], ())
            return Offer(self._name, "", files, self._source, left_out=left_out)
        try:
            sums = self._small(SUMS)
        except NotFound:
            raise ModelRefused(
                f"{self._url} has no {SUMS}, so nothing of it could be verified; "
                "make one there (sha256sum * > SHA256SUMS) or name one file: URL#sha256=HEX"
            ) from None
        listed = [Wanted(path, self._url + quote(path), sha256=digest) for path, digest in read_sums(sums)]
        files, left_out = choose(listed, self._only)
        files = tuple(Wanted(one.path, one.place, self._size(one.place), one.sha256) for one in files)
        return Offer(self._name, "", files, self._source, self._card(files), left_out, self._only)

    def open(self, wanted: Wanted, start: int) -> Stream:
        return self._web.get(wanted.place, start)

    def _size(self, url: str) -> int | None:
        answer = self._web.get(url, method="HEAD")
        answer.close()
        length = answer.header("content-length")
        return int(length) if length.isdigit() else None

    def _card(self, files: tuple[Wanted, ...]) -> Card:
        """Read for the licence only; nothing of it is kept."""
        card = Card()
        for one in files:
            name = one.path.lower()
            if name == "readme.md":
                card = read_card(self._small(one.path))
            elif name.startswith(("license", "licence")) and not card.licence:
                card = Card(recognise(self._small(one.path)))
        return card

    def _small(self, path: str) -> str:
        answer = self._web.get(self._url + quote(path))
        try:
            return answer.read(MAX_CARD_BYTES).decode("utf-8", "replace")
        finally:
            answer.close()


class Folder:
    """A folder or file of this machine. Where it holds `SHA256SUMS`, that is what its files must have."""

    def __init__(self, path: Path, name: str = "", only: tuple[str, ...] = ()) -> None:
        self._path, self._only = path, only
        self._name = check_name(name or (path.resolve().stem if path.is_file() else path.resolve().name))

    def offer(self) -> Offer:
        found = look(self._path)
        sums = self._path / SUMS if self._path.is_dir() else Path()
        stated = dict(read_sums(sums.read_text("utf-8", "replace"))) if sums.is_file() else None
        listed = []
        for inside, file in found.files.items():
            if inside == SUMS:
                continue
            if stated is not None and inside not in stated:
                raise ModelRefused(f"'{inside}' is not in the folder's {SUMS}; take it away or name it there")
            digest = digest_file(file) if stated is None else stated[inside]
            listed.append(Wanted(inside, str(file), file.stat().st_size, digest))
        files, left_out = choose(listed, self._only)
        card, left_out = card_of_folder(found.files), (*found.left_out, *left_out)
        return Offer(self._name, "", files, "folder", card, left_out, self._only)

    def open(self, wanted: Wanted, start: int) -> Stream:
        try:
            return _Opened(Path(wanted.place), start)
        except OSError as error:
            raise SourceFailed(f"'{wanted.path}' cannot be read: {error.strerror}") from error


class _Opened:
    def __init__(self, path: Path, start: int) -> None:
        self._file = path.open("rb", buffering=0)
        self.start = min(start, path.stat().st_size)
        self._file.seek(self.start)

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            return self._file.readinto(buffer) or 0
        except OSError as error:
            raise SourceFailed(f"the folder cannot be read: {error.strerror}") from error

    def close(self) -> None:
        self._file.close()


def source_of(text: str, web: Web, endpoint: str, name: str = "", only: tuple[str, ...] = ()) -> Source:
    """The source that a person names: a folder (./x, /x), a URL, or OWNER/NAME[@REVISION] of the hub.

    Raises: Misused, BadRequest.
    """
    if text.startswith(("http://", "https://")):
        return Directory(web, text, name, only)
    if text.startswith(("/", "./", "../", "~")):
        return Folder(Path(text).expanduser(), name, only)
    if "://" in text:
        raise Misused("a source is OWNER/NAME of a hub, an http(s) URL, or a folder (./folder or /folder)")
    repository, _, revision = text.partition("@")
    return Hub(web, endpoint, repository, revision, only)


def read_sums(text: str) -> list[tuple[str, str]]:
    """Path and digest of each line of `sha256sum`. Raises: ModelRefused, for a line that is none."""
    found = []
    for line in text.splitlines():
        match = _SUM.fullmatch(line)
        if match is None and line.strip():
            raise ModelRefused(f"{SUMS}: a line is not 'DIGEST  PATH', as sha256sum writes it")
        if match:
            found.append((match[2].removeprefix("./"), match[1].lower()))
    return found


def card_of_folder(files: dict[str, Path]) -> Card:
    """The card in a folder's README or, where it names no licence, the licence that its text is."""
    card = Card()
    for inside, path in sorted(files.items(), key=lambda pair: pair[0].lower() == "readme.md"):
        name = inside.lower()
        if name != "readme.md" and not name.startswith(("license", "licence")):
            continue
        with path.open("rb") as file:
            text = file.read(MAX_CARD_BYTES).decode("utf-8", "replace")
        if name == "readme.md":
            found = read_card(text)
            card = Card(found.licence or card.licence, found.lineage, found.languages)
        else:
            card = Card(recognise(text), card.lineage, card.languages)
    return card
