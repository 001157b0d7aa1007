"""A client of the S3 API for one bucket: objects whole or by ranges, lists, and uploads in parts.

Safe in threads; connections are kept and shared. What the network or server refuses is tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from html import unescape
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from selat.core.errors import Unavailable
from selat.s3.signed import Bucket, Request, authorization

T = TypeVar("T")
TRIES, WAIT_S, TIMEOUT_S = 4, 0.2, 10.0
EMPTY = hashlib.sha256(b"").hexdigest()
_CODE = re.compile(rb"<Code>(\w+)</Code>")
_ENTRY = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_NEXT = re.compile(r"<NextContinuationToken>([^<]*)</NextContinuationToken>")


class Changed(Exception):
    """The object is not the one that was asked for: it was replaced since."""


class Seen(NamedTuple):
    """An object as the server tells of it: its ETag is the server's own mark of its content."""

    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a list; `modified` in seconds since 1970."""

    name: str
    size_bytes: int
    modified: float


class Body:
    """The content of an object as it comes; close it, also before its end."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response

    def read(self, size_bytes: int) -> bytes:
        """At most so many bytes; b"" at the end. Raises: OSError, when the connection breaks or ends early."""
        try:
            data = self._response.read(size_bytes)
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from error
        if not data and self._response.length:
            raise ConnectionError("the connection ended before the object did")
        return data

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class Answer(NamedTuple):
    """A whole answer: 2xx, 404 or 412."""

    status: int
    body: bytes
    headers: Message


class _Refused(Exception):
    def __init__(self, status: int, body: bytes) -> None:
        found = _CODE.search(body[:4096])
        super().__init__(f"{status} {found[1].decode() if found else ''}".strip())
        self.again = status in (409, 429, 500, 502, 503, 504)


class Client:
    """Objects by their names below the bucket's prefix. `error` is raised where it does not serve."""

    def __init__(self, bucket: Bucket, error: type[Unavailable] = Unavailable) -> None:
        self._bucket, self._url, self._error = bucket, urlsplit(bucket.endpoint), error
        self._idle: list[http.client.HTTPConnection] = []

    def get(self, name: str) -> bytes:
        """Raises: FileNotFoundError, when there is no such object; Unavailable."""
        answer = self._ask("GET", self._path(name))
        if answer.status == 404:
            raise FileNotFoundError(f"{self._bucket.name}: no {name}")
        return answer.body

    def head(self, name: str) -> Seen | None:
        """Size and ETag of an object; None where there is none. Raises: Unavailable."""
        answer = self._ask("HEAD", self._path(name))
        if answer.status == 404:
            return None
        return Seen(int(answer.headers.get("content-length", "0")), answer.headers.get("etag", "").strip('"'))

    def open(self, name: str, start: int = 0, end: int | None = None, etag: str = "") -> Body:
        """The object from byte `start` to before `end`, as it comes. With an `etag`, that content or none.

        Raises: FileNotFoundError; Changed, where it has another ETag; Unavailable.
        """
        headers = {"if-match": f'"{etag}"'} if etag else {}
        if start or end is not None:
            headers["range"] = f"bytes={start}-{'' if end is None else end - 1}"
        return self._retried(lambda: self._begin(name, headers, etag))

    def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Store an object, durable when this returns. With `only_new`, False where the server says there is one.

        A server that does not know If-None-Match overwrites. Raises: Unavailable.
        """
        headers = {"if-none-match": "*"} if only_new else {}
        answer = self._ask("PUT", self._path(name), data=data, headers=headers)
        if answer.status == 404:
            raise self._error(f"object store: there is no bucket '{self._bucket.name}'; make it first")
        return answer.status != 412

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error. Raises: Unavailable."""
        self._ask("DELETE", self._path(name))

    def list(self, prefix: str) -> list[str]:
        """The names that start with `prefix`. Raises: Unavailable."""
        return [one.name for one in self.each(prefix)]

    def each(self, prefix: str) -> Iterator[Listed]:
        """Every object whose name starts with `prefix`, by name, a thousand at a time. Raises: Unavailable."""
        start, token = self._bucket.prefix, ""
        while True:
            query = {"list-type": "2", "prefix": start + prefix}
            answer = self._ask(
                "GET", f"/{self._bucket.name}", query=query | ({"continuation-token": token} if token else {})
            )
            if answer.status == 404:
                raise self._error(f"object store: there is no bucket '{self._bucket.name}'; make it first")
            text = answer.body.decode()
            for entry in _ENTRY.findall(text):
                yield _listed(entry, len(start))
            found = _NEXT.search(text)
            if found is None or "<IsTruncated>true</IsTruncated>" not in text:
                return
            token = unescape(found[1])

    def post(self, name: str, query: Mapping[str, str], data: bytes = b"") -> Answer:
        """Begin or complete an upload; what the server says, 404 included. Raises: Unavailable."""
        return self._ask("POST", self._path(name), data=data, query=query)

    def put_part(self, name: str, query: Mapping[str, str], data: bytes) -> Answer:
        """One part of an upload; 404 where that upload is no more. Raises: Unavailable."""
        return self._ask("PUT", self._path(name), data=data, query=query)

    def abort(self, name: str, upload: str) -> None:
        """End an upload; one that is not there is no error. Raises: Unavailable."""
        self._ask("DELETE", self._path(name), query={"uploadId": upload})

    def close(self) -> None:
        """Let go of the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def _path(self, name: str) -> str:
        return quote(f"/{self._bucket.name}/{self._bucket.prefix}{name}", safe="/-_.~")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        data: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self._retried(lambda: self._exchange(method, path, data, query or {}, headers or {}))

    def _retried(self, does: Callable[[], T]) -> T:
        reason = ""
        for turn in range(TRIES):
            if turn:
                time.sleep(WAIT_S * 2 ** (turn - 1))
            try:
                return does()
            except _Refused as error:
                reason = str(error)
                if not error.again:
                    break
            except FileNotFoundError:
                raise
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
        raise self._error(f"object store {self._url.netloc}, bucket '{self._bucket.name}': {reason}")

    def _exchange(
        self, method: str, path: str, data: bytes, query: Mapping[str, str], extra: Mapping[str, str]
    ) -> Answer:
        connection, response = self._send(method, path, data, query, extra)
        try:
            body = response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        # A server may fail after it has begun to answer with 200: the body then is an error. Source: S3 API,
        # CompleteMultipartUpload.
        broke = response.status == 200 and method == "POST" and b"<Error>" in body[:1024]
        if broke or not (response.status < 300 or response.status in (404, 412)):
            raise _Refused(503 if broke else response.status, body)
        return Answer(response.status, body, response.headers)

    def _begin(self, name: str, headers: Mapping[str, str], etag: str) -> Body:
        connection, response = self._send("GET", self._path(name), b"", {}, headers)
        told = response.headers.get("etag", "").strip('"')
        if response.status in (200, 206) and (not etag or told == etag):
            if response.status == 206 or "range" not in headers:
                return Body(connection, response)
            connection.close()
            raise _Refused(501, b"<Code>NoRanges</Code>")
        connection.close()
        if response.status == 404:
            raise FileNotFoundError(f"{self._bucket.name}: no {name}")
        if response.status in (200, 206, 412):
            raise Changed(f"{self._bucket.name}: {name} was replaced")
        raise _Refused(response.status, b"")

    def _send(
        self, method: str, path: str, data: bytes, query: Mapping[str, str], extra: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        credentials, digest = self._bucket.credentials, hashlib.sha256(data).hexdigest() if data else EMPTY
        headers = {
            "host": self._url.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            **extra,
        }
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        request = Request(method, path, query, headers, digest)
        headers["authorization"] = authorization(request, credentials, self._bucket.region)
        connection = self._connection()
        target = f"{path}?{request.query_text}" if query else path
        try:
            connection.request(method, target, data if method in ("PUT", "POST") else None, headers)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)


def _listed(entry: str, prefix: int) -> Listed:
    def field(name: str) -> str:
        found = re.search(f"<{name}>([^<]*)</{name}>", entry)
        return unescape(found[1]) if found else ""

    try:
        modified = datetime.fromisoformat(field("LastModified")).timestamp()
    except ValueError:
        modified = time.time()
    return Listed(field("Key")[prefix:], int(field("Size") or 0), modified)
